"""Films that come through the browser: one file a call, taken piece by piece, whatever its size."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from ai_for_sudan.clinic.web.bodies import body_pieces
from ai_for_sudan.clinic.web.desk import Desk
from ai_for_sudan.clinic.web.endpoint import CLINICIANS, Call, Endpoints, Refusal

endpoints = Endpoints()
#: bytes; what the reading side opens at most
LARGEST_FILM = 300_000_000


@endpoints.add(
    "POST",
    "/api/films",
    CLINICIANS,
    "a film: the bytes of one DICOM, PNG, JPEG or other picture file; its name in the header X-File-Name",
    raw=LARGEST_FILM,
)
async def upload(call: Call) -> dict[str, Any]:
    # A name is only ever shown, never a path: what it holds cannot lead anywhere.
    name = unquote(call.request.headers.get("x-file-name", ""))
    film, new = await take(
        call.desk,
        call.request,
        LARGEST_FILM,
        origin="upload",
        source=shown_name(name),
        actor=call.who.actor,
        user_id=call.who.user,
    )
    return {"film": film, "new": new}


def shown_name(name: str) -> str:
    """The last part of a file's name, printable, short."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(sign for sign in last if sign.isprintable() and not 0xD800 <= ord(sign) <= 0xDFFF)[:100]


async def take(desk: Desk, request: Request, most: int, **known: Any) -> tuple[int, bool]:
    """Keep a body as a film in constant memory; its number, and whether it is new.

    Raises:
        Refusal: 400 ``empty``; 413; 507.
    """
    desk.store.films.check_room()
    file = desk.store.films.open_incoming()
    path = Path(file.name)
    try:
        with file:
            size = 0
            async for piece in body_pieces(request, most):
                size += len(piece)
                await run_in_threadpool(file.write, piece)
        if size == 0:
            raise Refusal(400, "empty", "the file is empty")
        return await run_in_threadpool(desk.receive, path, **known)
    finally:
        path.unlink(missing_ok=True)
