"""The worklist and the pages of one film: what comes first, what settles a dispute, whose film it is."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import numpy as np
import pytest
from dicom_film import dicom
from PIL import Image

from ai_for_sudan.clinic.store import films, tables
from tests.clinic.web.conftest import SAMPLES, Clinic, Person


def add(clinic: Clinic, status: str, *codes: str, number: str = "", **columns: object) -> int:
    """A film as if it had been read: its row, its reading, its patient."""
    with clinic.store.writing() as session:
        count = session.query(tables.Film).count()
        patient = tables.Patient(identifier=number, name=str(columns.pop("name", ""))) if number else None
        film = tables.Film(
            study=tables.Study(uid=f"1.2.{count}", patient=patient, date="2026-11-02", time="10:15:00"),
            file=f"{count:064x}", content=f"{count:064x}", size=1, kind="dicom", origin="dicom",
            sop_uid=f"1.2.3.{count}", **columns,
        )  # fmt: skip
        session.add(film)
        session.flush()
        reading = tables.FilmReading(
            reader="r", reader_file="f", operating_point="default", threshold=0.5, status=status, codes=list(codes),
            probability=None if status in ("refused", "failed") else 0.5, reasons=[], warnings=[], line={},
            elapsed_ms=1.0,
        )  # fmt: skip
        films.keep_reading(session, film, reading)
        return film.id


def listed(client: Person, **chosen: object) -> list[dict[str, object]]:
    answer = client.post("/api/worklist", json={"view": "open", **chosen})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["rows"])


def sign(clinic: Clinic, client: Person, film: int, agreement: str, **more: str) -> str:
    reading = client.get(f"/api/films/{film}").json()["reading"]["id"]
    body = {"reading": reading, "agreement": agreement, **more}
    answer = client.post(f"/api/films/{film}/verdicts", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["review"])


def test_danger_stands_first_then_what_is_suspected_then_what_is_disputed(clinic: Clinic) -> None:
    client, other = clinic.person("amina"), clinic.person("omar")
    seen = add(clinic, "not_seen")
    disputed = add(clinic, "not_seen")
    uncertain = add(clinic, "uncertain", "abstained")
    suspected = add(clinic, "suspected")
    white = add(clinic, "uncertain", "white_side")
    sign(clinic, client, disputed, "agree")
    assert sign(clinic, other, disputed, "disagree") == "split"
    rows = listed(client)
    assert [row["id"] for row in rows] == [white, suspected, disputed, uncertain, seen]
    assert [row["at_once"] for row in rows] == [["white_side"], [], [], [], []]


@pytest.mark.parametrize(
    ("opinions", "review"),
    [
        ([("agree", ""), ("disagree", "")], "split"),
        ([("agree", ""), ("disagree", ""), ("disagree", "")], "disagree"),
        ([("agree", ""), ("disagree", ""), ("unsure", "")], "split"),
        ([("agree", ""), ("disagree", "negative")], "disagree"),
        ([("unsure", "positive"), ("disagree", "")], "agree"),
        ([("agree", "positive"), ("disagree", "negative")], "split"),
    ],
)
def test_a_third_opinion_or_a_final_diagnosis_settles_a_dispute(
    clinic: Clinic, opinions: list[tuple[str, str]], review: str
) -> None:
    film = add(clinic, "suspected")
    for name, (agreement, diagnosis) in zip(("amina", "omar", "huda"), opinions, strict=False):
        found = sign(clinic, clinic.person(name), film, agreement, diagnosis=diagnosis)
    assert found == review
    client = clinic.nobody().log_in("amina")
    assert [row["id"] for row in listed(client, view="disputed")] == ([film] if review == "split" else [])
    assert [row["id"] for row in listed(client, view="done")] == ([] if review == "split" else [film])


@pytest.mark.parametrize(("kept", "typed"), [("P-1047", "١٠٤٧"), ("P-١٠٤٧", "1047"), ("P-1047", "۱۰۴۷")])
def test_digits_of_both_scripts_find_each_other(clinic: Clinic, kept: str, typed: str) -> None:
    film = add(clinic, "suspected", number=kept)
    add(clinic, "suspected", number="P-2000")
    assert [row["id"] for row in listed(clinic.person("amina"), search=typed)] == [film]


def test_a_shift_counts_what_came_since_it_began(clinic: Clinic) -> None:
    client = clinic.person("amina")
    start = tables.now()
    add(clinic, "suspected", arrived_at=start - timedelta(hours=2))
    late = add(clinic, "uncertain", "one_lung", arrived_at=start + timedelta(seconds=1))
    add(clinic, "not_seen", arrived_at=start + timedelta(seconds=2))
    body = {"view": "open", "shift": start.isoformat(), "since": start.isoformat(), "status": "uncertain"}
    answer = client.post("/api/worklist", json=body).json()
    assert json.dumps(answer["shift"]) == '{"unread": 2, "disputed": 0, "at_once": 1}'  # numbers, and no truth values
    assert [row["id"] for row in answer["rows"]] == [late]
    assert client.post("/api/worklist", json={"view": "open", "since": "2026-11-02T07:00"}).status_code == 400


def test_a_thumbnail_is_small_leaves_no_trail_and_goes_with_its_film(clinic: Clinic, film: bytes) -> None:
    number = clinic.film(film)
    client = clinic.person("huda", "viewer")
    answer = client.get(f"/api/films/{number}/thumbnail")
    assert answer.headers["content-type"] == "image/jpeg" and answer.headers["cache-control"] == "no-store"
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert max(picture.size) == 160
    assert clinic.trail("film.seen") == []
    with clinic.store.writing() as session:
        session.get_one(tables.Film, number).deleted_at = tables.now()
    assert client.get(f"/api/films/{number}/thumbnail").status_code == 410


def test_a_picture_is_named_when_it_is_added_and_mended_later_signed(clinic: Clinic, film: bytes) -> None:
    client = clinic.person("amina")
    known = {"number": "H-77", "name": "منى إدريس", "sex": "F", "age_years": 1.5}
    headers = {"X-File-Name": quote("H-77 منى.png"), "X-Patient": quote(json.dumps(known))}
    number = client.post("/api/films", content=film, headers=headers).json()["film"]
    clinic.read(number)
    (row,) = listed(client, films=[number])
    assert {key: row[key] for key in ("patient", "name", "sex", "age_years", "file_name", "identity")} == {
        "patient": "H-77", "name": "منى إدريس", "sex": "F", "age_years": 1.5, "file_name": "H-77 منى.png",
        "identity": "sent",
    }  # fmt: skip
    assert client.post("/api/films", content=film, headers={"X-Patient": '{"age_years": 300}'}).status_code == 400
    right = {"number": "H-78", "name": "Idris^Muna", "note": "request form"}
    assert client.post(f"/api/films/{number}/identity", json={"note": "x"}).status_code == 400
    assert client.post(f"/api/films/{number}/identity", json=right).json() == {"identity": "signed"}
    (row,) = listed(client)
    assert (row["patient"], row["name"]) == ("H-78", "Idris^Muna")
    (entry,) = clinic.trail("identity.corrected")
    assert entry.actor == "user:amina" and "H-7" not in entry.subject + entry.detail
    viewer = clinic.person("huda", "viewer")
    assert viewer.post(f"/api/films/{number}/identity", json=right).status_code == 403


def test_a_pseudonymised_clinic_keeps_no_name_that_a_person_types(start: Callable[..., Clinic], film: bytes) -> None:
    clinic = start(storage={"pseudonymise": True})
    number = clinic.film(film)
    client = clinic.person("amina")
    client.post(f"/api/films/{number}/identity", json={"number": "H-77", "name": "Idris^Muna"})
    (row,) = listed(client)
    assert row["name"] == "" and row["patient"] not in ("", "H-77")


@pytest.mark.parametrize(
    ("decision", "names"), [("apart", ["BAKRI^OMAR", "IDRIS^MONA"]), ("merge", ["IDRIS^MONA"] * 2)]
)
def test_two_people_under_one_number_are_told_apart_or_merged_by_a_clinician(
    clinic: Clinic, decision: str, names: list[str]
) -> None:
    pixels = np.asarray(Image.open(SAMPLES / "pneumonia_02.png").convert("L"))
    for place, (name, sex) in enumerate((("IDRIS^MONA", "F"), ("BAKRI^OMAR", "M"))):
        content = io.BytesIO()
        tags = {"PatientName": name, "PatientID": "H-77", "PatientSex": sex, "StudyInstanceUID": f"1.2.{place}"}
        dicom(np.roll(pixels, place, 1), **tags).save_as(content, enforce_file_format=True)
        clinic.film(content.getvalue())
    client = clinic.person("amina")
    assert client.post("/api/worklist", json={"view": "open"}).json()["contradictions"] == 1
    (found,) = client.get("/api/identities").json()
    assert [row["name"] for row in found["films"]] == ["IDRIS^MONA", "BAKRI^OMAR"] and found["kind"] == "number"
    address = f"/api/identities/{found['id']}"
    assert clinic.person("huda", "viewer").post(address, json={"decision": decision}).status_code == 403
    assert client.post(address, json={"decision": decision, "note": "asked the mother"}).status_code == 200
    assert client.post(address, json={"decision": decision}).json()["error"] == "decided"
    assert client.get("/api/identities").json() == []
    assert sorted(str(row["name"]) for row in listed(client)) == names
    assert [row.actor for row in clinic.trail("identity.")] == ["user:amina"]
