"""DICOMweb of the clinic: films in, its own results out, asked by a client of the field and by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from clinic_parts import film, wait_for
from dicom_film import as_bytes
from pydicom import dcmread
from pydicom.dataset import Dataset
from sqlalchemy import select
from starlette.testclient import TestClient

from ai_for_sudan.clinic.clinic import Clinic
from ai_for_sudan.clinic.dicomweb import application
from ai_for_sudan.clinic.store.tables import Film, Result

EXPLICIT, JPEG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"


@pytest.fixture
def client(clinic: Clinic) -> Iterator[TestClient]:
    with TestClient(application(clinic)) as opened:
        yield opened


def stow(client: TestClient, *contents: bytes, study: str = "", boundary: str = "frontier") -> object:
    body = b"".join(
        b"--%s\r\nContent-Type: application/dicom\r\n\r\n%s\r\n" % (boundary.encode(), content) for content in contents
    )
    kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
    path = f"/studies/{study}" if study else "/studies"
    return client.post(path, content=body + f"--{boundary}--\r\n".encode(), headers={"Content-Type": kind})


def results(clinic: Clinic) -> list[Result]:
    def found() -> list[Result]:
        with clinic.store.reading() as session:
            rows = list(session.scalars(select(Result)))
            return rows if len(rows) == 2 else []

    return list(wait_for(found))


def test_films_come_in_and_each_is_answered_for_itself(clinic: Clinic, client: TestClient) -> None:
    one = film()
    answer = stow(client, as_bytes(one), b"not a film at all")
    assert answer.status_code == 202
    said = Dataset.from_json(answer.text)
    assert [entry.ReferencedSOPInstanceUID for entry in said.ReferencedSOPSequence] == [one.SOPInstanceUID]
    assert said.FailedSOPSequence[0].FailureReason == 0xC000
    assert stow(client, as_bytes(one)).status_code == 200
    assert stow(client, as_bytes(film(number=2)), study="1.2.3").status_code == 409
    with clinic.store.reading() as session:
        assert [row.origin for row in session.scalars(select(Film))] == ["stow"]
    # What the clinic makes of the film meanwhile passes through the same folder.
    assert wait_for(lambda: not list(clinic.store.films.incoming.iterdir()))


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"x", 415),
        ('multipart/related; type="application/dicom"', b"x", 415),
        ('multipart/related; type="application/dicom+xml"; boundary=x', b"--x--", 415),
        ('multipart/related; type="application/dicom"; boundary=x', b"no parts at all", 400),
        ('multipart/related; type="application/dicom"; boundary=x', b"--x\r\nbroken", 400),
    ],
)
def test_what_is_no_store_request_is_refused_and_leaves_nothing(
    clinic: Clinic, client: TestClient, kind: str, body: bytes, status: int
) -> None:
    assert client.post("/studies", content=body, headers={"Content-Type": kind}).status_code == status
    # What the clinic makes of the film meanwhile passes through the same folder.
    assert wait_for(lambda: not list(clinic.store.films.incoming.iterdir()))


def test_a_full_disk_is_said_so_that_the_sender_tries_again(clinic: Clinic, client: TestClient) -> None:
    clinic.store.films.keep_free = 1 << 60
    assert stow(client, as_bytes(film())).status_code == 503
    clinic.store.films.keep_free = 0
    assert stow(client, as_bytes(film())).status_code == 200


def test_own_results_are_found_and_films_are_not(clinic: Clinic, client: TestClient) -> None:
    one = film()
    stow(client, as_bytes(one))
    made = results(clinic)
    (study,) = client.get("/studies", params={"PatientID": "P1", "StudyDate": "20261101-20261101"}).json()
    assert study["0020000D"]["Value"] == [one.StudyInstanceUID]
    instances = client.get(f"/studies/{one.StudyInstanceUID}/instances").json()
    assert {entry["00080018"]["Value"][0] for entry in instances} == {row.sop_uid for row in made}
    assert one.SOPInstanceUID not in json.dumps(instances)
    assert len(client.get(f"/studies/{one.StudyInstanceUID}/series").json()) == 2
    assert len(client.get("/instances", params={"00080060": "SR"}).json()) == 1
    assert len(client.get("/instances", params={"limit": 1, "offset": 1}).json()) == 1
    assert client.get("/instances", params={"PatientID": "' OR 1=1 --"}).status_code == 204
    assert client.get("/instances", params={"Rows": "x"}).status_code == 400
    for name, count in (("TEST^FILM", 2), ("test*", 2), ("T?ST*", 2), ("T_ST*", 0), ("FILM", 0)):
        answer = client.get("/instances", params={"PatientName": name, "includefield": "PatientBirthDate"})
        assert len(answer.json() if answer.status_code == 200 else []) == count
    (found, _) = client.get("/instances", params={"PatientID": "P*", "includefield": "PatientBirthDate"}).json()
    assert found["00100030"]["Value"] == ["20230101"]
    (url,) = found["00081190"]["Value"]
    assert client.get(url.removeprefix("http://testserver")).status_code == 200
    picture = next(row for row in made if row.kind == "sc")
    rendered = f"/studies/{one.StudyInstanceUID}/series/{picture.series_uid}/instances/{picture.sop_uid}/rendered"
    answer = client.get(rendered)
    assert answer.headers["content-type"] == "image/jpeg" and answer.content[:3] == b"\xff\xd8\xff"
    path = f"/studies/{one.StudyInstanceUID}/series/{one.SeriesInstanceUID}/instances/{one.SOPInstanceUID}"
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("accept", "syntax"),
    [
        ('multipart/related; type="application/dicom"; transfer-syntax=*', JPEG),
        (f'multipart/related; type="application/dicom"; transfer-syntax={JPEG}', JPEG),
        ('multipart/related; type="application/dicom"', EXPLICIT),
        ("*/*", JPEG),
    ],
)
def test_a_result_is_given_in_the_coding_that_is_asked_for(
    clinic: Clinic, client: TestClient, accept: str, syntax: str
) -> None:
    one = film()
    stow(client, as_bytes(one))
    picture = next(row for row in results(clinic) if row.kind == "sc")
    path = f"/studies/{one.StudyInstanceUID}/series/{picture.series_uid}/instances/{picture.sop_uid}"
    answer = client.get(path, headers={"Accept": accept})
    assert answer.status_code == 200 and f"transfer-syntax={syntax}".encode() in answer.content
    from io import BytesIO

    start = answer.content.index(b"\r\n\r\n") + 4
    found = dcmread(BytesIO(answer.content[start:]))
    assert (found.SOPInstanceUID, found.file_meta.TransferSyntaxUID) == (picture.sop_uid, syntax)
    assert found.pixel_array.ndim == 3
    assert client.get(path, headers={"Accept": "image/png"}).status_code == 406
    assert client.get(f"{path}/metadata").json()[0]["00080018"]["Value"] == [picture.sop_uid]


def test_who_sent_a_film_is_in_the_trail(clinic: Clinic) -> None:
    inner = application(clinic)

    async def named(scope, receive, send):  # type: ignore[no-untyped-def]
        scope["who"] = SimpleNamespace(actor="user:amina", user=None, device_id=None)
        await inner(scope, receive, send)

    from ai_for_sudan.clinic.store.tables import TrailRow

    stow(TestClient(named), as_bytes(film()))
    with clinic.store.reading() as session:
        assert session.scalars(select(TrailRow.actor).where(TrailRow.act == "film.received")).one() == "user:amina"
