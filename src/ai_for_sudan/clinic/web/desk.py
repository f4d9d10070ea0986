"""What the pages need of the server that they belong to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ai_for_sudan.app import built_app
from ai_for_sudan.clinic.arrivals import Received
from ai_for_sudan.clinic.config import Config
from ai_for_sudan.clinic.store import Store
from ai_for_sudan.clinic.web.events import Hub
from ai_for_sudan.errors import UserError
from ai_for_sudan.reading import Card

#: takes a whole file over: its path, where it comes from, further columns of the film
Receive = Callable[..., Received]


def _built_app() -> Path | None:
    try:
        return built_app()
    except UserError:  # a checkout in which it was not built; the worklist does not need it
        return None


@dataclass
class Desk:
    """One server, as its pages see it.

    Attributes:
        card: of the reader that reads here.
        receive: hands a whole file to the clinic; raises ``UnreadableFilm`` for what is not a film.
        health: what ``/health`` and the page of the server's state show.
        static, app: the folders of the built pages, and of the built phone app.
        pictures: as many films are decoded for pages at once as this allows.
    """

    config: Config
    store: Store
    card: Card
    receive: Receive
    health: Callable[[], dict[str, Any]]
    static: Path = Path(__file__).parent / "static"
    app: Path | None = field(default_factory=_built_app)
    hub: Hub = field(default_factory=Hub)
    pictures: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(2))

    @property
    def cookie(self) -> str:
        """``__Host-`` ties a cookie to HTTPS and to this very host (RFC 6265bis)."""
        return "__Host-session" if self.secure else "session"

    @property
    def secure(self) -> bool:
        """Whether browsers come by HTTPS."""
        return bool(self.config.web.certificate)
