"""The HTTP side of the clinic, put together: the addresses, the pages, and what binds them all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ai_for_sudan.clinic.web import (
    certificate,
    exports,
    fhir,
    films,
    identities,
    monthly,
    outgoing,
    phones,
    sessions,
    state,
    trail,
    uploads,
    worklist,
)  # fmt: skip
from ai_for_sudan.clinic.web.access import READERS, SAFE, WRITERS, Gate
from ai_for_sudan.clinic.web.desk import Desk
from ai_for_sudan.clinic.web.headers import BoundBrowsers
from ai_for_sudan.clinic.web.refusals import RESPONSES, Refusal, add_refusals, refused
from ai_for_sudan.version import __version__

#: bytes of a JSON body, where an address does not take more
LARGEST_BODY = 64_000
MODULES = (
    sessions, worklist, films, identities, uploads, phones, outgoing, exports, fhir, monthly, trail, state, certificate,
)  # fmt: skip


def create(desk: Desk, *, dicomweb: ASGIApp | None = None) -> FastAPI:
    """Make the ASGI application of a clinic.

    Args:
        dicomweb: answers below ``/dicomweb``, to callers that were let in here.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(desk.hub.watch(desk.store.file))
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    names = desk.config.web.names
    # A name that this server does not go by and that leads here all the same may be an attack (DNS rebinding).
    hosts = [*names, "localhost", "127.0.0.1", "[::1]"] if names else ["*"]
    app = FastAPI(
        title="AI for Sudan: clinic",
        version=__version__,
        license_info={"name": "Apache-2.0"},
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        responses=RESPONSES,
        middleware=[Middleware(BoundBrowsers), Middleware(TrustedHostMiddleware, allowed_hosts=hosts)],
        # Nothing leaves the clinic, whatever the environment asks for.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.desk = desk
    add_refusals(app)
    for module in MODULES:
        app.include_router(module.router, max_body_size=LARGEST_BODY)

    @app.get("/trust", include_in_schema=False)
    def trust() -> Response:
        return RedirectResponse("/#/trust")

    if dicomweb is not None:
        app.mount("/dicomweb", _Guarded(dicomweb))
    if desk.app is not None:
        app.mount("/app", StaticFiles(directory=desk.app, html=True))
    if not (desk.static / "index.html").is_file():

        @app.get("/", include_in_schema=False)
        def unbuilt() -> Response:
            return PlainTextResponse("The pages are not built. Run: make app\n", 503)

    app.mount("/", StaticFiles(directory=desk.static, html=True, check_dir=False))
    return app


class _Guarded:
    """Lets programs with an account into another application: reading for anybody, storing for clinicians."""

    def __init__(self, inner: ASGIApp) -> None:
        self.inner = inner
        self.reading, self.storing = Gate(READERS, basic=True), Gate(WRITERS, basic=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        gate = self.reading if request.method in SAFE else self.storing
        try:
            scope["who"] = (await run_in_threadpool(gate, request)).who
        except Refusal as error:
            await refused(request, error)(scope, receive, send)
            return
        await self.inner(scope, receive, send)
