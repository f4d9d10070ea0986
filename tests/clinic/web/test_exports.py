"""What leaves the server: taken as it is by `adapt` and `monitor`, read by a hospital, without a name in it."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from ai_for_sudan.clinic.store import films, tables
from tests.clinic.web.conftest import PASSWORD, SAMPLES, Clinic, Person

NAME, NUMBER, ACCESSION = "Idris^Mona", "HOSP-4711", "ACC-99"


@pytest.fixture
def filled(clinic: Clinic) -> Clinic:
    """Eight films of four patients, half of them with a final diagnosis."""
    paths = [*sorted(SAMPLES.glob("normal*"))[:4], *sorted(SAMPLES.glob("pneumonia*"))[:4]]
    clinic.numbers = [clinic.film(path.read_bytes()) for path in paths]
    user = clinic.user("amina", "clinician", "Dr Amina")
    with clinic.store.writing() as session:
        patients = [tables.Patient(identifier=f"{NUMBER}-{n}", name=NAME) for n in range(4)]
        session.add_all(patients)
        session.flush()
        for place, number in enumerate(clinic.numbers):
            film = session.get_one(tables.Film, number)
            film.age_years, film.sex = 3.0, "F"
            study = session.get_one(tables.Study, film.study_id)
            study.patient_id, study.date, study.accession_number = patients[place % 4].id, "2026-11-02", ACCESSION
    client = clinic.nobody().log_in(user)
    for place, number in enumerate(clinic.numbers):
        reading = client.get(f"/api/films/{number}").json()["reading"]["id"]
        body = {"reading": reading, "agreement": "agree", "note": f"mother of {NAME}"}
        body["diagnosis"] = "" if place % 2 else ("positive" if place >= 4 else "negative")
        assert client.post(f"/api/films/{number}/verdicts", json=body).status_code == 200
    return clinic


def clinician(clinic: Clinic) -> Person:
    return clinic.nobody().log_in("amina")


def test_the_zip_is_taken_by_adapt_and_monitor_as_it_is(filled: Clinic, tmp_path: Path) -> None:
    answer = clinician(filled).get("/api/exports/site.zip")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "site")
    rows = list(csv.DictReader((tmp_path / "site" / "manifest.csv").read_text("utf-8-sig").splitlines()))
    assert [row["label"] for row in rows] == ["normal", "", "normal", "", "pneumonia", "", "pneumonia", ""]
    assert len({row["patient"] for row in rows}) == 4
    for command in (
        ["adapt", "--data_dir", "manifest.csv", "--site", "Test", "--reader", "mobilenet_v2", "--threads", "1"],
        ["monitor", "readings.jsonl"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "ai_for_sudan", *command], cwd=tmp_path / "site", capture_output=True, text=True
        )
        assert done.returncode in (0, 1), done.stderr
        if command[0] == "adapt":
            assert "8 films read (4 labelled), 0 refused, 0 excluded" in done.stdout
        else:
            assert "8 readings of" in done.stdout and "0 lines left out" in done.stdout
    # The same grey values give the same answer.
    first = filled.reader.reader.read(tmp_path / "site" / rows[4]["file"])
    assert first.probability == pytest.approx(float(rows[4]["probability"]), abs=1e-6)


def test_every_way_out_names_the_lung(filled: Clinic) -> None:
    lungs = {"side": "left", "right_lung": 0.1, "left_lung": 0.9, "abnormal": 0.95, "not_seen_below": 0.3}
    with filled.store.writing() as session:
        reading = films.newest_reading(session, 5)
        assert reading is not None
        for column, value in {**lungs, "status": "suspected"}.items():
            setattr(reading, column, value)
    client = clinician(filled)
    assert lungs.items() <= client.get("/api/films/5").json()["reading"].items()
    rows = client.post("/api/worklist", json={"view": "all"}).json()["rows"]
    assert {row["id"]: row["side"] for row in rows}[5] == "left"
    assert lungs.items() <= json.loads(client.get("/api/exports/readings.jsonl").text.splitlines()[4]).items()
    table = client.get("/api/exports/readings.csv").content.decode("utf-8-sig")
    assert list(csv.DictReader(io.StringIO(table)))[4]["side"] == "left"
    seen = client.get("/fhir/Observation/5").json()
    assert seen["bodySite"]["coding"][0]["display"] == "Left lung"
    shares = {part["code"]["text"]: part["valueQuantity"]["value"] for part in seen["component"][2:]}
    assert shares["probability in the left lung"] == 0.9
    conclusion = client.get("/fhir/DiagnosticReport/5").json()["conclusion"]
    assert conclusion.startswith("Pneumonia suspected (left lung). ")


@pytest.mark.parametrize("name", ["readings.csv", "readings.jsonl", "site.zip"])
def test_no_identifier_is_in_an_export_and_the_trail_tells_of_it(filled: Clinic, name: str) -> None:
    answer = clinician(filled).get(f"/api/exports/{name}")
    content = answer.content
    with filled.store.reading() as session:
        numbers = [film.sop_uid for film in session.query(tables.Film)] + [s.uid for s in session.query(tables.Study)]
    for secret in (NAME, NUMBER, ACCESSION, "mother", *numbers):
        assert secret.encode() not in content
    assert len(filled.trail("export")) == 1
    assert "attachment" in answer.headers["content-disposition"]


def test_a_cell_is_never_a_formula(filled: Clinic) -> None:
    with filled.store.writing() as session:
        for film in session.query(tables.Film):
            film.view = "=HYPERLINK(1)"
    text = clinician(filled).get("/api/exports/readings.csv").content.decode("utf-8-sig")
    assert {row["view"] for row in csv.DictReader(io.StringIO(text))} == {"'=HYPERLINK(1)"}


def test_json_lines_hold_what_monitor_needs(filled: Clinic) -> None:
    lines = [json.loads(line) for line in clinician(filled).get("/api/exports/readings.jsonl").text.splitlines()]
    assert len(lines) == 8
    assert all(line["verdict"] == "agree" and line["date"] == "2026-11-02" and line["embedding"] for line in lines)
    assert [line["reference"] for line in lines[:3]] == ["negative", None, "negative"]


def test_the_monthly_page(filled: Clinic) -> None:
    client = clinician(filled)
    answer = client.get("/monthly/2026-11")
    assert answer.status_code == 200, answer.text
    assert "text/html" in answer.headers["content-type"] and "mobilenet_v2" in answer.text
    assert "script-src" not in answer.headers["content-security-policy"]
    assert client.get("/monthly/2026-10").json()["error"] == "no_readings"
    for month in ("2026-13", "2999-01", "x"):
        assert client.get(f"/monthly/{month}").status_code == 404


def program(clinic: Clinic) -> httpx.Client:
    clinic.user("his", "viewer")
    client = httpx.Client(base_url=clinic.address, auth=("his", PASSWORD), timeout=30)
    clinic.open_clients.append(client)
    return client


def test_fhir_names_what_the_hospital_files_by(filled: Clinic) -> None:
    client = program(filled)
    number = filled.numbers[4]
    report = client.get(f"/fhir/DiagnosticReport/{number}").json()
    observation = client.get(f"/fhir/{report['result'][0]['reference']}").json()
    study = client.get(f"/fhir/{report['imagingStudy'][0]['reference']}").json()
    assert report["status"] == "partial" and report["subject"]["identifier"]["value"] == f"{NUMBER}-0"
    assert "Dr Amina: agree, positive" in report["conclusion"] and "not a diagnosis" in report["conclusion"]
    assert 0.5 < observation["valueQuantity"]["value"] <= 1 and observation["derivedFrom"]
    with filled.store.reading() as session:
        film = session.get_one(tables.Film, number)
        assert study["series"][0]["instance"][0]["uid"] == film.sop_uid
        assert study["identifier"][0]["value"] == f"urn:oid:{session.get_one(tables.Study, film.study_id).uid}"
    assert client.get("/fhir/metadata").json()["fhirVersion"] == "4.0.1"
    assert client.get("/fhir/DiagnosticReport/1").headers["content-type"] == "application/fhir+json"
    assert client.get("/fhir/Observation/999").status_code == 404


@pytest.mark.parametrize("kind", ["DiagnosticReport", "Observation", "ImagingStudy", "metadata"])
def test_every_fhir_resource_is_valid_r4(filled: Clinic, kind: str) -> None:
    resources = pytest.importorskip("fhir.resources.R4B", reason="fhir.resources is not installed")
    client = program(filled)
    with filled.store.writing() as session:  # one that was refused has no value, and says why
        reading = films.newest_reading(session, filled.numbers[1])
        assert reading is not None
        reading.status, reading.reasons = "refused", ["the film is upside down"]
    if kind == "metadata":
        found = [client.get("/fhir/metadata").json()]
    else:
        bundle = client.get(f"/fhir/{kind}?_count=100").json()
        resources.get_fhir_model_class("Bundle").model_validate(bundle)
        found = [entry["resource"] for entry in bundle["entry"]]
        assert len(found) == len(filled.numbers)
    for resource in found:
        model = resources.get_fhir_model_class(resource["resourceType"])
        model.model_validate(resource)
        with pytest.raises(ValueError, match="statuss"):  # the model is strict enough to see a slip
            model.model_validate({**resource, "statuss": "x"})


def test_fhir_is_read_in_pages_and_can_only_be_read(filled: Clinic) -> None:
    client = program(filled)
    seen, address = [], "/fhir/Observation?_count=3"
    while address:
        bundle = client.get(address).json()
        assert bundle["resourceType"] == "Bundle" and bundle["total"] == 8 - len(seen)
        seen += [entry["resource"]["id"] for entry in bundle.get("entry", [])]
        address = bundle["link"][0]["url"] if "link" in bundle else ""
    assert sorted(seen, key=int) == [str(number) for number in filled.numbers]
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert client.request(method, "/fhir/Observation/1").status_code == 405
    assert len(filled.trail("export.fhir")) == 8


def test_a_report_that_changed_comes_again_and_a_patient_is_found(filled: Clinic) -> None:
    client = program(filled)
    address = "/fhir/DiagnosticReport?_count=100"
    last = client.get(address).json()["link"][0]["url"]
    assert "entry" not in client.get(last).json()
    first = filled.numbers[0]
    with filled.store.writing() as session:
        reading = films.newest_reading(session, first)
        person = session.scalars(select(tables.User)).first()
        assert reading is not None and person is not None
        films.sign(
            session,
            tables.Verdict(film_id=first, reading_id=reading.id, user_id=person.id, agreement="agree"),
        )
        film = session.get_one(tables.Film, first)
        film.study.date, film.study.time = "2026-10-31", "10:15:00"
    (entry,) = client.get(last).json()["entry"]
    assert entry["resource"]["id"] == str(first) and "agree" in entry["resource"]["conclusion"]
    assert entry["resource"]["effectiveDateTime"].startswith("2026-10-31T10:15:00")
    assert int(entry["resource"]["meta"]["versionId"]) > 0
    found = client.get("/fhir/Observation", params={"patient:identifier": f"{NUMBER}-0"}).json()
    assert found["total"] >= 1
    for one in found["entry"]:
        assert one["resource"]["subject"]["identifier"]["value"] == f"{NUMBER}-0"
    assert client.get("/fhir/Observation", params={"patient:identifier": "nobody"}).json()["total"] == 0
    assert client.get("/fhir/Observation?_lastUpdated=yesterday").status_code == 400


def test_a_program_gives_its_password_each_time_and_only_for_what_programs_read(filled: Clinic) -> None:
    client = program(filled)
    assert client.get("/api/films/1").status_code == 401
    wrong = httpx.get(f"{filled.address}/fhir/Observation", auth=("his", "wrong"))
    assert wrong.status_code == 401 and wrong.headers["www-authenticate"].startswith("Basic")


def test_metrics_hold_no_patient(filled: Clinic) -> None:
    text = program(filled).get("/metrics").text
    assert 'ai_for_sudan_films{status="not_seen"} 4' in text and "ai_for_sudan_healthy 1" in text
    assert NUMBER not in text and NAME not in text
    assert filled.nobody().get("/health").json()["status"] == "ok"
