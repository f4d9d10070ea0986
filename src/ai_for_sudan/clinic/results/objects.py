"""The DICOM objects of one reading, with UIDs that follow from film, person and reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.uid import Comprehensive3DSRStorage, SecondaryCaptureImageStorage
from sqlalchemy import select
from sqlalchemy.orm import Session

from ai_for_sudan.clinic.results.identifiers import Signed, Source
from ai_for_sudan.clinic.store import Store, deliveries, films, identities, trail
from ai_for_sudan.clinic.store.identities import Identity
from ai_for_sudan.clinic.store.tables import Delivery, Film, FilmReading, Result, Verdict


@dataclass(frozen=True)
class Made:
    """One object: a whole DICOM file and what it is known by."""

    kind: str
    sop_uid: str
    sop_class: str
    series_uid: str
    content: bytes
    occasion: str = ""


def source_of(session: Session, film: Film) -> Source:
    """A film with its examination and the identity that its results carry: as it came, or as a person signed it."""
    came = Identity(**film.came_as) if film.came_as else None
    signed = identities.identity_of(film.study.patient)
    return Source(film, film.study, came if came and film.identity != "signed" else signed)


def objects(
    source: Source,
    reading: FilmReading,
    pixels: np.ndarray | None,
    language: str = "en",
    *,
    occasion: str = "",
    signed: Signed | None = None,
    predecessor: tuple[str, str, str] | None = None,
    trail: str = "",
) -> list[Made]:
    """The structured report of a reading, and its picture; of a signed verdict, the report alone.

    Args:
        reading: with its heatmap.
        pixels: of the film, uint8 ``(H, W)``; without them there is no picture.
        language: of the clinic, for the picture.
        occasion: see :class:`Result`.
        signed, predecessor, trail: see :func:`structured_report`.
    """
    # highdicom is loaded with the first film: a server starts without it.
    from ai_for_sudan.clinic.results.capture import secondary_capture
    from ai_for_sudan.clinic.results.report import structured_report

    sr, sc = (source.names(reading, kind, occasion) for kind in ("sr", "sc"))
    report = structured_report(source, reading, sr, signed=signed, predecessor=predecessor, trail=trail)
    made = [Made("sr", sr.sop, Comprehensive3DSRStorage, sr.series, report, occasion)]
    if signed is None and pixels is not None:
        shown = secondary_capture(source, reading, sc, pixels, language)
        made.append(Made("sc", sc.sop, SecondaryCaptureImageStorage, sc.series, shown, occasion))
    return made


def make_results(store: Store, reading: int, occasion: str = "", language: str = "en", site: str = "") -> None:
    """The job ``results``: make the DICOM objects of a reading, keep them, and have them sent everywhere.

    The picture of a film whose file is gone cannot be made: what waits for it is marked as lost, by name.

    Args:
        occasion: see :class:`Result`.
        site: the clinic's name, for what a person verified.
    """
    from ai_for_sudan.clinic.results.capture import decoded

    with store.reading() as session:
        row = session.get_one(FilmReading, reading)
        film = session.get_one(Film, row.film_id)
        if not films.answers_the_pacs(film, row):
            return
        source = source_of(session, film)
        there_already = {
            result.kind
            for result in row.results
            if result.occasion == occasion and store.results.path(result.file).exists()
        }
        row = films.copy_of(row)  # loads the deferred columns
        signed = _signed(session, occasion, site)
        predecessor = _predecessor(session, film, occasion)
        last = trail.head(session)
    file = store.films.path(film.file)
    there = film.deleted_at is None and file.exists()
    made = objects(
        source, row, decoded(file) if there and signed is None else None, language,
        occasion=occasion, signed=signed, predecessor=predecessor, trail=last,
    )  # fmt: skip
    made = [one for one in made if one.kind not in there_already]
    digests = [store.results.keep(one.content) for one in made]
    with store.writing() as session:
        kept = session.get_one(FilmReading, reading)
        keep_results(session, kept, made, digests)
        deliveries.enqueue(session, [result for result in kept.results if result.occasion == occasion])
        if not there:
            lost = [result for result in kept.results if not store.results.path(result.file).exists()]
            waiting = select(Delivery.id).where(
                Delivery.result_id.in_([result.id for result in lost]), Delivery.state == "waiting"
            )
            deliveries.mark_lost(
                session,
                list(session.scalars(waiting)),
                "its file is missing, and so is the film: it cannot be made again; the report is sent without it",
            )


def _signed(session: Session, occasion: str, site: str) -> Signed | None:
    kind, _, number = occasion.partition(":")
    if kind != "verdict":
        return None
    verdict = session.get_one(Verdict, int(number))
    name = verdict.user.full_name or verdict.user.name
    return Signed(
        name.replace("\\", " ").replace("^", " ")[:63] + "^", site, verdict.agreement, verdict.note, verdict.diagnosis,
        verdict.diagnosis_words, verdict.signed_at,
    )  # fmt: skip


def _predecessor(session: Session, film: Film, occasion: str) -> tuple[str, str, str] | None:
    """The report that one for an occasion follows."""
    if not occasion:
        return None
    before = session.scalar(
        select(Result)
        .join(FilmReading)
        .where(FilmReading.film_id == film.id, Result.kind == "sr", Result.occasion != occasion)
        .order_by(Result.id.desc())
        .limit(1)
    )
    return (before.series_uid, before.sop_class, before.sop_uid) if before else None


def keep_results(session: Session, reading: FilmReading, made: Sequence[Made], digests: Sequence[str]) -> None:
    """Have objects sent everywhere, whose files are kept under their SHA-256.

    One that was made before gets the new file: it is made again only where the old one is missing.
    """
    kept = {(result.kind, result.occasion): result for result in reading.results}
    for one, digest in zip(made, digests, strict=True):
        before = kept.get((one.kind, one.occasion))
        if before is None:
            kept[one.kind, one.occasion] = before = Result(
                reading=reading, kind=one.kind, occasion=one.occasion, sop_uid=one.sop_uid, sop_class=one.sop_class,
                series_uid=one.series_uid, file=digest, size=len(one.content),
            )  # fmt: skip
            session.add(before)
        else:
            before.sop_uid, before.series_uid = one.sop_uid, one.series_uid
            before.file, before.size = digest, len(one.content)
    session.flush()
    deliveries.enqueue(session, [kept[one.kind, one.occasion] for one in made])
