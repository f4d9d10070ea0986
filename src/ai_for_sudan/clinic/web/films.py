"""One film: all that is known of it, its picture, and what people say of it."""

from __future__ import annotations

import gzip
import io
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter
from fastapi.responses import Response
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from ai_for_sudan.clinic.store import deliveries, films
from ai_for_sudan.clinic.store.tables import Film, FilmReading, TrailRow, User, Verdict, now
from ai_for_sudan.clinic.store.trail import record
from ai_for_sudan.clinic.web.access import Anybody, Call, Clinician
from ai_for_sudan.clinic.web.refusals import Refusal
from ai_for_sudan.clinic.web.values import Body, InPath, Number, gives, text
from ai_for_sudan.clinic.web.worklist import rows
from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs import FullRange, read_full_range, read_radiograph

router = APIRouter()
#: looks of the same person at the same film within this time are one
VIEWING = timedelta(minutes=10)
#: pixels of a thumbnail's longer side
THUMBNAIL = 160


@router.get("/api/reader")
def reader(call: Anybody) -> dict[str, Any]:
    """Give the card of the reader, as it is in its file."""
    # The self-test's pixels are of no use to a page.
    return {key: value for key, value in call.desk.card.facts.items() if key != "selftest"}


def find(session: Session, number: int) -> Film:
    """
    Raises:
        Refusal: 404.
    """
    film = session.get(Film, number)
    if film is None:
        raise Refusal(404, "unknown", "there is no such film")
    return film


@router.get("/api/films/{film}")
def film(call: Anybody, film: InPath) -> dict[str, Any]:
    """Give a film with its reading, verdicts, prior films and deliveries."""
    _seen(call, film)
    with call.desk.store.reading() as session:
        found = find(session, film)
        newest = session.scalar(
            select(FilmReading)
            .where(FilmReading.film_id == found.id)
            .order_by(FilmReading.id.desc())
            .limit(1)
            .options(undefer(FilmReading.heatmap), undefer(FilmReading.lungs))
        )
        priors = films.prior_films(session, found)[:20]
        return {
            **rows(session, [found], call.desk.hub)[0],
            "site": call.desk.config.site.name,
            "reading": newest and _reading(newest),
            "history": [
                _verdict(verdict, user)
                for verdict, user in session.execute(
                    select(Verdict, User).join(User).where(Verdict.film_id == found.id).order_by(Verdict.id)
                )
            ],
            "misfiled": [
                {"destination": destination.name, "kind": result.kind, "uid": result.sop_uid}
                for _, destination, result in deliveries.misfiled(session, found.id)
            ],
            "priors": rows(session, priors, call.desk.hub),
            "deliveries": [
                {"destination": destination.name, "kind": result.kind, "state": delivery.state, "why": delivery.error}
                for delivery, destination, result in deliveries.of_film(session, found.id)
            ],
        }


def _seen(call: Call, film: int) -> None:
    """Note who looks at a film: once, however often their page fetches it while it is open."""
    subject = f"film:{film}"
    since = (now() - VIEWING).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    with call.desk.store.reading() as session:
        find(session, film)
        noted = session.scalar(
            select(TrailRow.id)
            .where(
                TrailRow.subject == subject,
                TrailRow.actor == call.who.actor,
                TrailRow.act == "film.seen",
                TrailRow.at > since,
            )
            .limit(1)
        )
    if noted is None:
        with call.desk.store.writing() as session:
            record(session, call.who.actor, "film.seen", subject)


def _reading(reading: FilmReading) -> dict[str, Any]:
    return {
        "id": reading.id,
        "status": reading.status,
        "probability": reading.probability,
        "side": reading.side,
        "right_lung": reading.right_lung,
        "left_lung": reading.left_lung,
        "abnormal": reading.abnormal,
        "operating_point": reading.operating_point,
        "not_seen_below": reading.threshold if reading.not_seen_below is None else reading.not_seen_below,
        "suspected_from": reading.threshold,
        "codes": reading.codes,
        "reasons": reading.reasons,
        "warnings": reading.warnings,
        "reader": reading.reader,
        "read_at": reading.read_at.isoformat(),
        "elapsed_ms": reading.elapsed_ms,
        "height": reading.height,
        "width": reading.width,
        "heatmap_reference": reading.heatmap_reference,
        "heatmap": _table(reading.heatmap, 7),
        "lungs": _table(reading.lungs, 0),
    }


def _table(content: bytes | None, places: int) -> dict[str, Any] | None:
    """A small ``.npy`` table as JSON: ``size`` [rows, columns], ``values`` row by row."""
    if content is None:
        return None
    values = np.load(io.BytesIO(content), allow_pickle=False)
    return {"size": list(values.shape), "values": np.round(values.astype(float), places).ravel().tolist()}


def _verdict(verdict: Verdict, user: User) -> dict[str, Any]:
    return {
        "id": verdict.id,
        "reading": verdict.reading_id,
        "by": user.full_name or user.name,
        "user": user.name,
        "agreement": verdict.agreement,
        "note": verdict.note,
        "diagnosis": verdict.diagnosis,
        "diagnosis_words": verdict.diagnosis_words,
        "amends": verdict.amends_id,
        "signed_at": verdict.signed_at.isoformat(),
    }


@router.get("/api/films/{film}/picture", **gives("image/png"))
def picture(call: Anybody, film: InPath) -> Response:
    """Give the film at full size, 8 bit, bone white (PNG)."""
    path = _file(call, film)
    with call.desk.pictures:
        return Response(png(_decoded(path)), media_type="image/png")


def png(pixels: np.ndarray) -> bytes:
    """A film, uint8 ``(H, W)``, as PNG: every grey level as it is; quick rather than small, for a local network."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@router.get("/api/films/{film}/thumbnail", **gives("image/jpeg"))
def thumbnail(call: Anybody, film: InPath) -> Response:
    """Give the film small enough for a list (JPEG); a look at a list is no look at a film, and is not in the trail."""
    path = _path(call, film)
    with call.desk.pictures:
        return Response(_small(path), media_type="image/jpeg")


# A file is named by its content, so that what was made of it once holds; a few kilobytes each.
@lru_cache(maxsize=2000)
def _small(path: Path) -> bytes:
    picture = Image.fromarray(_decoded(path))
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=75)
    return buffer.getvalue()


def _decoded(path: Path) -> np.ndarray:
    """
    Raises:
        Refusal: 409, the film cannot be decoded.
    """
    try:
        return read_radiograph(path).pixels
    except UnreadableFilm as error:
        raise Refusal(409, "unreadable", "the film cannot be decoded", film=error.code) from error


@router.get("/api/films/{film}/values", **gives("application/octet-stream"))
def values(call: Anybody, film: InPath) -> Response:
    """Give a DICOM film's values before its window, 16 bit, bone white; 404 where its picture shows them all."""
    path = _file(call, film)
    with call.desk.pictures:
        try:
            found = read_full_range(path)
        except UnreadableFilm as error:
            raise Refusal(409, "unreadable", "the film cannot be decoded", film=error.code) from error
        if found is None:
            raise Refusal(404, "no_values", "the film's picture shows all of its values")
        content, headers = packed(found), {}
        if "gzip" in call.request.headers.get("accept-encoding", ""):
            content, headers = gzip.compress(content, compresslevel=1), {"Content-Encoding": "gzip"}
        return Response(content, headers=headers, media_type="application/octet-stream")


def packed(film: FullRange) -> bytes:
    """What ``unpacked`` of ``app/src/film/full_range.ts`` takes, little-endian.

    Width, height and the window's black and white as uint32; then, row by row, each value's difference to the one
    before it, as uint16 modulo 65,536: compressed, a third smaller than the values themselves.
    """
    height, width = film.values.shape
    differences = np.diff(film.values.ravel(), prepend=np.uint16(0))
    return np.array([width, height, *film.window], dtype="<u4").tobytes() + differences.astype("<u2").tobytes()


def _file(call: Call, film: int) -> Path:
    """The film's file, which somebody is about to see.

    Raises:
        Refusal: 404; 410, it was deleted.
    """
    _seen(call, film)
    return _path(call, film)


def _path(call: Call, film: int) -> Path:
    with call.desk.store.reading() as session:
        found = find(session, film)
        if found.deleted_at is not None:
            raise Refusal(410, "gone", "the film's file was deleted; its reading and verdicts are kept")
        return call.desk.store.films.path(found.file)


class Said(Body):
    """What a person says of a reading."""

    reading: Number
    agreement: Literal["agree", "disagree", "unsure"]
    note: Annotated[str, text(500)] = ""
    diagnosis: Literal["", "positive", "negative"] = ""
    diagnosis_words: Annotated[str, text(200)] = ""


@router.post("/api/films/{film}/verdicts")
def sign(call: Clinician, film: InPath, body: Said) -> dict[str, Any]:
    """Sign a verdict; it amends the one that the same person signed before."""
    with call.desk.store.writing() as session:
        found = find(session, film)
        # What a person saw is what they sign: a film that was read again meanwhile is shown first.
        newest = films.newest_reading(session, found.id)
        if newest is None or newest.id != body.reading:
            raise Refusal(409, "read_anew", "the film has been read again; look at it once more")
        verdict = films.sign(
            session,
            Verdict(
                film_id=found.id,
                reading_id=newest.id,
                user_id=call.who.user,
                agreement=body.agreement,
                note=body.note.strip(),
                diagnosis=body.diagnosis,
                diagnosis_words=body.diagnosis_words.strip(),
            ),
        )
        act = "verdict.amended" if verdict.amends_id else "verdict.signed"
        record(session, call.who.actor, act, f"film:{found.id}", verdict=verdict.id, agreement=verdict.agreement)
        return _verdict(verdict, session.get_one(User, call.who.user)) | {"review": found.review}
