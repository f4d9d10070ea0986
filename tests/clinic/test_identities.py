"""Whose film it is: identities that came, contradictions, and what a clinician decides."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from ai_for_sudan.clinic.store import Store, deliveries, films, identities, tables
from ai_for_sudan.clinic.store.identities import Identity
from ai_for_sudan.clinic.store.tables import Film, Job

AMINA = Identity("17", name="HASSAN^AMINA", birth_date="2022-03-01", sex="F")
OMAR = Identity("17", name="BAKRI^OMAR", birth_date="2019-07-12", sex="M")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def doctor(store: Store) -> int:
    with store.writing() as session:
        session.add(user := tables.User(name="amal", role="clinician", password="x"))
    return user.id


def arrived(store: Store, said: Identity, *, study: str = "1.2.3", sop: str = "", content: str = "") -> int:
    """A film that came and was read; its number."""
    with store.writing() as session:
        count = len(session.scalars(select(Film.id)).all()) + 1
        digest = f"{count:064x}"
        columns: dict[str, object] = {"kind": "dicom", "origin": "dicom", "sop_uid": sop or f"1.2.9.{count}", "size": 1}
        film, new = films.register(session, films.Arrival(digest, content or digest, columns, {"uid": study}, said))
        assert new
        films.keep_reading(
            session,
            film,
            tables.FilmReading(
                reader="tiny 1", reader_file="f" * 64, operating_point="p", threshold=0.5, status="suspected",
                probability=0.9, codes=[], reasons=[], warnings=[], line={}, elapsed_ms=1.0, pixels="same",
            ),
        )  # fmt: skip
        return film.id


def shown(store: Store) -> dict[int, tuple[str, str]]:
    """Film -> name and state of its identity, as pages show them."""
    with store.reading() as session:
        return {
            film.id: (identities.identity_of(film.study.patient).name, film.identity)
            for film in session.scalars(select(Film))
        }


def waiting(store: Store) -> set[str]:
    with store.reading() as session:
        return set(session.scalars(select(Job.key).where(Job.kind == "results", Job.state == "waiting")))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (Identity("17", name="Amina Hassan", birth_date="2022-03-01"), True),
        (Identity("17", name="أمينة حسن", sex="F"), True),
        (Identity("17", name="AMINAH^HASAN^ALI"), True),
        (Identity("17", birth_date="2022-03-01"), True),
        (Identity("17", name="HASSAN^AMINA", birth_date="2021-03-01"), False),
        (Identity("17", name="HASSAN^AMINA", sex="M"), False),
        (Identity("17", name="HASSAN^AHMED", sex="F"), False),
        (Identity("17", name="BAKRI^OMAR"), False),
        (Identity("17"), False),
        (Identity("17", sex="F"), False),
    ],
)
def test_a_number_and_agreeing_facts_make_one_person(other: Identity, same: bool) -> None:
    assert identities.agree(AMINA, other) is same
    assert identities.agree(other, AMINA) is same


@pytest.mark.parametrize(
    ("latin", "arabic"),
    [
        ("MOHAMMED^AHMED", "محمد أحمد"),
        ("ELTAYEB^FATIMA", "فاطمة الطيب"),
        ("ABDALLA^KHALID", "خالد عبدالله"),
        ("Osman^Yasir", "ياسر عسمان"),
        ("GASIM^AYA", "آية قاسم"),
    ],
)
def test_a_name_is_the_same_in_both_scripts(latin: str, arabic: str) -> None:
    assert identities.agree(Identity("1", name=latin), Identity("1", name=arabic))


def test_numbers_alone_decide_where_nobody_has_a_name() -> None:
    assert identities.agree(Identity("K-12"), Identity("K-12", sex="F"))
    assert not identities.agree(Identity("K-12", sex="M"), Identity("K-12", sex="F"))


def test_another_person_under_the_same_number_keeps_her_name_and_waits_for_a_decision(store: Store) -> None:
    first, second = arrived(store, OMAR), arrived(store, AMINA, study="1.2.4")
    assert shown(store) == {first: (OMAR.name, "sent"), second: (AMINA.name, "contradicted")}
    again = arrived(store, AMINA, study="1.2.5")
    assert shown(store)[again] == (AMINA.name, "contradicted")
    with store.reading() as session:
        assert [(c.kind, c.film_id, c.other_id) for c in identities.open_contradictions(session)] == [
            ("number", second, first)
        ]
        for film in (first, second, again):
            assert len(identities.open_contradictions(session, film)) == 1
        assert films.prior_films(session, session.get_one(Film, first)) == []
        assert [f.id for f in films.prior_films(session, session.get_one(Film, again))] == [second]


def test_two_that_are_kept_apart_get_their_results_and_are_not_asked_about_again(store: Store, doctor: int) -> None:
    first, second = arrived(store, OMAR), arrived(store, AMINA, study="1.2.4")
    assert waiting(store) == set()
    with store.writing() as session:
        (contradiction,) = identities.open_contradictions(session)
        changed = identities.keep_apart(session, contradiction, doctor, "two children")
        assert [film.id for film in changed] == [second]
        assert (contradiction.decision, contradiction.user_id, contradiction.note) == ("apart", doctor, "two children")
        assert contradiction.decided_at is not None
    assert waiting(store) == {"2"}
    third = arrived(store, AMINA, study="1.2.6")
    assert shown(store) == {first: (OMAR.name, "sent"), **dict.fromkeys((second, third), (AMINA.name, "sent"))}


@pytest.mark.parametrize("into_later", [False, True])
def test_two_that_are_merged_are_one_person_and_the_results_follow(store: Store, doctor: int, into_later: bool) -> None:
    first, second = arrived(store, OMAR), arrived(store, AMINA, study="1.2.4")
    with store.writing() as session:
        (contradiction,) = identities.open_contradictions(session)
        moved = identities.merge(session, contradiction, doctor, into_later=into_later)
        assert [film.id for film in moved] == [first if into_later else second]
    right, changed = (AMINA, first) if into_later else (OMAR, second)
    assert {name for name, _ in shown(store).values()} == {right.name}
    with store.reading() as session:
        (correction,) = identities.corrections(session, changed)
        assert correction.after["name"] == right.name and correction.before["name"] != right.name
        assert len(session.scalars(select(tables.Patient)).all()) == 1
        assert f"{changed}/identity:{correction.id}" in waiting(store)
        assert identities.open_contradictions(session) == []
        # What it came with is kept, whatever was decided.
        came = session.get_one(Film, second).came_as
        assert came is not None and came["name"] == AMINA.name


def test_one_examination_of_two_people_is_a_contradiction(store: Store) -> None:
    first = arrived(store, OMAR)
    second = arrived(store, Identity("18", name="HASSAN^AMINA"))
    assert shown(store) == {first: (OMAR.name, "sent"), second: (AMINA.name, "contradicted")}
    with store.reading() as session:
        assert [c.kind for c in identities.open_contradictions(session)] == ["study"]


def test_a_corrected_film_is_shown_under_its_new_identity_and_its_results_are_sent(store: Store, doctor: int) -> None:
    wrong = arrived(store, Identity("99", name="WRONG^PERSON"), sop="1.2.77")
    right = arrived(store, AMINA, sop="1.2.77")
    assert shown(store)[right] == (AMINA.name, "contradicted")
    with store.writing() as session:
        (contradiction,) = identities.open_contradictions(session)
        assert (contradiction.kind, contradiction.film_id, contradiction.other_id) == ("instance", right, wrong)
        identities.merge(session, contradiction, doctor, "the number was mistyped", into_later=True)
    assert {name for name, _ in shown(store).values()} == {AMINA.name}
    with store.reading() as session:
        film = session.get_one(Film, right)
        reading = films.newest_reading(session, right)
        assert reading is not None and films.answers_the_pacs(film, reading)
    assert str(right) in waiting(store)


def test_a_film_without_a_number_keeps_its_name_and_one_of_nobody_can_be_named(store: Store, doctor: int) -> None:
    named, nobody = arrived(store, Identity(name="BAKRI^OMAR")), arrived(store, identities.NOBODY, study="1.2.8")
    assert shown(store) == {named: ("BAKRI^OMAR", "sent"), nobody: ("", "unknown")}
    with store.writing() as session:
        film = session.get_one(Film, nobody)
        with pytest.raises(ValueError, match="number or a name"):
            identities.correct(session, film, Identity(sex="F"), doctor)
        signed = identities.correct(session, film, AMINA, doctor, "asked the mother", age_years=4.0)
        assert (film.identity, film.age_years, film.sex) == ("signed", 4.0, "F")
    assert shown(store)[nobody] == (AMINA.name, "signed")
    assert f"{nobody}/identity:{signed.id}" in waiting(store)


def test_a_pacs_that_keeps_results_under_the_wrong_person_is_named(store: Store, doctor: int) -> None:
    film = arrived(store, OMAR)
    with store.writing() as session:
        deliveries.set_destinations(session, {"PACS": ["sr"], "ARCHIVE": ["sr"]})
        made = tables.Result(
            reading_id=1, kind="sr", sop_uid="2.25.1", sop_class="1.2", series_uid="2.25.2", file="0" * 64, size=1
        )
        session.add(made)
        session.flush()
        deliveries.enqueue(session, [made])
        session.flush()
        ((sent, _),) = deliveries.to_send(session, "PACS", 1)
        deliveries.mark_sent(session, [sent.id])
        assert deliveries.misfiled(session, film) == []
        identities.correct(session, session.get_one(Film, film), AMINA, doctor)
        ((_, there, result),) = deliveries.misfiled(session, film)
        assert (there.name, result.sop_uid) == ("PACS", "2.25.1")
        waiting_there = [
            delivery for delivery, where, _ in deliveries.of_film(session, film) if where.name == "ARCHIVE"
        ]
        assert [delivery.state for delivery in waiting_there] == ["cancelled"]


def test_a_correction_to_the_number_of_another_person_is_asked_about(store: Store, doctor: int) -> None:
    arrived(store, OMAR)
    wrong = arrived(store, Identity("55", name="HASSAN^AMINA"), study="1.2.8")
    with store.writing() as session:
        identities.correct(session, session.get_one(Film, wrong), AMINA, doctor)
    with store.reading() as session:
        assert [c.kind for c in identities.open_contradictions(session, wrong)] == ["number"]
    assert shown(store)[wrong] == (AMINA.name, "contradicted")


def test_every_change_of_a_film_has_a_later_time_than_all_before(store: Store, doctor: int) -> None:
    numbers = [arrived(store, AMINA, study=f"1.3.{n}") for n in range(3)]
    with store.writing() as session:
        times = [session.get_one(Film, n).updated_at for n in numbers]
        assert times == sorted(set(times))
        first = session.get_one(Film, numbers[0])
        reading = films.newest_reading(session, first.id)
        assert reading is not None
        films.sign(session, tables.Verdict(film_id=first.id, reading_id=reading.id, user_id=doctor, agreement="agree"))
        assert first.updated_at > times[-1]


def test_a_database_of_the_version_before_is_brought_up_to_date_with_its_films(tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    from ai_for_sudan.clinic.store import DATABASE, database

    file = tmp_path / DATABASE
    old = Config()
    old.set_main_option("script_location", str(database.MIGRATIONS))
    old.attributes["file"] = file
    command.upgrade(old, "0001")
    with sqlite3.connect(file) as connection:
        connection.executescript(
            """
            INSERT INTO patients VALUES (1, '17', '', 'HASSAN^AMINA', '2022-03-01', 'F');
            INSERT INTO studies VALUES (1, '1.2.3', 1, 'A1', '', '2026-01-01', '', '', '2026-01-01T00:00:00.000000Z');
            """
        )
        for number in (1, 2):
            connection.execute(
                "INSERT INTO films (id, study_id, file, content, size, kind, origin, source, sop_uid, sop_class, "
                "series_uid, transfer_syntax, modality, view, sex, arrived_at, on_worklist, status, urgency, review) "
                "VALUES (?, 1, 'f', ?, 1, 'dicom', 'dicom', '', ?, '', '', '', '', '', '', "
                "'2026-01-01T00:00:00.000000Z', 1, 'waiting', 5, 'open')",
                (number, f"c{number}", f"1.2.{number}"),
            )
        connection.executescript(
            """
            INSERT INTO readings (id, film_id, reader, reader_file, operating_point, threshold, status, codes, reasons,
              warnings, line, pixels, heatmap_reference, elapsed_ms, read_at) VALUES (1, 1, 'r 1', 'f', 'p', 0.5,
              'suspected', '[]', '[]', '[]', '{}', '', 1, 1, '2026-01-01T00:00:01.000000Z');
            INSERT INTO readings (id, film_id, reader, reader_file, operating_point, threshold, status, codes, reasons,
              warnings, line, pixels, heatmap_reference, elapsed_ms, read_at) VALUES (2, 1, 'r 2', 'g', 'p', 0.5,
              'suspected', '[]', '[]', '[]', '{"side": "left", "right_lung": 0.2, "abnormal": null,
              "not_seen_below": 0.1}', '', 1, 1, '2026-01-01T00:00:01.000000Z');
            INSERT INTO results VALUES (1, 1, 'sr', '2.25.1', '1.2', '2.25.2', 'x', 1, '2026-01-01T00:00:01.000000Z');
            INSERT INTO destinations VALUES (1, 'PACS', '["sr"]', 1, NULL, '', NULL, 0, '2026-01-01T00:00:01.000000Z');
            INSERT INTO deliveries (id, destination_id, result_id, state, attempts, due_at, error, created_at)
              VALUES (1, 1, 1, 'sent', 1, '2026-01-01T00:00:01.000000Z', '', '2026-01-01T00:00:01.000000Z');
            """
        )
    connection.close()
    with Store.open(tmp_path) as store, store.writing() as session:
        first, second = (session.get_one(Film, number) for number in (1, 2))
        assert first.study.patient is not None and first.study.patient.name == "HASSAN^AMINA"
        assert first.identity == "sent"
        assert first.came_as is not None and Identity(**first.came_as) == AMINA
        assert first.updated_at > second.updated_at  # it was read later than the other one came
        before, after = session.scalars(select(tables.FilmReading).order_by(tables.FilmReading.id))
        assert (before.side, before.not_seen_below) == (None, None)
        assert (after.side, after.right_lung, after.abnormal, after.not_seen_below) == ("left", 0.2, None, 0.1)
        (delivery,) = session.scalars(select(tables.Delivery))
        assert (delivery.state, delivery.destination.confirmation, delivery.uncertain) == ("sent", "query", False)
        session.add(tables.Patient(identifier="17"))  # two people may have one number now
