"""uvicorn, set up for a clinic's one machine."""

from __future__ import annotations

import uvicorn
from starlette.types import ASGIApp

from ai_for_sudan.clinic.web.application import create
from ai_for_sudan.clinic.web.desk import Desk
from ai_for_sudan.clinic.web.protocol import ImpatientProtocol

#: connections at once; pages that stay open for events count too
CONNECTIONS = 512


def server(desk: Desk, *, dicomweb: ASGIApp | None = None) -> uvicorn.Server:
    """The HTTP server: ``run()`` it in a thread of its own, set ``should_exit`` to end it."""
    web = desk.config.web
    return uvicorn.Server(
        uvicorn.Config(
            create(desk, dicomweb=dicomweb),
            host=web.host,
            port=web.port,
            http=ImpatientProtocol,
            ws="none",
            ssl_certfile=desk.config.path(web.certificate) if web.certificate else None,
            ssl_keyfile=desk.config.path(web.key) if web.key else None,
            # Addresses of films and names of people are in no log: the trail holds who saw what.
            access_log=False,
            log_config=None,
            server_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=5,
            # Headers of proxies are believed from this machine alone.
            proxy_headers=True,
            forwarded_allow_ips="127.0.0.1",
        )
    )
