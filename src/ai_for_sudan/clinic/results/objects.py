"""The DICOM objects of one reading, with UIDs that follow from film and reader."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from ai_for_sudan.clinic.results.evidence import evidence, names
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


def objects(film: Path, reading: FilmReading) -> list[Made]:
    """The structured report and the picture of a reading.

    Args:
        film: the DICOM file that was read.
        reading: with its heatmap.
    """
    from ai_for_sudan.clinic.results.capture import secondary_capture
    from ai_for_sudan.clinic.results.report import structured_report

    header = evidence(film)
    made = []
    for kind, make in (("sr", structured_report), ("sc", secondary_capture)):
        named = names(header, reading, kind)
        dataset = make(header, film, reading, named)
        # When the film was read, not when this object was made: made twice, it is the same object.
        for keyword in ("ContentDate", "InstanceCreationDate", "SeriesDate"):
            setattr(dataset, keyword, reading.read_at.astimezone().strftime("%Y%m%d"))
        for keyword in ("ContentTime", "InstanceCreationTime", "SeriesTime"):
            setattr(dataset, keyword, reading.read_at.astimezone().strftime("%H%M%S"))
        dataset.TimezoneOffsetFromUTC = reading.read_at.astimezone().strftime("%z")
        file = io.BytesIO()
        dataset.save_as(file, enforce_file_format=True)
        made.append(Made(kind, named.sop, str(dataset.SOPClassUID), named.series, file.getvalue()))
    return made


def make_results(store: Store, reading: int) -> None:
    """The job ``results``: make the DICOM objects of a reading, keep them, and have them sent everywhere."""
    with store.reading() as session:
        row = session.get_one(FilmReading, reading)
        film = session.get_one(Film, row.film_id)
        unpacked_row = films.copy_of(row)  # loads the deferred columns
        if film.deleted_at is not None:
            return
    made = [(one, store.results.keep(one.content)) for one in objects(store.films.path(film.file), unpacked_row)]
    with store.writing() as session:
        kept = {result.kind: result for result in session.get_one(FilmReading, reading).results}
        for one, digest in made:
            result = kept.get(one.kind)
            if result is None:
                result = Result(
                    reading_id=reading, kind=one.kind, sop_uid=one.sop_uid, sop_class=one.sop_class,
                    series_uid=one.series_uid, file=digest, size=len(one.content),
                )  # fmt: skip
                session.add(result)
                session.flush()
            deliveries.enqueue(session, result)
