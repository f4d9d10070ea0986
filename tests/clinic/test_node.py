"""The DICOM node: every coding that the reader decodes, who may send, and what is answered."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from clinic_parts import TITLE, config, dcmtk, film, running, send, wait_for
from pydicom.dataset import Dataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from pynetdicom import AE
from sqlalchemy import select

from ai_for_sudan.clinic import connections
from ai_for_sudan.clinic.care import certificate
from ai_for_sudan.clinic.clinic import Clinic
from ai_for_sudan.clinic.config import Arrivals, Modality, Node, Web
from ai_for_sudan.clinic.health import memory
from ai_for_sudan.clinic.node import decodable
from ai_for_sudan.clinic.store import films
from ai_for_sudan.clinic.store.tables import Film, FilmReading, Result
from ai_for_sudan.errors import UnreadableFilm


def read(clinic: Clinic, count: int = 1) -> list[Film]:
    """The films, once that many were read."""

    def done() -> list[Film]:
        with clinic.store.reading() as session:
            rows = list(session.scalars(select(Film).order_by(Film.id)))
            return rows if len(rows) >= count and all(row.status != "waiting" for row in rows) else []

    found = wait_for(done)
    assert found, "the films were not read in time"
    return list(found)


def coded(dataset: Dataset, syntax: str) -> Dataset:
    if syntax in (ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian):
        dataset.file_meta.TransferSyntaxUID = syntax
    elif syntax == ExplicitVRBigEndian:
        dataset.file_meta.TransferSyntaxUID = syntax
        import numpy as np

        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    else:
        dataset.compress(syntax, generate_instance_uid=False)
    return dataset


@pytest.mark.parametrize(
    "syntax",
    [
        *(ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian),
        *(RLELossless, JPEGLSLossless, JPEG2000Lossless),
    ],
    ids=lambda syntax: syntax.name,
)
def test_a_film_in_another_coding_has_the_same_pixels_and_is_the_same_film(clinic: Clinic, syntax: str) -> None:
    plain = film()
    same = coded(film(SOPInstanceUID=plain.SOPInstanceUID), syntax)
    assert send(clinic.node.port, [plain]) == [0]
    (first,) = read(clinic)
    assert send(clinic.node.port, [same]) == [0]
    assert wait_for(lambda: clinic.workers.read_films == 2)
    assert wait_for(lambda: [file.name for file in clinic.store.films.all()] == [first.file])
    (kept,) = read(clinic)
    assert kept.id == first.id and kept.status in ("suspected", "not_seen", "uncertain")


def test_a_film_under_another_preamble_leaves_no_second_file(clinic: Clinic, tmp_path: Path) -> None:
    one = film()
    for preamble in (bytes(128), b"x" * 128):
        one.preamble = preamble
        with clinic.store.films.open_incoming() as file:
            one.save_as(file, enforce_file_format=True)
        clinic.receive(Path(file.name), origin="upload")
    (kept,) = read(clinic)
    assert [file.name for file in clinic.store.films.all()] == [kept.file]


def test_dcmtk_sends_compressed_films_by_its_default_contexts(clinic: Clinic, tmp_path: Path) -> None:
    storescu, dcmcjpeg = dcmtk("storescu"), dcmtk("dcmcjpeg")
    if not storescu or not dcmcjpeg:
        pytest.skip("dcmtk is not installed: apt-get install dcmtk")
    plain = tmp_path / "plain.dcm"
    film().save_as(plain, enforce_file_format=True)
    options = {"-xs": ["+e1"], "-xy": ["+eb"]}
    for number, (propose, encode) in enumerate(options.items()):
        packed = tmp_path / f"packed{number}.dcm"
        subprocess.run([dcmcjpeg, *encode, "+ua", plain, packed], check=True, capture_output=True)
        command = [storescu, propose, "-aet", "CR1", "-aec", "AIFORSUDAN", "127.0.0.1", str(clinic.node.port), packed]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    found = read(clinic, 2)
    assert {row.status for row in found} <= {"suspected", "not_seen", "uncertain"}


def test_the_log_does_not_repeat_what_a_modality_sends(
    clinic: Clinic, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = dcmtk("storescu")
    if program is None:
        pytest.skip("dcmtk is not installed: apt-get install dcmtk")
    one = film()
    one.save_as(tmp_path / "film.dcm", enforce_file_format=True)
    with caplog.at_level(logging.DEBUG, "pynetdicom"):
        command = [program, "-aet", "CR1", "-aec", TITLE, "127.0.0.1", str(clinic.node.port), tmp_path / "film.dcm"]
        subprocess.run(command, check=True, timeout=60)
    said = [record.getMessage() for record in caplog.records if record.name.startswith("pynetdicom")]
    assert not [line for line in said if str(one.SOPInstanceUID) in line or "TEST^FILM" in line]


def test_each_context_takes_every_coding_that_the_reader_decodes(clinic: Clinic) -> None:
    ae = AE(ae_title="CR1")
    for syntax in decodable():
        ae.add_requested_context("1.2.840.10008.5.1.4.1.1.1.1", syntax)
    association = ae.associate("127.0.0.1", clinic.node.port, ae_title="AIFORSUDAN")
    accepted = {context.transfer_syntax[0] for context in association.accepted_contexts}
    association.release()
    assert accepted == set(decodable()) and len(accepted) >= 12


def test_who_is_not_on_the_list_is_refused_and_named(tmp_path: Path, reader_file: Path) -> None:
    node = Node(title="AIFORSUDAN", host="127.0.0.1", port=0,
                modalities=(Modality("CR1"), Modality("DX1", "10.9.8.7")))  # fmt: skip
    with running(config(tmp_path, reader_file, node=node)) as clinic:
        assert send(clinic.node.port, [film()], title="STRANGER") == []
        assert send(clinic.node.port, [film()], title="DX1") == []  # from another address
        assert send(clinic.node.port, [film()], called="OTHER") == []
        assert send(clinic.node.port, [film()]) == [0]
        assert [refusal.title for refusal in clinic.node.refusals] == ["STRANGER", "DX1", "CR1"]


def test_echo(clinic: Clinic) -> None:
    ae = AE(ae_title="CR1")
    ae.add_requested_context("1.2.840.10008.1.1")
    association = ae.associate("127.0.0.1", clinic.node.port, ae_title="AIFORSUDAN")
    assert association.send_c_echo().Status == 0
    association.release()


def test_a_film_that_is_sent_again_is_recognised_and_not_read_twice(clinic: Clinic) -> None:
    one = film()
    assert send(clinic.node.port, [one, one, one]) == [0, 0, 0]
    read(clinic)
    assert send(clinic.node.port, [one]) == [0]
    with clinic.store.reading() as session:
        assert films.counts(session).keys() != {"waiting"}
        assert len(session.scalars(select(FilmReading)).all()) == 1
    assert clinic.workers.read_films == 1


def test_other_pixels_under_one_uid_are_kept_beside_each_other_and_only_the_first_answers(clinic: Clinic) -> None:
    one = film(number=1)
    other = film(number=2, SOPInstanceUID=one.SOPInstanceUID)
    assert send(clinic.node.port, [one, other]) == [0, 0]
    first, second = read(clinic, 2)
    assert second.conflict_id == first.id and first.file != second.file
    assert clinic.store.films.path(first.file).exists() and clinic.store.films.path(second.file).exists()
    # A PACS could not say to which of the two an answer belongs.
    with clinic.store.reading() as session:
        answered = set(session.scalars(select(FilmReading.film_id).join(Result)))
        assert answered == {first.id} and len(session.scalars(select(FilmReading)).all()) == 2


def test_a_misrouted_ct_does_not_fill_the_disk(clinic: Clinic, tmp_path: Path) -> None:
    assert send(clinic.node.port, [film(Modality="CT", SOPClassUID=CTImageStorage)]) == []  # not even negotiated
    assert send(clinic.node.port, [film(Modality="CT")]) == [0xC000]
    with clinic.store.films.open_incoming() as file:
        film(Modality="KO").save_as(file, enforce_file_format=True)
    with pytest.raises(UnreadableFilm, match="takes radiographs"):
        clinic.receive(Path(file.name), origin="upload")
    assert list(clinic.store.films.all()) == []


def test_a_ct_that_the_rule_lets_in_and_a_lateral_are_kept_with_their_reason_beside_the_worklist(
    tmp_path: Path, reader_file: Path
) -> None:
    with running(config(tmp_path, reader_file, arrivals=Arrivals(refuse=(), refuse_classes=()))) as clinic:
        ct = film(Modality="CT", SOPClassUID=CTImageStorage)
        lateral = film(number=2, ViewPosition="LL")
        assert send(clinic.node.port, [ct, lateral, film(number=3)]) == [0, 0, 0]
        found = read(clinic, 3)
        assert [row.on_worklist for row in found] == [False, False, True]
        with clinic.store.reading() as session:
            reading = films.newest_reading(session, found[0].id)
            assert reading is not None and "header_modality" in reading.codes and reading.reasons


def test_six_bytes_of_a_stranger_set_nothing_aside_and_are_gone(clinic: Clinic) -> None:
    before = memory()
    knocking = [socket.create_connection(("127.0.0.1", clinic.node.port)) for _ in range(20)]
    for one in knocking:
        one.sendall(bytes([1, 0]) + (0xFFFFFFF0).to_bytes(4, "big"))
    for one in knocking:
        one.settimeout(30)
        with contextlib.suppress(ConnectionResetError):
            while one.recv(1000):
                pass
        one.close()
    assert memory() - before < 50_000_000
    # Who claims no more than a greeting and says nothing more is gone as well.
    slow = socket.create_connection(("127.0.0.1", clinic.node.port))
    slow.sendall(bytes([1, 0]) + (1000).to_bytes(4, "big") + b"x")
    slow.settimeout(60)
    with contextlib.suppress(ConnectionResetError):
        while slow.recv(1000):
            pass
    assert send(clinic.node.port, [film()]) == [0]


def test_one_address_does_not_take_every_connection(clinic: Clinic) -> None:
    many = [socket.create_connection(("127.0.0.1", clinic.node.port)) for _ in range(80)]
    try:
        closed = 0
        for one in many:
            one.settimeout(0.5)
            try:
                closed += one.recv(10) == b""
            except TimeoutError:
                continue
            except ConnectionResetError:
                closed += 1
        assert closed >= 30
    finally:
        for one in many:
            one.close()
    assert wait_for(lambda: send(clinic.node.port, [film()]) == [0])


def test_a_film_that_is_not_what_the_command_says_is_refused(clinic: Clinic) -> None:
    wrong = film()
    ae = AE(ae_title="CR1")
    ae.add_requested_context(wrong.SOPClassUID, wrong.file_meta.TransferSyntaxUID)
    association = ae.associate("127.0.0.1", clinic.node.port, ae_title="AIFORSUDAN")
    from io import BytesIO

    from pynetdicom.dimse_primitives import C_STORE
    from pynetdicom.dsutils import encode

    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = wrong.SOPClassUID, "1.2.3.4.5"
    request.DataSet = BytesIO(encode(wrong, False, True))
    association._reactor_checkpoint.clear()
    association.dimse.send_msg(request, 1)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    association.release()
    assert answer.Status == 0xA900
    with clinic.store.reading() as session:
        assert films.counts(session) == {}


def test_a_modality_that_goes_away_in_the_middle_leaves_nothing_and_the_node_goes_on(clinic: Clinic) -> None:
    big = film(side=1024)
    ae = AE(ae_title="CR1")
    ae.add_requested_context(big.SOPClassUID, big.file_meta.TransferSyntaxUID)
    association = ae.associate("127.0.0.1", clinic.node.port, ae_title="AIFORSUDAN")
    peer = association.dul.socket.socket
    sent = 0

    def cut(data: bytes, *flags: int) -> int:
        nonlocal sent
        sent += len(data)
        if sent > 400_000:
            peer.shutdown(socket.SHUT_RDWR)
        return peer.send(data)

    association.dul.socket.socket = _Cut(peer, cut)
    association.send_c_store(big)
    assert wait_for(lambda: not list(clinic.store.films.incoming.iterdir())), "a part was left behind"
    assert send(clinic.node.port, [film()]) == [0]
    with clinic.store.reading() as session:
        assert len(session.scalars(select(Film)).all()) == 1


class _Cut:
    def __init__(self, inner: socket.socket, send) -> None:  # type: ignore[no-untyped-def]
        self._inner, self.send = inner, send

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


def test_tls_takes_films_from_those_whose_certificate_it_knows(tmp_path: Path, reader_file: Path) -> None:
    """DICOM TLS (PS3.15 B.9): both sides show a certificate; a peer that says nothing holds nobody up."""
    for name in ("data/tls", "stranger"):
        (tmp_path / name).mkdir(parents=True)
        certificate.make(tmp_path / name / "clinic.pem", tmp_path / name / "clinic.key", ["clinic.local"], "Test")
    node = Node(
        title="AIFORSUDAN", host="127.0.0.1", port=0, modalities=(Modality("CR1"),), tls=True,
        tls_clients="tls/authority.pem",
    )  # fmt: skip
    web = Web(host="127.0.0.1", port=0, certificate="tls/clinic.pem", key="tls/clinic.key")

    def context(folder: Path | None) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=str(tmp_path / "data" / "tls" / "authority.pem"))
        if folder is not None:
            made.load_cert_chain(folder / "clinic.pem", folder / "clinic.key")
        return made

    with running(config(tmp_path, reader_file, node=node, web=web)) as clinic:
        silent = socket.create_connection(("127.0.0.1", clinic.node.port))
        known = (context(tmp_path / "data" / "tls"), "clinic.local")
        assert send(clinic.node.port, [film(side=1024), film(number=2)], tls=known) == [0, 0]
        read(clinic, 2)
        assert send(clinic.node.port, [film(number=3)]) == []  # in the clear
        for folder in (None, tmp_path / "stranger"):
            assert send(clinic.node.port, [film(number=4)], tls=(context(folder), "clinic.local")) == []
        silent.close()
        assert len(read(clinic, 2)) == 2


def test_a_port_that_is_taken_is_one_line(clinic: Clinic, tmp_path: Path, reader_file: Path) -> None:
    from ai_for_sudan.errors import UserError

    node = Node(title="AIFORSUDAN", host="127.0.0.1", port=clinic.node.port)
    with (
        pytest.raises(UserError, match=f"cannot receive films at 127.0.0.1:{clinic.node.port}"),
        running(config(tmp_path / "other", reader_file, node=node)),
    ):
        pass


def test_a_peer_that_is_only_connected_is_not_asked_all_the_time(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    whether = connections.Connection.ready.fget
    assert whether is not None

    def ready(self: object) -> bool:
        looks.append(time.monotonic())
        return bool(whether(self))

    ae = AE(ae_title="CR1")
    ae.add_requested_context(ComputedRadiographyImageStorage)
    association = ae.associate("127.0.0.1", clinic.node.port, ae_title="AIFORSUDAN")
    monkeypatch.setattr(connections.Connection, "ready", property(ready))
    assert wait_for(lambda: len(looks) >= 50)
    assert looks[-1] - looks[0] >= 49 * 0.9 * connections.PATIENCE
    association.release()
    assert association.is_released
