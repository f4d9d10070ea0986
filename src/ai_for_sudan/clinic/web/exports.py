"""What leaves this server for a person or another program of the project: no name, no number of a patient or an
examination; patients are told apart by a code that only this server can make."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse
from sqlalchemy import select

from ai_for_sudan.clinic.pseudonyms import Pseudonyms
from ai_for_sudan.clinic.store.tables import Film, FilmReading, Patient, Study, Verdict, now
from ai_for_sudan.clinic.store.trail import record
from ai_for_sudan.clinic.web.access import Call, Clinician
from ai_for_sudan.clinic.web.desk import Desk
from ai_for_sudan.clinic.web.films import png
from ai_for_sudan.clinic.web.values import gives
from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs import read_radiograph
from ai_for_sudan.reading import Card

router = APIRouter()
#: films read from the database at once
BATCH = 200
COLUMNS = ("read_at", "file", "label", "patient", "age", "sex", "view", "site", "status", "probability", "side",
           "right_lung", "left_lung", "abnormal", "operating_point", "not_seen_below", "suspected_from", "codes",
           "verdict", "reference", "note", "reader")  # fmt: skip
#: of a reading, as its columns are called
OF_A_READING = ("status", "probability", "side", "right_lung", "left_lung", "abnormal", "operating_point",
                "not_seen_below", "codes", "reader")  # fmt: skip


@router.get("/api/exports/readings.csv", **gives("text/csv"))
def table(call: Clinician) -> Response:
    """Give a table of all readings."""
    _note(call, "export.csv")
    return _download(_csv(call.desk), "text/csv; charset=utf-8", "readings.csv")


@router.get("/api/exports/readings.jsonl", **gives("application/x-ndjson"))
def lines(call: Clinician) -> Response:
    """Give JSON lines for `monitor`."""
    _note(call, "export.jsonl")
    return _download(json_lines(call.desk), "application/x-ndjson", "readings.jsonl")


@router.get("/api/exports/site.zip", **gives("application/zip"))
def site(call: Clinician) -> Response:
    """Give the films without their headers, and the manifest that `adapt` takes as it is."""
    _note(call, "export.site")
    return _download(_archive(call.desk), "application/zip", "site.zip")


def _note(call: Call, act: str) -> None:
    with call.desk.store.writing() as session:
        record(session, call.who.actor, act, films=session.query(Film).count())


def _download(content: Iterator[Any], kind: str, name: str) -> StreamingResponse:
    stamp = now().date().isoformat()
    return StreamingResponse(
        content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{stamp}-{name}"'}
    )


def entries(desk: Desk, *, with_line: bool = True) -> Iterator[tuple[str, dict[str, Any]]]:
    """``(SHA-256 of the film's file or "", entry)`` of every film that was read, oldest first, in constant memory."""
    pseudonyms = Pseudonyms(desk.store.folder)
    last = 0
    while True:
        with desk.store.reading() as session:
            found = session.execute(
                select(Film, FilmReading, Study, Patient)
                .join(FilmReading, FilmReading.film_id == Film.id)
                .join(Study, Film.study_id == Study.id)
                .outerjoin(Patient, Study.patient_id == Patient.id)
                .where(FilmReading.id > last)
                .order_by(FilmReading.id)
                .limit(BATCH)
            ).all()
            verdicts = {
                verdict.film_id: verdict
                for verdict in session.scalars(
                    select(Verdict)
                    .where(Verdict.film_id.in_([film.id for film, *_ in found]))
                    .order_by(Verdict.id)  # the newest one stands
                )
            }
        if not found:
            return
        for film, reading, study, patient in found:
            verdict = verdicts.get(film.id)
            line = reading.line if with_line else {}
            yield (
                "" if film.deleted_at else film.file,
                {
                    **{k: v for k, v in line.items() if k in ("logits", "gate", "embedding", "label")},
                    "file": f"films/{film.id:07d}.png",
                    "sha256": film.file,
                    "date": study.date or reading.read_at.date().isoformat(),
                    "read_at": reading.read_at.isoformat(),
                    "site": desk.config.site.name,
                    **{name: getattr(reading, name) for name in OF_A_READING},
                    "suspected_from": reading.threshold,
                    "patient": pseudonyms.of("patient", patient.identifier, patient.issuer)[:12] if patient else None,
                    "age": film.age_years,
                    "sex": film.sex,
                    "view": film.view,
                    "verdict": verdict.agreement if verdict else None,
                    "reference": (verdict.diagnosis or None) if verdict else None,
                },
            )
            last = reading.id


def json_lines(desk: Desk) -> Iterator[str]:
    """What `monitor` takes."""
    for _, entry in entries(desk):
        yield json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n"


def _csv(desk: Desk) -> Iterator[str]:
    yield "\ufeff"  # spreadsheets take Arabic for something else without it
    yield _row(COLUMNS)
    for _, entry in entries(desk, with_line=False):
        yield _row(_cells(entry, desk.card))


def _cells(entry: dict[str, Any], card: Card) -> list[str]:
    line = {**entry, "codes": " ".join(entry["codes"]), "label": class_of(entry["reference"], card), "note": ""}
    return [_cell(line[column]) for column in COLUMNS]


def class_of(standard: str | None, card: Card) -> str | None:
    """The class that the reference standard names; of three classes and more, "not the positive one" names none."""
    if standard == "positive":
        return card.positive
    if standard == "negative" and len(card.classes) == 2:
        return next(name for name in card.classes if name != card.positive)
    return None


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return str(value)
    text = " ".join(str(value).split())
    # A spreadsheet would run a cell that begins so as a formula.
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def _row(cells: Any) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()


def _archive(desk: Desk) -> Iterator[bytes]:
    """A zip, written as it is sent: of ten thousand films no more than one is in memory."""
    pipe = _Pipe()
    rows: list[str] = [_row(COLUMNS)]
    readings: list[str] = []
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
        seen: set[str] = set()
        for file, entry in entries(desk):
            readings.append(json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n")
            if not file or entry["file"] in seen:
                continue
            seen.add(entry["file"])
            try:
                with desk.pictures:
                    # The grey values that the reader saw, without a header: it reads them as it read the film.
                    content = png(read_radiograph(desk.store.films.path(file)).pixels)
            except UnreadableFilm:
                continue
            archive.writestr(entry["file"], content)
            rows.append(_row(_cells(entry, desk.card)))
            yield pipe.taken()
        archive.writestr("manifest.csv", "".join(rows))
        archive.writestr("readings.jsonl", "".join(readings))
        archive.writestr("README.txt", README)
    yield pipe.taken()


README = """Films of one clinic, without names: unpack, then

    ai-for-sudan adapt --data_dir manifest.csv --site "NAME OF THE CLINIC"
    ai-for-sudan monitor readings.jsonl

Films whose final diagnosis is known have a label; the others are used without one. A name that is written on the film
itself (burned into the picture) is still there: look at the films before they leave the clinic.
"""


class _Pipe(io.RawIOBase):
    """A file that only grows, and gives away what was written."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        content = bytes(piece)
        self._pieces.append(content)
        self._at += len(content)
        return len(content)

    def tell(self) -> int:
        return self._at

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
