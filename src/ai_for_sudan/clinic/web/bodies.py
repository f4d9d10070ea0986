"""Bodies of calls: never larger in memory than they may be."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request

from ai_for_sudan.clinic.web.endpoint import Refusal


async def body_pieces(request: Request, most: int) -> AsyncIterator[bytes]:
    """The body, piece by piece, never more than ``most`` bytes.

    Raises:
        Refusal: 413; the connection ends, so that the rest is not sent.
    """
    try:
        declared = int(request.headers.get("content-length", "0"))
    except ValueError:
        declared = 0
    total = 0
    too_large = Refusal(413, "too_large", f"at most {most} bytes are accepted here", most=most)
    if declared > most:
        raise too_large
    async for piece in request.stream():
        total += len(piece)
        if total > most:
            raise too_large
        yield piece


async def json_body(request: Request, most: int) -> Any:
    """
    Raises:
        Refusal: 400, not valid JSON; 413; 415.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        # A form of another site cannot send this type without asking first.
        raise Refusal(415, "invalid", "expected application/json")
    content = b"".join([piece async for piece in body_pieces(request, most)])
    try:
        value = json.loads(content, parse_constant=_no_number)
        json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair is not text
        return value
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "invalid", "the body is not valid JSON") from error


def _no_number(text: str) -> None:
    raise ValueError(text)
