"""`clinic run`: the whole clinic in one process, until it is told to end."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import signal
import socket
import threading
from types import FrameType

from ai_for_sudan.clinic.care import logs
from ai_for_sudan.clinic.clinic import Clinic
from ai_for_sudan.clinic.config import Config
from ai_for_sudan.clinic.health import health
from ai_for_sudan.errors import UserError

LOG = logging.getLogger(__name__)
#: mallopt(3)
M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3


def _socket(config: Config) -> socket.socket:
    """
    Raises:
        UserError: the port is taken; uvicorn would only end.
    """
    web = config.web
    try:
        return socket.create_server((web.host, web.port), backlog=1024)
    except (OSError, OverflowError) as error:
        raise UserError(f"cannot serve at {web.host}:{web.port}: {error}; choose another 'port' under [web]") from error


def _share_memory() -> None:
    """Have glibc give a film's memory back at once, and not keep for each thread what it once needed."""
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(M_ARENA_MAX, 2)
        mallopt(M_MMAP_THRESHOLD, 1 << 20)


def _arrive_beside(config: Config) -> None:
    """Let what arrives piece by piece lie beside the films, so that a whole film only gets another name.

    This program's own process is meant: nothing but the server runs in it.
    """
    incoming = config.storage.folder / "incoming"
    incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.environ["TMPDIR"] = str(incoming)


def run(config: Config) -> None:
    """Serve until SIGTERM or Ctrl-C; returns when all that was taken is on the disk.

    Raises:
        UserError: it cannot start, in one line.
    """
    from ai_for_sudan.clinic.dicomweb import application
    from ai_for_sudan.clinic.web import Desk, server

    logs.set_up()
    _arrive_beside(config)
    _share_memory()
    clinic = Clinic.open(config)
    try:
        desk = Desk(config, clinic.store, clinic.reader.reader.card, clinic.receive, lambda: health(clinic))
        pages = server(desk, dicomweb=application(clinic))
        clinic.start()
        ended = threading.Event()

        def end(number: int, frame: FrameType | None) -> None:
            pages.should_exit = True
            ended.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        thread = threading.Thread(target=pages.run, kwargs={"sockets": [_socket(config)]}, name="pages")
        thread.start()
        gc.collect()
        gc.freeze()  # what is here now stays: it need not be looked through for each film
        LOG.info("ready", extra={"node": config.node.port, "pages": config.web.port, "reader": clinic.reader.title})
        while thread.is_alive() and not ended.wait(1):
            pass
        pages.should_exit = True
        thread.join(timeout=30)
    finally:
        clinic.stop()
