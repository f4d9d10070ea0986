"""Films that come through the browser: one file a call, taken piece by piece, whatever its size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Header
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from ai_for_sudan.clinic.store.trail import record
from ai_for_sudan.clinic.web.access import Call, Clinician
from ai_for_sudan.clinic.web.desk import Desk
from ai_for_sudan.clinic.web.identities import Named
from ai_for_sudan.clinic.web.refusals import Refusal
from ai_for_sudan.contract.limits import LARGEST_FILE
from ai_for_sudan.errors import UnreadableFilm

router = APIRouter()


@router.post(
    "/api/films",
    max_body_size=LARGEST_FILE,
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {}}}},
)
async def upload(
    call: Clinician, x_file_name: Annotated[str, Header()] = "", x_patient: Annotated[str, Header()] = ""
) -> dict[str, Any]:
    """Take a film: the bytes of one DICOM, PNG, JPEG or other picture file.

    Both headers are percent-encoded: the file's name, and what a person says of a film without a header of its own,
    as JSON: ``number``, ``name``, ``birth_date``, ``sex``, ``age_years``.
    """
    # A name is only ever shown, never a path: what it holds cannot lead anywhere.
    name = shown_name(unquote(x_file_name))
    try:
        known = Named.model_validate_json(unquote(x_patient) or "{}")
    except ValidationError as error:
        raise Refusal(400, "invalid", f"x-patient: {error.errors()[0]['msg']}"[:300]) from error
    path = await kept(call.desk, call.request)
    return await run_in_threadpool(
        hand_over, call, path, origin="upload", file_name=name, named=known.identity, age_years=known.age_years
    )


def hand_over(call: Call, path: Path, **known: Any) -> dict[str, Any]:
    """Give a whole file to the clinic, in the name of who sent it.

    Raises:
        Refusal: 400, it is not a film.
    """
    try:
        received = call.desk.receive(path, user_id=call.who.user, device_id=call.who.device_id, **known)
    except UnreadableFilm as error:
        raise Refusal(400, "not_a_film", "the file is neither DICOM nor a picture", film=error.code) from error
    finally:
        path.unlink(missing_ok=True)
    if received.new:
        with call.desk.store.writing() as session:
            record(session, call.who.actor, "film.added", f"film:{received.film}", origin=known["origin"])
    return {"film": received.film, "new": received.new}


def shown_name(name: str) -> str:
    """The last part of a file's name, printable, short."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(sign for sign in last if sign.isprintable() and not 0xD800 <= ord(sign) <= 0xDFFF)[:100]


async def kept(desk: Desk, request: Request) -> Path:
    """Write a body piece by piece to a file among what is arriving.

    Raises:
        Refusal: 400 ``empty``; 413 where the address bounds its body; 507.
    """
    desk.store.films.check_room()
    file = desk.store.films.open_incoming()
    path = Path(file.name)
    try:
        with file:
            size = 0
            async for piece in request.stream():
                size += len(piece)
                await run_in_threadpool(file.write, piece)
        if size == 0:
            raise Refusal(400, "empty", "the file is empty")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path
