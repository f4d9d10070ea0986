"""Ctrl-C and the polite request to end: nothing is left half-written."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """While the block runs, the request to end (SIGTERM) does what Ctrl-C does, unless the host program answers it."""
    if not _in_main_thread() or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C and the request to end wait until the block is left, so that it is done wholly or not at all.

    For short blocks. Outside of the main thread, where Python raises neither, it does nothing.
    """
    if not _in_main_thread():
        yield
        return
    waiting: list[int] = []

    def wait(number: int, frame: FrameType | None) -> None:
        waiting.append(number)

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    answered = {number: handler for number, handler in handlers.items() if callable(handler)}
    try:
        for number in answered:
            signal.signal(number, wait)
        yield
    finally:
        for number, handler in answered.items():
            signal.signal(number, handler)
        for request in waiting[:1]:
            signal.raise_signal(request)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
