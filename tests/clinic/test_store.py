"""The store: durable, one server, nothing twice, a trail that shows every change."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from ai_for_sudan.clinic.store import DATABASE, DiskFull, Store, deliveries, films, identities, jobs, tables, trail
from ai_for_sudan.clinic.store import database as store_database
from ai_for_sudan.errors import UserError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "data")


def arrival(store: Store, content: bytes = b"a film", sop: str = "1.2.3.4", **said: str) -> films.Arrival:
    digest = store.films.keep(content)
    film = {"kind": "dicom", "origin": "dicom", "source": "CR1", "sop_uid": sop, "size": len(content)}
    return films.Arrival(digest, digest, film, {"uid": "1.2.3"}, identities.Identity(**said))


def reading(status: str = "suspected", codes: list[str] | None = None) -> tables.FilmReading:
    return tables.FilmReading(
        reader="tiny 1", reader_file="f" * 64, operating_point="screening", threshold=0.5, status=status,
        probability=0.9, codes=codes or [], reasons=[], warnings=[], line={}, elapsed_ms=1.0,
    )  # fmt: skip


def result(store: Store, uid: str = "2.25.1") -> int:
    with store.writing() as session:
        film, _ = films.register(session, arrival(store))
        kept = films.keep_reading(session, film, reading())
        made = tables.Result(
            reading_id=kept.id, kind="sr", sop_uid=uid, sop_class="1.2", series_uid="2.25.2", file="0" * 64, size=1
        )
        session.add(made)
        session.flush()
        return made.id


def test_migrations_make_the_tables_that_the_code_expects(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with store.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.Table.metadata) == []


def test_a_database_of_a_newer_program_is_refused_in_words(store: Store) -> None:
    store.close()
    with sqlite3.connect(store.file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(UserError, match=r"newer version.*install the newer version"):
        Store.open(store.folder)


def test_a_file_that_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"not a database at all, but long enough to be looked at" * 40)
    with pytest.raises(UserError, match="cannot be opened as a database"):
        Store.open(tmp_path)


def test_two_servers_on_one_database_are_refused(store: Store) -> None:
    held = store_database.lock(store.file)
    with pytest.raises(UserError, match="another server"):
        store_database.lock(store.file)
    held.close()
    store_database.lock(store.file).close()


@pytest.mark.parametrize("table", ["trail", "verdicts"])
@pytest.mark.parametrize(
    "statement", ["DELETE FROM {0}", "UPDATE {0} SET id = id", "REPLACE INTO {0} SELECT * FROM {0}"]
)
def test_rows_of_the_trail_and_verdicts_cannot_be_changed(store: Store, table: str, statement: str) -> None:
    with store.writing() as session:
        trail.record(session, "system", "server.started")
        film, _ = films.register(session, arrival(store))
        kept = films.keep_reading(session, film, reading())
        session.add(user := tables.User(name="amina", role="clinician", password="x"))
        session.flush()
        films.sign(session, tables.Verdict(film_id=film.id, reading_id=kept.id, user_id=user.id, agreement="agree"))
    with pytest.raises(IntegrityError, match="never changed or deleted"), store.writing() as session:
        session.execute(text(statement.format(table)))


def test_the_trail_shows_each_kind_of_tampering(store: Store) -> None:
    with store.writing() as session:
        for number in range(5):
            trail.record(session, "user:amina", "film.seen", f"film:{number}", page="worklist")
    with store.reading() as session:
        assert trail.verify(session)[0] == 5
    for tampering, words in [
        ("UPDATE trail SET actor = 'user:omar' WHERE id = 3", "row 3 .* was changed"),
        ("DELETE FROM trail WHERE id = 3", "row 3 of the trail is missing"),
        ("UPDATE trail SET at_local = '2020-01-01' WHERE id = 5", "row 5 .* was changed"),
    ]:
        with sqlite3.connect(store.file) as connection:
            connection.executescript("DROP TRIGGER IF EXISTS trail_no_update; DROP TRIGGER IF EXISTS trail_no_delete")
            before = connection.execute("SELECT * FROM trail").fetchall()
            connection.execute(tampering)
            connection.commit()
            with store.reading() as session, pytest.raises(ValueError, match=words):
                trail.verify(session)
            connection.execute("DELETE FROM trail")
            connection.executemany("INSERT INTO trail VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", before)
            connection.commit()
    with store.reading() as session:
        assert trail.verify(session)[0] == 5


def test_the_same_film_is_registered_once_and_other_pixels_under_its_uid_beside_it(store: Store) -> None:
    with store.writing() as session:
        first, new = films.register(session, arrival(store))
        again, not_new = films.register(session, arrival(store))
        twin, twin_new = films.register(session, arrival(store, b"other pixels"))
    assert (new, not_new, twin_new) == (True, False, True)
    assert first.id == again.id != twin.id
    assert twin.conflict_id == first.id
    with store.reading() as session:
        assert jobs.counts(session) == {("read", "waiting"): 2}


def test_eight_threads_that_register_lose_and_double_nothing(store: Store) -> None:
    def work(start: int) -> None:
        for number in range(start, start + 20):
            with store.writing() as session:
                films.register(
                    session, arrival(store, str(number).encode(), f"1.2.{number}", identifier=str(number % 7))
                )

    threads = [threading.Thread(target=work, args=(10 * n,)) for n in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    with store.reading() as session:
        assert films.counts(session) == {"waiting": 90}
        assert len(session.execute(text("SELECT * FROM patients")).all()) == 7


def test_what_is_no_chest_film_does_not_disturb_the_worklist_and_keeps_its_reason(store: Store) -> None:
    with store.writing() as session:
        film, _ = films.register(session, arrival(store))
        kept = films.keep_reading(session, film, reading("refused", ["header_body_part"]))
    assert not film.on_worklist and kept.codes == ["header_body_part"]
    with store.writing() as session:
        other, _ = films.register(session, arrival(store, b"upside down", "1.2.9"))
        films.keep_reading(session, other, reading("refused", ["upside_down"]))
    assert other.on_worklist


def test_two_users_who_disagree_split_and_an_amendment_mends_it(store: Store) -> None:
    with store.writing() as session:
        film, _ = films.register(session, arrival(store))
        kept = films.keep_reading(session, film, reading())
        people = [tables.User(name=name, role="clinician", password="x") for name in ("amina", "omar")]
        session.add_all(people)
        session.flush()

        def sign(user: tables.User, agreement: str) -> tables.Verdict:
            verdict = tables.Verdict(film_id=film.id, reading_id=kept.id, user_id=user.id, agreement=agreement)
            return films.sign(session, verdict)

        first = sign(people[0], "agree")
        assert film.review == "agree"
        sign(people[1], "disagree")
        assert film.review == "split"
        amended = sign(people[0], "disagree")
        assert (film.review, amended.amends_id) == ("disagree", first.id)
        assert len(film.verdicts) == 3 and len(films.current_verdicts(session, film.id)) == 2


def test_a_running_job_of_a_killed_server_waits_again_and_is_not_doubled(store: Store) -> None:
    with store.writing() as session:
        jobs.add(session, "read", 1)
        jobs.add(session, "read", 1)
    with store.writing() as session:
        job = jobs.take(session, ("read",))
        assert job is not None and jobs.take(session, ("read",)) is None
        jobs.add(session, "read", 1)
    with store.writing() as session:
        assert jobs.wake(session) == 1
        again = jobs.take(session, ("read",))
        assert again is not None and (again.id, again.attempts) == (job.id, 2)


def test_a_wait_grows_and_a_clock_that_is_put_back_does_not_make_it_a_year(store: Store) -> None:
    from datetime import timedelta

    waits = [jobs.back_off(attempts).total_seconds() for attempts in (1, 2, 3, 10, 1000)]
    assert waits == [5, 10, 20, 1800, 1800]
    with store.writing() as session:
        jobs.add(session, "read", "soon", due_at=tables.now() + timedelta(minutes=20))
        assert jobs.take(session, ("read",)) is None
        jobs.add(session, "read", "a year ago it was soon", due_at=tables.now() + timedelta(days=365))
        assert jobs.take(session, ("read",)) is not None


def test_a_delivery_is_confirmed_only_by_asking_and_a_liar_gets_it_again(store: Store) -> None:
    made = result(store)
    with store.writing() as session:
        deliveries.set_destinations(session, {"PACS": ["sr", "sc"]})
        row = session.get_one(tables.Result, made)
        deliveries.enqueue(session, [row])
        deliveries.enqueue(session, [row])
        ((delivery, _),) = deliveries.to_send(session, "PACS", 10)
        deliveries.mark_sent(session, [delivery.id])
    with store.reading() as session:
        (waiting,) = deliveries.not_confirmed(session)
        assert waiting.state == "sent" and "being checked" in waiting.why
    with store.writing() as session:
        deliveries.mark_missing(session, [delivery.id], "PACS said yes but has nothing")
    with store.reading() as session:
        (waiting,) = deliveries.not_confirmed(session)
        assert (waiting.state, waiting.why) == ("waiting", "PACS said yes but has nothing")
        assert deliveries.to_send(session, "PACS", 10) == []  # later
    with store.writing() as session:
        deliveries.resend(session, [delivery.id])
        assert len(deliveries.to_send(session, "PACS", 10)) == 1
        deliveries.mark_sent(session, [delivery.id])
        deliveries.mark_confirmed(session, [delivery.id])
    with store.reading() as session:
        assert deliveries.not_confirmed(session) == []


def test_a_full_disk_is_reported_as_such_and_leaves_no_part(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "data", keep_free=1 << 60)
    with pytest.raises(DiskFull):
        store.films.keep(b"a film")
    assert list(store.films.all()) == list(store.films.incoming.iterdir()) == []
    store.films.keep_free = 0
    digest = store.films.keep(b"a film")
    assert store.films.path(digest).read_bytes() == b"a film"


def test_a_path_is_only_made_of_a_digest(store: Store) -> None:
    with pytest.raises(ValueError, match="not a SHA-256"):
        store.films.path("../../etc/passwd")
