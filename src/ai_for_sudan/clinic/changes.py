"""What has just changed, told at once to whoever listens in this process: the pages that are open."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

#: takes ``{"kind": "film", "id": 17}``; kinds: ``film`` (arrived, read, judged), ``delivery``, ``health``
Listener = Callable[[dict[str, Any]], None]


class Changes:
    """Listeners are called in the thread of the change, after its transaction, and must return at once."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._lock = threading.Lock()

    @contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        with self._lock:
            self._listeners.add(listener)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.discard(listener)

    def tell(self, kind: str, **facts: Any) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener({"kind": kind, **facts})
