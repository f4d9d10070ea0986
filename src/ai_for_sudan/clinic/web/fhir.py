"""FHIR R4, read-only: a DiagnosticReport, an Observation and an ImagingStudy of each film that was read.

Here identifiers stand in full: the hospital's system files results by them. Spelt as hl7.org/fhir/R4 asks.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from ai_for_sudan.clinic.store import films
from ai_for_sudan.clinic.store.tables import Film, FilmReading, Patient, Study
from ai_for_sudan.clinic.store.trail import record
from ai_for_sudan.clinic.web.access import Call, Everybody, Program
from ai_for_sudan.clinic.web.refusals import Refusal
from ai_for_sudan.clinic.web.values import InPath, gives
from ai_for_sudan.reading import DISCLAIMER
from ai_for_sudan.reading.words import SIDE_WORDS, said_of
from ai_for_sudan.version import __version__

router = APIRouter()
KIND = "application/fhir+json"
LOINC, SNOMED, DCM = "http://loinc.org", "http://snomed.info/sct", "http://dicom.nema.org/resources/ontology/DCM"
LUNGS = {"right": "3341006", "left": "44029006", "both": "74101002"}
RESOURCES = ("DiagnosticReport", "Observation", "ImagingStudy")


def _answer(resource: dict[str, Any]) -> JSONResponse:
    return JSONResponse(resource, media_type=KIND)


@router.get("/fhir/metadata", **gives(KIND))
def metadata(call: Everybody) -> JSONResponse:
    """Say what this server can do (CapabilityStatement)."""
    return _answer(
        {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": "2026-01-01",
            "kind": "instance",
            "software": {"name": "AI for Sudan clinic", "version": __version__},
            "implementation": {"description": call.desk.config.site.name},
            "fhirVersion": "4.0.1",
            "format": ["json"],
            "rest": [
                {
                    "mode": "server",
                    "resource": [
                        {"type": name, "interaction": [{"code": "read"}, {"code": "search-type"}]} for name in RESOURCES
                    ],
                }
            ],
        }
    )


def _read(kind: str) -> None:
    @router.get(f"/fhir/{kind}/{{film}}", summary=f"{kind} of a film", **gives(KIND))
    def read(call: Program, film: InPath) -> JSONResponse:
        with call.desk.store.reading() as session:
            found = session.get(Film, film)
            reading = films.newest_reading(session, film) if found else None
            if found is None or reading is None:
                raise Refusal(404, "unknown", "there is no such resource")
            resource = MAKERS[kind](session, found, reading)
        _seen(call, film)
        return _answer(resource)

    @router.get(f"/fhir/{kind}", summary=f"Every {kind}, oldest first", **gives(KIND))
    def search(
        call: Program,
        count: Annotated[int, Query(alias="_count", ge=1, le=100)] = 50,
        changed: Annotated[
            str, Query(alias="_lastUpdated", max_length=60, description="gt or ge, and a time with its offset")
        ] = "",
        patient: Annotated[str, Query(alias="patient:identifier", max_length=130, description="[issuer|]number")] = "",
    ) -> JSONResponse:
        base = str(call.request.base_url)
        # By name: SQLAlchemy would take both tables of the outer query away from the inner one.
        newest = (
            select(func.max(FilmReading.id)).where(FilmReading.film_id == Film.id).correlate(Film).scalar_subquery()
        )
        chosen = select(Film, FilmReading).join(FilmReading, FilmReading.id == newest).where(*_since(changed))
        if patient:
            issuer, bar, number = patient.rpartition("|")
            whose = (Patient.identifier == number) & ((Patient.issuer == issuer) if bar else (Patient.id > 0))
            chosen = chosen.join(Study, Film.study_id == Study.id).join(Patient).where(whose)
        with call.desk.store.reading() as session:
            total = session.scalar(select(func.count()).select_from(chosen.subquery()))
            found = session.execute(chosen.order_by(Film.updated_at).limit(count)).all()
            entries = [
                {"fullUrl": f"{base}fhir/{kind}/{film.id}", "resource": MAKERS[kind](session, film, reading)}
                for film, reading in found
            ]
        for film, _ in found:
            _seen(call, film.id)
        bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "total": total}
        if found:
            after = {"_count": count, "_lastUpdated": f"gt{_moment(found[-1][0])}"}
            after |= {"patient:identifier": patient} if patient else {}
            bundle["link"] = [{"relation": "next", "url": f"{base}fhir/{kind}?{urlencode(after)}"}]
            bundle["entry"] = entries
        return _answer(bundle)


def _since(changed: str) -> list[ColumnElement[bool]]:
    """Films that changed since a time, in the words of a FHIR search (prefix ``gt`` or ``ge``)."""
    if not changed:
        return []
    prefix, moment = (changed[:2], changed[2:]) if changed[:2] in ("gt", "ge") else ("", changed)
    try:
        # A plus sign that was not written as %2B has become a space on the way.
        at = datetime.fromisoformat(moment.replace("Z", "+00:00").replace(" ", "+"))
        at = at if at.tzinfo else at.replace(tzinfo=timezone.utc)
    except ValueError:
        prefix = ""
    if not prefix:
        raise Refusal(400, "invalid", "_lastUpdated is gt or ge and a time, such as gt2026-11-01T08:00:00Z")
    return [Film.updated_at > at if prefix == "gt" else Film.updated_at >= at]


def _moment(film: Film) -> str:
    return film.updated_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _meta(film: Film) -> dict[str, str]:
    """The version: it grows with every reading, verdict and correction, over all films."""
    return {"versionId": str(int(film.updated_at.timestamp() * 1_000_000)), "lastUpdated": _moment(film)}


def _examined(session: Session, film: Film) -> dict[str, str]:
    """When the film was taken, as far as its header says so: the device's time is the clinic's."""
    study = session.get_one(Study, film.study_id)
    if study.date and study.time:
        try:
            return {"effectiveDateTime": datetime.fromisoformat(f"{study.date}T{study.time}").astimezone().isoformat()}
        except ValueError:  # a header may hold 25:61
            pass
    return {"effectiveDateTime": study.date} if study.date else {}


def _seen(call: Call, film: int) -> None:
    with call.desk.store.writing() as session:
        record(session, call.who.actor, "export.fhir", f"film:{film}")


def _subject(session: Session, film: Film) -> dict[str, Any]:
    study = session.get_one(Study, film.study_id)
    patient = session.get(Patient, study.patient_id) if study.patient_id else None
    if patient is None:
        return {"display": "unknown"}
    identifier = {"value": patient.identifier} | ({"assigner": {"display": patient.issuer}} if patient.issuer else {})
    return {"type": "Patient", "identifier": identifier}


def _coding(system: str, code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def _said(reading: FilmReading) -> str:
    return said_of(reading.status, reading.side).capitalize()


def _share(value: float | None) -> dict[str, Any]:
    return {"value": round(float(value or 0), 4), "system": "http://unitsofmeasure.org", "code": "1"}


def observation(session: Session, film: Film, reading: FilmReading) -> dict[str, Any]:
    """The reader's probability, or why there is none."""
    read = reading.status not in ("refused", "failed") and reading.probability is not None
    resource: dict[str, Any] = {
        "resourceType": "Observation",
        "id": str(film.id),
        "meta": _meta(film),
        # A machine's word is preliminary until people have signed and are of one mind.
        "status": "final" if film.review in ("agree", "disagree") else "preliminary",
        "category": [
            _coding("http://terminology.hl7.org/CodeSystem/observation-category", "imaging", "Imaging"),
        ],
        "code": _coding(SNOMED, "233604007", "Pneumonia") | {"text": "Probability of pneumonia on a chest X-ray"},
        "subject": _subject(session, film),
        **_examined(session, film),
        "device": {"display": f"{reading.reader} ({reading.reader_file[:12]})"},
        "derivedFrom": [{"reference": f"ImagingStudy/{film.id}"}],
        "note": [{"text": f"{_said(reading)}. {DISCLAIMER}"}],
        "component": [
            {"code": {"text": "status"}, "valueString": reading.status},
            {
                "code": {"text": "operating point"},
                "valueString": f"{reading.operating_point} ({reading.threshold:.4f})",
            },
        ],
    }
    if reading.side:
        resource["bodySite"] = _coding(SNOMED, LUNGS[reading.side], SIDE_WORDS[reading.side].capitalize())
    if read:
        resource["valueQuantity"] = _share(reading.probability)
        resource["component"] += [
            {"code": {"text": name}, "valueQuantity": _share(value)}
            for name, value in (
                ("probability in the right lung", reading.right_lung),
                ("probability in the left lung", reading.left_lung),
                ("probability that the lungs are abnormal in any way", reading.abnormal),
            )
            if value is not None
        ]
    else:
        resource["dataAbsentReason"] = _coding(
            "http://terminology.hl7.org/CodeSystem/data-absent-reason", "error", "Error"
        ) | {"text": "; ".join(reading.reasons)[:500] or _said(reading)}
    return resource


def report(session: Session, film: Film, reading: FilmReading) -> dict[str, Any]:
    """The film's report: preliminary, with the verdicts that people signed as its conclusion."""
    signed = films.current_verdicts(session, film.id)
    said = [
        f"{verdict.user.full_name or verdict.user.name}: {verdict.agreement}"
        + (f", {verdict.diagnosis}" if verdict.diagnosis else "")
        + (f" ({verdict.note})" if verdict.note else "")
        for verdict in signed
    ]
    study = session.get_one(Study, film.study_id)
    return {
        "resourceType": "DiagnosticReport",
        "id": str(film.id),
        "meta": _meta(film),
        **({"identifier": [{"type": {"text": "accession"}, "value": study.accession_number}]}
           if study.accession_number else {}),
        "status": "preliminary" if not signed else "partial",
        "category": [_coding("http://terminology.hl7.org/CodeSystem/v2-0074", "RAD", "Radiology")],
        "code": _coding(LOINC, "36554-4", "XR Chest Single view"),
        "subject": _subject(session, film),
        **_examined(session, film),
        "issued": reading.read_at.isoformat(),
        "result": [{"reference": f"Observation/{film.id}"}],
        "imagingStudy": [{"reference": f"ImagingStudy/{film.id}"}],
        "conclusion": ". ".join([_said(reading), *said, DISCLAIMER]),
    }  # fmt: skip


def imaging_study(session: Session, film: Film, reading: FilmReading) -> dict[str, Any]:
    """Where the film lies in the PACS."""
    study = session.get_one(Study, film.study_id)
    started = f"{study.date}" if study.date else None
    return {
        "resourceType": "ImagingStudy",
        "id": str(film.id),
        "meta": _meta(film),
        "identifier": [
            {"system": "urn:dicom:uid", "value": f"urn:oid:{study.uid}"},
            *([{"type": {"text": "accession"}, "value": study.accession_number}] if study.accession_number else []),
        ],
        "status": "available" if film.deleted_at is None else "cancelled",
        "subject": _subject(session, film),
        **({"started": started} if started else {}),
        "numberOfSeries": 1,
        "numberOfInstances": 1,
        "series": [
            {
                "uid": film.series_uid or film.sop_uid,
                "modality": {"system": DCM, "code": film.modality or "OT"},
                "instance": [
                    {
                        "uid": film.sop_uid,
                        "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{film.sop_class}"},
                    }
                ],
            }
        ],
    }


MAKERS = {"DiagnosticReport": report, "Observation": observation, "ImagingStudy": imaging_study}
for _kind in RESOURCES:
    _read(_kind)
