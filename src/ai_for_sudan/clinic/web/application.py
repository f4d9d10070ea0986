"""The HTTP side of the clinic, put together: every address with its checks, the pages, and the documents about both."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from ai_for_sudan.clinic.store import DiskFull
from ai_for_sudan.clinic.store.trail import record
from ai_for_sudan.clinic.web import (
    accounts,
    certificate,
    exports,
    fhir,
    films,
    monthly,
    openapi,
    outgoing,
    phones,
    sessions,
    state,
    trail,
    uploads,
    worklist,
)  # fmt: skip
from ai_for_sudan.clinic.web.bodies import json_body
from ai_for_sudan.clinic.web.desk import Desk
from ai_for_sudan.clinic.web.endpoint import ANYBODY, PUBLIC, Call, Endpoint, Refusal, Who
from ai_for_sudan.errors import UserError

log = logging.getLogger("ai_for_sudan.clinic.web")

ENDPOINTS: tuple[Endpoint, ...] = tuple(
    endpoint
    for module in (
        sessions, worklist, films, uploads, phones, outgoing, exports, fhir, monthly, trail, state, certificate,
    )
    for endpoint in module.endpoints
)  # fmt: skip

SAFE = ("GET", "HEAD", "OPTIONS")

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
#: the phone app is a page of its own: it runs a reader (WebAssembly, threads) and takes photographs
APP_HEADERS = HEADERS | {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; "
    "img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; worker-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Permissions-Policy": "microphone=(), geolocation=()",
}


def create(desk: Desk, *, dicomweb: ASGIApp | None = None) -> ASGIApp:
    """The ASGI application of a clinic.

    Args:
        dicomweb: answers below ``/dicomweb``, to callers that were let in here.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        watching = asyncio.create_task(desk.hub.watch(desk.store.file))
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    by_path: dict[str, dict[str, Endpoint]] = {}
    for endpoint in ENDPOINTS:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    routes: list[Route | Mount] = [
        Route(path, _serve(desk, methods), methods=list(methods)) for path, methods in by_path.items()
    ]
    document = openapi.document(ENDPOINTS)
    routes += [
        Route("/openapi.json", lambda request: JSONResponse(document)),
        Route("/trust", lambda request: RedirectResponse("/#/trust")),
    ]
    if dicomweb is not None:
        routes.append(Mount("/dicomweb", _guarded(desk, dicomweb)))
    if desk.app is not None:
        routes.append(Mount("/app", StaticFiles(directory=desk.app, html=True)))
    if not (desk.static / "index.html").is_file():
        routes.append(Route("/", lambda request: PlainTextResponse("The pages are not built. Run: make app\n", 503)))
    routes.append(Mount("/", StaticFiles(directory=desk.static, html=True, check_dir=False)))
    inner = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={
            Refusal: _refused,
            HTTPException: _http,
            Exception: _broken,
        },
    )
    return _with_headers(_known_hosts(inner, desk.config.web.names))


def _serve(desk: Desk, methods: dict[str, Endpoint]) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        endpoint = methods["GET" if request.method == "HEAD" else request.method]
        try:
            who = await run_in_threadpool(identify, desk, request, endpoint.basic)
            await run_in_threadpool(admit, desk, request, endpoint, who)
            path = _path(request)
            query = endpoint.checked_query(dict(request.query_params))
            body = None
            if endpoint.raw is None and request.method not in SAFE:
                body = endpoint.checked_body(await json_body(request, endpoint.most)) if endpoint.body else None
            call = Call(desk, request, who, path, query, body)
            if inspect.iscoroutinefunction(endpoint.handler):
                answer = await endpoint.handler(call)
            else:
                answer = await run_in_threadpool(endpoint.handler, call)
        except DiskFull as error:
            raise Refusal(507, "disk_full", "the server's disk is full; old films stay readable") from error
        except UserError as error:
            raise Refusal(409, "conflict", str(error)) from error
        except ClientDisconnect:
            return Response(status_code=400)  # nobody hears it
        response = answer if isinstance(answer, Response) else JSONResponse(answer)
        # Pictures and names stay in no cache of a shared computer.
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return serve


def identify(desk: Desk, request: Request, basic: bool) -> Who:
    """Who calls: a phone by its token, a program by name and password, a browser by its session."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return phones.device(desk.store, value.strip())
    if kind.lower() == "basic" and basic:
        try:
            name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, ValueError) as error:
            raise Refusal(401, "credentials", "the name or password is wrong") from error
        user = accounts.authenticated(desk.store, name, password)
        if user.must_change_password:
            raise Refusal(403, "must_change_password", "choose a password in the browser first")
        return Who(f"user:{user.name}", user.role, user.id, name=user.full_name or user.name)
    token = request.cookies.get(desk.cookie)
    return (accounts.session_of(desk.store, token) if token else None) or Who()


def admit(desk: Desk, request: Request, endpoint: Endpoint, who: Who) -> None:
    """
    Raises:
        Refusal: 401, nobody is logged in; 403, this caller may not, or another site's page sent the call.
    """
    if request.method not in SAFE:
        _same_origin(request)
    if endpoint.access is not PUBLIC and endpoint.access:
        if not who.role:
            raise Refusal(401, "login", "log in first")
        if who.role not in endpoint.access:
            with desk.store.writing() as session:
                record(session, who.actor, "access.refused", f"{request.method} {endpoint.path}")
            raise Refusal(403, "role", "your account is not allowed to do this; ask an administrator")
        if who.csrf and request.method not in SAFE:
            given = request.headers.get("x-csrf-token", "")
            if not hmac.compare_digest(given.encode(), who.csrf.encode()):
                raise Refusal(403, "csrf", "the page is not from this session; reload it")
        if who.changing and not endpoint.while_changing:
            raise Refusal(403, "must_change_password", "choose a password first")


def _same_origin(request: Request) -> None:
    """Browsers say whose page sends a call; programs say nothing."""
    origin = request.headers.get("origin")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") or (
        origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    ):
        raise Refusal(403, "csrf", "a page of another site may not send this")


def _path(request: Request) -> dict[str, Any]:
    """Values of the path: what is a number here is one, whatever was sent."""
    found: dict[str, Any] = {}
    for name, value in request.path_params.items():
        if name in openapi.NUMBERS:
            if not (value.isascii() and value.isdecimal() and len(value) < 16):
                raise Refusal(404, "unknown", "there is no such page")
            found[name] = int(value)
        else:
            found[name] = value
    return found


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    headers = {"Cache-Control": "no-store"}
    if error.status in (413, 507):
        headers["Connection"] = "close"
    if error.status == 429:
        headers["Retry-After"] = str(error.facts.get("seconds", 30))
    if error.status == 401 and request.url.path.startswith(("/fhir", "/metrics", "/dicomweb")):
        headers["WWW-Authenticate"] = 'Basic realm="AI for Sudan", charset="UTF-8"'
    return JSONResponse(
        {"error": error.code, "message": error.message, **error.facts}, status_code=error.status, headers=headers
    )


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "unknown", 405: "method"}.get(error.status_code, "invalid")
    return JSONResponse(
        {"error": code, "message": error.detail}, status_code=error.status_code, headers=dict(error.headers or {})
    )


def _broken(request: Request, error: Exception) -> Response:
    # The type says enough to look for; the message might quote a film.
    log.error("unexpected", extra={"error": type(error).__name__, "path": request.url.path}, exc_info=error)
    return JSONResponse({"error": "unexpected", "message": "the server had an error; see its log"}, status_code=500)


def _guarded(desk: Desk, inner: ASGIApp) -> ASGIApp:
    """Lets programs with an account into another application: reading for anybody, storing for clinicians."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        reading = request.method in SAFE
        access = ANYBODY if reading else frozenset({"administrator", "clinician"})
        gate = Endpoint(request.method, "/dicomweb", access, "", lambda call: None, basic=True)
        try:
            who = await run_in_threadpool(identify, desk, request, True)
            await run_in_threadpool(admit, desk, request, gate, who)
        except Refusal as error:
            await _refused(request, error)(scope, receive, send)
            return
        scope["who"] = who
        await inner(scope, receive, send)

    return guarded


def _known_hosts(inner: ASGIApp, names: tuple[str, ...]) -> ASGIApp:
    """Only the names that this server is known by: another name that leads here may be an attack (DNS rebinding)."""
    if not names:
        return inner
    known = {name.lower() for name in names} | {"localhost", "127.0.0.1", "[::1]"}

    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            host = Request(scope).headers.get("host", "").lower()
            name = host if host.endswith("]") else host.rpartition(":")[0] or host
            if name not in known:
                await JSONResponse(
                    {"error": "host", "message": "this server does not go by this name; see web.names in clinic.toml"},
                    status_code=421,
                )(scope, receive, send)
                return
        await inner(scope, receive, send)

    return checked


def _with_headers(inner: ASGIApp) -> ASGIApp:
    async def with_headers(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await inner(scope, receive, send)
            return
        wanted = APP_HEADERS if scope["path"].startswith("/app/") else HEADERS

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((k.lower().encode(), v.encode()) for k, v in wanted.items() if k.lower().encode() not in present),
                ]
            await send(message)

        await inner(scope, receive, sending)

    return with_headers
