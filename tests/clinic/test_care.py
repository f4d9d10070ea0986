"""The clinic's care of itself: set-up, backup and restore, retention, the clock, the certificate, the doctor."""

from __future__ import annotations

import dataclasses
import io
import json
import logging
import os
import ssl
import tarfile
import time
from datetime import timedelta
from pathlib import Path

import pytest
from clinic_parts import config, film, running, send, wait_for
from pydicom import dcmread
from sqlalchemy import select, text

from ai_for_sudan.cli import main
from ai_for_sudan.clinic.care import backup, certificate, clock, doctor, logs, permissions, retention, sealing
from ai_for_sudan.clinic.clinic import Clinic
from ai_for_sudan.clinic.config import Backup, Destination, Storage, load
from ai_for_sudan.clinic.health import health
from ai_for_sudan.clinic.pseudonyms import Pseudonyms
from ai_for_sudan.clinic.store import DATABASE, Store, films, settings, tables, trail
from ai_for_sudan.clinic.store.tables import Delivery, Film, FilmReading, Patient, Result, Study, TrailRow, now
from ai_for_sudan.clinic.work import OpenReader
from ai_for_sudan.errors import UserError


def read(clinic: Clinic, count: int) -> None:
    def done() -> bool:
        with clinic.store.reading() as session:
            found = films.counts(session)
            return sum(found.values()) == count and "waiting" not in found

    assert wait_for(done)


def test_init_writes_a_file_that_a_server_starts_with_and_asks_nothing_when_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["--yes", "--site", 'Klinik "Süd" \\ 1', "--modality", "CR1@10.0.0.7", "--modality", "DX",
                 "--pacs", "Main=PACS@10.0.0.9:104", "--pacs", "Web=https://pacs.local/dicom-web",
                 "--name", "clinic.local", "--name", "10.0.0.2", "--language", "ar"]  # fmt: skip
    assert main(["clinic", "init", *arguments]) == 0
    said = capsys.readouterr().out
    made = load(tmp_path / "clinic.toml")
    assert (made.site.name, made.site.language) == ('Klinik "Süd" \\ 1', "ar")
    assert [(m.title, m.address) for m in made.node.modalities] == [("CR1", "10.0.0.7"), ("DX", "")]
    assert [d.protocol for d in made.destinations] == ["dicom", "dicomweb"]
    assert (tmp_path / "clinic.toml").read_text().count("# ") > 25
    assert "one-time code" in said and (tmp_path / "clinic-data" / "tls" / "clinic.pem").exists()
    before = (tmp_path / "clinic.toml").read_bytes()
    assert main(["clinic", "init", "--yes"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "clinic.toml").read_bytes() == before


def test_init_asks_again_for_an_answer_that_does_not_fit_and_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    answers = iter([
        "مستشفى أم درمان", "fr", "ar", "", "A TITLE THAT IS TOO LONG", "READER", "dicom", "104", "99999", "",
        "CR1@10.0.0.7, DX", "main", "Main=PACS@10.0.0.9:104", "amina",
    ])  # fmt: skip
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: next(answers))
    assert main(["clinic", "init"]) == 0
    said = capsys.readouterr().out
    made = load(tmp_path / "clinic.toml")
    assert next(answers, None) is None
    assert (made.site.name, made.site.language, made.node.title) == ("مستشفى أم درمان", "ar", "READER")
    assert (made.node.port, made.web.port, len(made.node.modalities)) == (104, 8443, 2)
    assert made.destinations[0].host == "10.0.0.9" and "'amina'" in said
    for words in ("not 'fr'", "AE title", "not 'dicom'", "not '99999'", "NAME=TITLE@HOST:PORT"):
        assert words in said


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[web]\nport = 70000", "'web.port' must be a port"),
        ("[web]\nprot = 8443", "'web.prot' is not known"),
        ('[node]\ntitle = "A TITLE THAT IS TOO LONG"', "AE title of 1 to 16"),
        ('[storage]\nkeep_free = "much"', "'storage.keep_free' must be a number"),
        ("[storage]\nkeep_free = 5", "at least 0 and less than 1"),
        ('[[destination]]\nname = "P"', "title"),
        ('[[destination]]\nprotocol = "dicom"', "lacks 'name'"),
        ('[storage]\npseudonymise = true\n[[destination]]\nname="P"\nhost="h"\ntitle="P"', "switch it off"),
        ("[web", "not a valid TOML file"),
        ('[web]\ncertificate = ""', "belong together"),
    ],
)
def test_a_wrong_configuration_is_one_line_that_names_the_entry(tmp_path: Path, line: str, words: str) -> None:
    file = tmp_path / "clinic.toml"
    file.write_text(line)
    with pytest.raises(UserError, match=words):
        load(file)


def test_a_backup_of_a_running_clinic_is_restored_onto_a_bare_machine(
    tmp_path: Path, reader_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings_ = config(tmp_path, reader_file)
    settings_.file.write_text('[storage]\nfolder = "data"\n')
    with running(settings_) as clinic:
        send(clinic.node.port, [film(number=n) for n in range(3)])
        read(clinic, 3)
        made = backup.back_up(settings_)
        send(clinic.node.port, [film(number=9)])  # comes after the backup
        read(clinic, 4)
    monkeypatch.chdir(tmp_path)
    bare = tmp_path / "bare"
    bare.mkdir()
    arguments = ["--folder", str(bare / "data"), "--config", str(bare / "clinic.toml")]
    assert main(["clinic", "restore", str(made), *arguments]) == 0
    restored = dataclasses.replace(settings_, file=bare / "clinic.toml", storage=Storage(bare / "data", 0.0))
    assert load(bare / "clinic.toml").storage.folder == bare / "data"
    with running(restored) as clinic:
        with clinic.store.reading() as session:
            rows = list(session.scalars(select(Film)))
            assert len(rows) == 3 and all(clinic.store.films.path(row.file).exists() for row in rows)
            trail.verify(session)
        send(clinic.node.port, [film(number=10)])
        read(clinic, 4)
    assert main(["clinic", "restore", str(made), *arguments]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_a_damaged_or_hostile_backup_is_refused(tmp_path: Path, reader_file: Path) -> None:
    settings_ = config(tmp_path, reader_file)
    with running(settings_) as clinic:
        send(clinic.node.port, [film()])
        read(clinic, 1)
        made = backup.back_up(settings_)
    content = bytearray(made.read_bytes())
    at = content.index(b"DICM") + 2000
    content[at] ^= 0xFF
    (tmp_path / "damaged.tar").write_bytes(content)
    with pytest.raises(UserError, match="is damaged"):
        backup.restore(tmp_path / "damaged.tar", tmp_path / "one")
    (tmp_path / "short.tar").write_bytes(bytes(content[: len(content) // 2]))
    with pytest.raises(UserError):
        backup.restore(tmp_path / "short.tar", tmp_path / "two")
    evil = tmp_path / "evil.tar"
    with tarfile.open(made) as source, tarfile.open(evil, "w") as target:
        manifest = source.extractfile("manifest.json")
        assert manifest is not None
        target.addfile(source.getmember("manifest.json"), manifest)
        for name in ("../escaped", "/tmp/escaped", "films/aa/../../../escaped"):
            target.addfile(tarfile.TarInfo(name))
    with pytest.raises(UserError, match="no backup of a clinic"):
        backup.restore(evil, tmp_path / "three" / "data")
    assert not list(tmp_path.rglob("escaped"))


def test_an_older_database_is_backed_up_before_it_is_brought_up_to_date(
    tmp_path: Path, reader_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_ = config(tmp_path, reader_file)
    with running(settings_):
        pass
    from ai_for_sudan.clinic.store import database

    older = database.is_older
    answers = iter([True])
    monkeypatch.setattr(database, "is_older", lambda file: next(answers, None) or older(file))
    with running(settings_):
        pass
    (made,) = (settings_.storage.folder / "backups").glob("*before-upgrade.tar")
    with tarfile.open(made) as archive:
        assert "clinic.sqlite3" in archive.getnames()


def test_the_server_makes_its_own_backups_and_keeps_so_many(clinic: Clinic) -> None:
    settings_ = dataclasses.replace(clinic.config, backup=Backup(every_hours=1, keep=2))
    folder = settings_.path("backups")

    def noted() -> bool:
        with clinic.store.reading() as session:
            return settings.get(session, "backup") is not None

    assert wait_for(noted) and list(folder.glob("*automatic.tar"))
    assert backup.back_up_when_due(settings_, clinic.store) is None
    for number in range(4):
        (folder / f"clinic-2020010{number + 1}T000000Z-automatic.tar").touch()
    (folder / "clinic-20200101T000000Z-by-hand.tar").touch()
    with clinic.store.writing() as session:
        settings.put(session, "backup", {"at": (now() - timedelta(hours=2)).isoformat()})
    made = backup.back_up_when_due(settings_, clinic.store)
    left = sorted(folder.glob("*.tar"))
    assert made in left and len(left) == 3 and "by-hand" in left[0].name


def test_old_films_are_deleted_by_age_and_their_readings_stay(clinic: Clinic) -> None:
    send(clinic.node.port, [film(number=n) for n in range(3)])
    read(clinic, 3)
    kept = dataclasses.replace(clinic.config.storage, keep_days=30)
    settings_ = dataclasses.replace(clinic.config, storage=kept)
    with clinic.store.writing() as session:
        old = session.get_one(Film, 1)
        old.arrived_at = now() - timedelta(days=31)
        file = old.file
    assert retention.retain(settings_, clinic.store) == 1
    assert not clinic.store.films.path(file).exists()
    with clinic.store.reading() as session:
        assert session.get_one(Film, 1).deleted_at is not None
        assert len(session.scalars(select(FilmReading)).all()) == 3
        assert session.scalars(select(TrailRow).where(TrailRow.act == "film.deleted")).one().subject == "film:1"


def test_old_films_are_deleted_by_share_of_the_disk_oldest_first(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(clinic.node.port, [film(number=n) for n in range(4)])
    read(clinic, 4)
    size = retention.filled(clinic.store) // 4
    usage = type("Usage", (), {"total": 5 * size, "free": size, "used": size})
    monkeypatch.setattr(retention.shutil, "disk_usage", lambda folder: usage)
    kept = dataclasses.replace(clinic.config.storage, keep_share=0.5)
    assert retention.retain(dataclasses.replace(clinic.config, storage=kept), clinic.store) == 2
    with clinic.store.reading() as session:
        assert list(session.scalars(select(Film.id).where(Film.deleted_at.is_not(None)))) == [1, 2]


def test_a_clock_that_jumps_a_year_deletes_nothing_until_a_person_says_that_it_is_right(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(clinic.node.port, [film()])
    read(clinic, 1)
    clock.beat(clinic.store)
    kept = dataclasses.replace(clinic.config.storage, keep_days=30)
    settings_ = dataclasses.replace(clinic.config, storage=kept)

    def later() -> object:
        return now() + timedelta(days=366)

    for module in (clock, retention):
        monkeypatch.setattr(module, "now", later)
    assert "moved by 366 days" in clock.beat(clinic.store)
    assert retention.retain(settings_, clinic.store) == 0
    assert any(problem["code"] == "clock" for problem in health(clinic)["problems"])
    monkeypatch.undo()
    clock.is_right(clinic.store, "user:amina")
    assert clock.beat(clinic.store) == "" and clock.suspect(clinic.store) == ""
    with clinic.store.reading() as session:
        acts = set(session.scalars(select(TrailRow.act)))
    assert {"clock.jumped", "clock.confirmed"} <= acts


def test_a_phone_that_trusts_the_authority_trusts_the_server_and_nobody_else_through_it(tmp_path: Path) -> None:
    pem, key = tmp_path / "clinic.pem", tmp_path / "clinic.key"
    certificate.make(pem, key, ["clinic.local", "127.0.0.1"], "Test")
    context = ssl.create_default_context(cafile=str(tmp_path / "authority.pem"))
    import socket
    import threading

    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(pem, key)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for _ in range(2):
                try:
                    with served.wrap_socket(listening.accept()[0], server_side=True) as peer:
                        peer.recv(1)
                except OSError:
                    continue

        threading.Thread(target=serve, daemon=True).start()
        with (
            socket.create_connection(listening.getsockname()) as raw,
            context.wrap_socket(raw, server_hostname="clinic.local") as peer,
        ):
            peer.send(b"x")
    assert (key.stat().st_mode & 0o77, (tmp_path / "authority.key").stat().st_mode & 0o77) == (0, 0)
    first = (tmp_path / "authority.pem").read_bytes()
    certificate.make(pem, key, ["clinic.local"], "Test")  # again, by the same authority
    assert (tmp_path / "authority.pem").read_bytes() == first
    with pytest.raises(UserError, match="other names"):
        certificate.make(pem, key, ["bank.example"], "Test")


def test_the_doctor_finds_what_is_wrong_and_says_what_to_do(tmp_path: Path, reader_file: Path) -> None:
    away = Destination(name="PACS", host="127.0.0.1", port=9, title="PACS")
    settings_ = config(tmp_path, reader_file, destinations=(away,))
    with running(settings_):
        pass
    found = {finding.what: finding for finding in doctor.examine(settings_)}
    assert found["PACS PACS"].state == "failure" and "does not answer" in found["PACS PACS"].words
    assert {found[what].state for what in ("disk", "database", "trail", "clock", "reader")} == {"ok"}
    assert found["node"].state == "warning" and "clinic run" in found["node"].advice
    gone = dataclasses.replace(settings_, reading=dataclasses.replace(settings_.reading, reader="no_such"))
    assert {f.what: f.state for f in doctor.examine(gone)}["reader"] == "failure"
    assert all(finding.advice for finding in doctor.examine(settings_) if finding.state != "ok")


def test_trail_verify_tells_a_broken_chain_by_its_exit_code(
    tmp_path: Path, reader_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings_ = config(tmp_path, reader_file)
    settings_.file.write_text('[storage]\nfolder = "data"\n')
    with running(settings_):
        pass
    assert main(["clinic", "trail", "--verify", "--config", str(settings_.file)]) == 0
    import sqlite3

    with sqlite3.connect(settings_.storage.folder / "clinic.sqlite3") as connection:
        connection.execute("DROP TRIGGER trail_no_update")
        connection.execute("UPDATE trail SET actor = 'user:omar' WHERE id = 1")
    assert main(["clinic", "trail", "--verify", "--config", str(settings_.file)]) == 1
    assert "row 1" in capsys.readouterr().out


def test_a_trail_that_was_written_anew_is_found_by_a_hash_from_elsewhere(
    tmp_path: Path, reader_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings_ = config(tmp_path, reader_file)
    settings_.file.write_text('[storage]\nfolder = "data"\n')
    with running(settings_) as clinic:
        send(clinic.node.port, [film()])
        read(clinic, 1)
        with clinic.store.reading() as session:
            report = session.scalars(select(Result).where(Result.kind == "sr")).one()
            head = trail.head(session)
        report_file = clinic.store.results.path(report.file)
        made = backup.back_up(settings_, films=False)
        page = tmp_path / "monitor.html"
        page.write_text(f"<p>Last hash of the clinic's trail: {head}</p>")
    against = [arg for kept in (head, str(made), str(report_file), str(page)) for arg in ("--against", kept)]
    verify = ["clinic", "trail", "--verify", "--config", str(settings_.file)]
    assert main([*verify, *against]) == 0
    assert capsys.readouterr().out.count("unchanged up to there") == 4
    assert main([*verify, "--against", str(settings_.file)]) == 2
    with Store.open(settings_.storage.folder) as store, store.writing() as session:
        # Who has the database writes a whole new chain.
        session.execute(text("DROP TRIGGER trail_no_delete"))
        session.execute(text("DELETE FROM trail"))
        trail.record(session, "system", "server.started")
    assert main(verify) == 0
    for kept in (head, str(made), str(report_file), str(page)):
        assert main([*verify, "--against", kept]) == 1
        assert "WRITTEN ANEW" in capsys.readouterr().out


def test_a_closed_backup_opens_with_its_paper_alone_and_holds_everything(
    tmp_path: Path, reader_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings_ = config(tmp_path, reader_file)
    settings_.file.write_text('[storage]\nfolder = "data"\n')
    stick = tmp_path / "stick"
    stick.mkdir()
    command = ["clinic", "backup", "--config", str(settings_.file)]
    with running(settings_) as clinic:
        send(clinic.node.port, [film(number=n) for n in range(2)])
        read(clinic, 2)
        assert main([*command, "--key"]) == 0
        key = capsys.readouterr().out.split("\n\n")[1].strip()
        assert main([*command, "--to", str(stick)]) == 0
    (made,) = stick.iterdir()
    assert made.stat().st_mode & 0o077 == 0 and b"TEST^FILM" not in made.read_bytes()
    restore = ["clinic", "restore", str(made), "--folder", str(tmp_path / "bare"), "--config", str(tmp_path / "c.toml")]
    mistyped = ("A" if key[0] != "A" else "B") + key[1:]  # of the last letter, only one bit counts
    for wrong in ("", mistyped, sealing.make_key(tmp_path / "other")):
        assert main([*restore, "--key", wrong]) == 2
    damaged = tmp_path / "damaged"
    for content in (made.read_bytes()[:-100], made.read_bytes()[:-100] + bytes(100)):
        damaged.write_bytes(content)
        with pytest.raises(UserError, match="damaged"):
            backup.restore(damaged, tmp_path / "elsewhere", key)
    assert main([*restore, "--key", key.lower()]) == 0
    bare = dataclasses.replace(settings_, file=tmp_path / "c.toml", storage=Storage(tmp_path / "bare", 0.0))
    with running(bare) as clinic, clinic.store.reading() as session:
        rows = list(session.scalars(select(Film)))
        assert len(rows) == 2 and all(clinic.store.films.path(row.file).exists() for row in rows)


def test_a_sealed_file_of_several_pieces_cannot_be_cut_or_put_together_anew(tmp_path: Path) -> None:
    key = sealing.make_key(tmp_path)
    plain, closed = tmp_path / "plain", tmp_path / "closed"
    public = sealing.public_key(tmp_path)
    assert public is not None
    for size in (0, 1, sealing.PIECE, sealing.PIECE + 1, 2 * sealing.PIECE):
        plain.write_bytes(bytes(size))
        sealing.seal(plain, closed, public)
        opened = io.BytesIO()
        sealing.unseal(closed, opened, key)
        assert opened.getvalue() == bytes(size)
    whole = closed.read_bytes()
    start, piece = len(sealing.MAGIC) + 32, sealing.PIECE + sealing.TAG
    first, second = whole[start : start + piece], whole[start + piece :]
    for content in (whole[: start + piece], whole[:start] + second + first, whole[:start] + second):
        closed.write_bytes(content)
        with pytest.raises(UserError, match="does not open"):
            sealing.unseal(closed, io.BytesIO(), key)


def test_what_others_could_read_is_closed_at_the_start_and_found_by_the_doctor(
    tmp_path: Path, reader_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o022)
    try:
        assert main(["clinic", "init", "--yes", "--reader", str(reader_file), "--name", "127.0.0.1"]) == 0
        settings_ = load(tmp_path / "clinic.toml")
        folder = settings_.storage.folder
        assert list(permissions.loose(folder)) == []
        (folder / "films").chmod(0o755)
        (folder / DATABASE).chmod(0o644)
        assert {place.name for place in permissions.loose(folder)} == {"films", DATABASE}
        assert any(one.what == "rights" and one.state == "failure" for one in doctor.examine(settings_))
        Clinic.open(settings_).stop()
        assert list(permissions.loose(folder)) == []
    finally:
        os.umask(before)


def test_results_on_their_way_and_films_in_doubt_keep_their_films(clinic: Clinic) -> None:
    send(clinic.node.port, [film(number=n) for n in range(1, 5)])
    read(clinic, 4)
    wait_for(lambda: len(results(clinic)) == 8)
    with clinic.store.writing() as session:
        session.add(there := tables.Destination(name="PACS", kinds=["sr", "sc"]))
        session.flush()
        for number, state in ((1, "waiting"), (2, "sent"), (3, "confirmed")):
            result = session.scalars(select(Result).join(FilmReading).where(FilmReading.film_id == number)).first()
            assert result is not None
            session.add(Delivery(destination_id=there.id, result_id=result.id, state=state))
        for row in session.scalars(select(Film)):
            row.arrived_at = now() - timedelta(days=31)
        session.get_one(Film, 4).identity = "contradicted"
    kept = dataclasses.replace(clinic.config.storage, keep_days=30)
    assert retention.retain(dataclasses.replace(clinic.config, storage=kept), clinic.store) == 1
    with clinic.store.reading() as session:
        assert list(session.scalars(select(Film.id).where(Film.deleted_at.is_not(None)))) == [3]


def results(clinic: Clinic) -> list[Result]:
    with clinic.store.reading() as session:
        return list(session.scalars(select(Result)))


def test_a_machine_that_was_off_for_some_hours_has_a_right_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its counter begins anew, and its process may have the same number as before."""
    with Store.open(tmp_path) as store:
        counted = [50_000.0]
        monkeypatch.setattr(time, "clock_gettime", lambda which: counted[0])
        monkeypatch.setattr(time, "monotonic", lambda: counted[0])
        assert clock.beat(store) == ""
        counted[0] = 5.0
        monkeypatch.setattr(clock, "now", lambda: now() + timedelta(hours=5))
        assert clock.beat(store) == ""


@pytest.mark.parametrize(("age", "kept"), [("018M", "018M"), ("003Y", "003Y"), ("", "018M"), ("005W", "001M")])
def test_a_pseudonym_keeps_the_age_in_months(tmp_path: Path, age: str, kept: str) -> None:
    file = tmp_path / "film.dcm"
    one = film(PatientAge=age, PatientBirthDate="20250501", StudyDate="20261101")
    one.save_as(file, enforce_file_format=True)
    Pseudonyms(tmp_path).apply(file)
    found = dcmread(file)
    assert (found.PatientAge, found.PatientBirthDate, str(found.PatientName)) == (kept, "", "")


def test_a_film_that_ends_the_program_is_answered_by_its_code(reader_file: Path) -> None:
    lost = OpenReader(str(reader_file), "").lost("film")
    assert (lost.status, lost.codes, lost.line["codes"]) == ("failed", ["worker_lost"], ["worker_lost"])


def test_logs_are_json_lines_without_a_patient(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, reader_file: Path
) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logs.set_up()
        with running(config(tmp_path, reader_file)) as clinic:
            send(
                clinic.node.port,
                [film(PatientName="ABDALLA^SECRET", PatientID="ID-SECRET", AccessionNumber="ACC-SECRET")],
            )
            read(clinic, 1)
            try:
                raise ValueError("ABDALLA^SECRET")
            except ValueError:
                logging.getLogger("ai_for_sudan.clinic").exception("something")
    finally:
        root.handlers[:], root.level = before
    lines = capsys.readouterr().err.splitlines()
    assert lines and all(json.loads(line)["at"] for line in lines)
    assert any(json.loads(line)["says"] == "stored" for line in lines)
    assert "SECRET" not in "".join(lines)


def test_a_switch_takes_patients_away_on_arrival_and_keeps_them_apart(tmp_path: Path, reader_file: Path) -> None:
    storage = dataclasses.replace(config(tmp_path, reader_file).storage, pseudonymise=True)
    secrets = {"PatientName": "ABDALLA^SECRET", "PatientID": "ID-SECRET", "AccessionNumber": "ACC-SECRET"}
    one = film(number=1, InstitutionName="SECRET HOSPITAL", **secrets)
    two = film(number=2, **secrets)
    other = film(number=3)
    with running(config(tmp_path, reader_file, storage=storage)) as clinic:
        send(clinic.node.port, [one, two, other, one])
        read(clinic, 3)
        everything = b"".join(p.read_bytes() for p in clinic.store.folder.rglob("*") if p.is_file())
        assert b"SECRET" not in everything and str(one.SOPInstanceUID).encode() not in everything
        with clinic.store.reading() as session:
            assert len(session.scalars(select(Patient)).all()) == 2
            assert all(age == 3 for age in session.scalars(select(Film.age_years)))
            assert {study.accession_number for study in session.scalars(select(Study))} == {""}
    (tmp_path / "elsewhere").mkdir()
    assert Pseudonyms(tmp_path / "elsewhere").of("x") != Pseudonyms(tmp_path / "data").of("x")
