"""The DICOM objects of one reading, with UIDs that follow from film and reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.uid import Comprehensive3DSRStorage, SecondaryCaptureImageStorage
from sqlalchemy.orm import Session

from ai_for_sudan.clinic.results.capture import decoded, secondary_capture
from ai_for_sudan.clinic.results.identifiers import names, source
from ai_for_sudan.clinic.results.report import structured_report
from ai_for_sudan.clinic.store import Store, deliveries, films
from ai_for_sudan.clinic.store.tables import Film, FilmReading, Result


@dataclass(frozen=True)
class Made:
    """One object: a whole DICOM file and what it is known by."""

    kind: str
    sop_uid: str
    sop_class: str
    series_uid: str
    content: bytes


def objects(film: Path, reading: FilmReading, pixels: np.ndarray | None = None, language: str = "en") -> list[Made]:
    """The structured report and the picture of a reading.

    Args:
        film: the DICOM file that was read.
        reading: with its heatmap.
        pixels: of the film, where it is decoded already.
        language: of the clinic, for the picture.
    """
    found = source(film, reading)
    sr, sc = (names(found.header, reading, kind) for kind in ("sr", "sc"))
    report = structured_report(found, reading, sr)
    shown = secondary_capture(found, reading, sc, decoded(film) if pixels is None else pixels, language)
    return [
        Made("sr", sr.sop, Comprehensive3DSRStorage, sr.series, report),
        Made("sc", sc.sop, SecondaryCaptureImageStorage, sc.series, shown),
    ]


def make_results(store: Store, reading: int, occasion: str = "", language: str = "en") -> None:
    """The job ``results``: make the DICOM objects of a reading, keep them, and have them sent everywhere."""
    with store.reading() as session:
        row = session.get_one(FilmReading, reading)
        film = session.get_one(Film, row.film_id)
        unpacked_row = films.copy_of(row)  # loads the deferred columns
        if film.deleted_at is not None:
            return
    made = objects(store.films.path(film.file), unpacked_row, language=language)
    digests = [store.results.keep(one.content) for one in made]
    with store.writing() as session:
        keep_results(session, session.get_one(FilmReading, reading), made, digests)


def keep_results(session: Session, reading: FilmReading, made: Sequence[Made], digests: Sequence[str]) -> None:
    """Have objects sent everywhere, whose files are kept under their SHA-256; what is there already stays."""
    kept = {result.kind: result for result in reading.results}
    for one, digest in zip(made, digests, strict=True):
        if one.kind not in kept:
            kept[one.kind] = result = Result(
                reading=reading, kind=one.kind, sop_uid=one.sop_uid, sop_class=one.sop_class,
                series_uid=one.series_uid, file=digest, size=len(one.content),
            )  # fmt: skip
            session.add(result)
    deliveries.enqueue(session, list(kept.values()))
