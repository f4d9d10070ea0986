"""What changes while somebody looks: server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager
from pathlib import Path

#: seconds between looks at the database, between two messages of a kind, and between signs of life
EVERY, PAUSE, ALIVE = 0.5, 1.0, 15.0
#: streams open at once
MOST = 200


class Hub:
    """Tells every open page that the store has changed, and who has which film on the screen.

    The pages themselves fetch again: what they may see is decided in one place. SQLite counts the commits of all other
    connections (``PRAGMA data_version``), so that nothing that writes has to think of the pages.
    """

    def __init__(self) -> None:
        self.version = 0
        self.looking: dict[int, Counter[str]] = {}
        self._bells: set[asyncio.Event] = set()

    async def watch(self, file: Path) -> None:
        """Look for changes until cancelled."""
        connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        try:
            seen = None
            while True:
                found = connection.execute("PRAGMA data_version").fetchone()[0]
                if seen is not None and found != seen:
                    self._ring()
                seen = found
                await asyncio.sleep(EVERY)
        finally:
            connection.close()

    @property
    def full(self) -> bool:
        return len(self._bells) >= MOST

    def names(self, film: int) -> list[str]:
        """Who looks at a film now."""
        return sorted(self.looking.get(film, ()))

    @contextmanager
    def _look(self, film: int | None, name: str):  # type: ignore[no-untyped-def]
        if film is None:
            yield
            return
        people = self.looking.setdefault(film, Counter())
        people[name] += 1
        self._ring()
        try:
            yield
        finally:
            people[name] -= 1
            people += Counter()  # drops those who look no more
            if people:
                self.looking[film] = people
            else:
                self.looking.pop(film, None)
            self._ring()

    async def stream(self, film: int | None, name: str, may_stay: Callable[[], bool]) -> AsyncIterator[str]:
        """The messages to one page.

        Args:
            film: what it shows; others are told that ``name`` looks at it.
            may_stay: asked at every sign of life; the stream ends with the session.
        """
        bell = asyncio.Event()
        self._bells.add(bell)
        try:
            with self._look(film, name):
                yield _message("open", self.version)
                while True:
                    try:
                        await asyncio.wait_for(bell.wait(), ALIVE)
                    except asyncio.TimeoutError:
                        yield ": alive\n\n"
                    else:
                        bell.clear()
                        yield _message("changed", self.version)
                        await asyncio.sleep(PAUSE)
                    if not await asyncio.to_thread(may_stay):
                        yield _message("ended", self.version)
                        return
        finally:
            self._bells.discard(bell)

    def close(self) -> None:
        """End all streams: the server stops."""
        self._ring()

    def _ring(self) -> None:
        self.version += 1
        for bell in self._bells:
            bell.set()


def _message(kind: str, version: int) -> str:
    return f"event: {kind}\ndata: {json.dumps({'version': version})}\n\n"
