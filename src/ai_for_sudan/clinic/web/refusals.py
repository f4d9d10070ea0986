"""Calls that are not answered: why, as a stable code and in plain words, always as JSON."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ai_for_sudan.clinic.store import DiskFull
from ai_for_sudan.errors import UserError

log = logging.getLogger("ai_for_sudan.clinic.web")

_ERROR = {
    "type": "object",
    "properties": {"error": {"type": "string"}, "message": {"type": "string"}},
    "required": ["error", "message"],
}
_CONTENT = {"application/json": {"schema": _ERROR}}
#: how the OpenAPI document describes them
RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "400 a value does not match the schema, 401 nobody is logged in, 403 this account may not or "
        "the call came from another site's page, 404 there is no such thing, 409 the current state does not allow it, "
        "410 the film's file was deleted, 413 the body is too large, 415 the body is not JSON, 429 too many wrong "
        "passwords",
        "content": _CONTENT,
    },
    "5XX": {"description": "503 the server is busy, 507 its disk is full", "content": _CONTENT},
}
#: the code of an error that the framework raises itself
_CODES = {401: "credentials", 404: "unknown", 405: "method", 413: "too_large"}


class Refusal(HTTPException):
    """A call that is not answered.

    Attributes:
        code: a stable word; the pages have words for it in every language.
        facts: what these words need, such as seconds to wait.
    """

    def __init__(self, status: int, code: str, message: str, **facts: Any) -> None:
        super().__init__(status, message)
        self.code, self.facts = code, facts

    def __str__(self) -> str:
        return self.detail


def refused(request: Request, error: HTTPException) -> Response:
    """Answer a refusal, or an error of the framework, with its code and words."""
    headers = {**(error.headers or {}), "Cache-Control": "no-store"}
    code = _CODES.get(error.status_code, "invalid")
    facts: dict[str, Any] = {}
    if isinstance(error, Refusal):
        code, facts = error.code, error.facts
    if error.status_code in (413, 507):
        headers["Connection"] = "close"  # the rest of the body is not wanted
    if error.status_code == 429:
        headers["Retry-After"] = str(facts.get("seconds", 30))
    if error.status_code == 401 and request.url.path.startswith(("/fhir", "/metrics", "/dicomweb")):
        headers["WWW-Authenticate"] = 'Basic realm="AI for Sudan", charset="UTF-8"'
    return JSONResponse({"error": code, "message": error.detail, **facts}, error.status_code, headers)


def _invalid(request: Request, error: RequestValidationError) -> Response:
    """Say which value is wrong, and never repeat it: it may be a patient's."""
    first = error.errors()[0]
    where, name = first["loc"][0], ".".join(map(str, first["loc"][1:]))
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if where == "path":
        found = Refusal(404, "unknown", "there is no such page")
    elif where == "body" and kind != "application/json":
        # A form of another site cannot send this type without asking first.
        found = Refusal(415, "invalid", "expected application/json")
    else:
        found = Refusal(400, "invalid", f"{where} {name}: {first['msg']}"[:300])
    return refused(request, found)


def _broken(request: Request, error: Exception) -> Response:
    # The type says enough to look for; the message might quote a film.
    log.error("unexpected", extra={"error": type(error).__name__, "path": request.url.path}, exc_info=error)
    return JSONResponse({"error": "unexpected", "message": "the server had an error; see its log"}, 500)


def add_refusals(app: FastAPI) -> None:
    """Have an application answer every error in this one way."""
    app.add_exception_handler(HTTPException, refused)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _invalid)  # type: ignore[arg-type]
    app.add_exception_handler(ClientDisconnect, lambda request, error: Response(status_code=400))  # nobody hears it
    app.add_exception_handler(Exception, _broken)

    @app.exception_handler(DiskFull)
    def full(request: Request, error: DiskFull) -> Response:
        return refused(request, Refusal(507, "disk_full", "the server's disk is full; old films stay readable"))

    @app.exception_handler(UserError)
    def conflict(request: Request, error: UserError) -> Response:
        return refused(request, Refusal(409, "conflict", str(error)))
