"""HTTP as uvicorn speaks it, with an end to patience: a client that sends or takes nothing is let go."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

#: seconds from the opening of a connection to the end of its first headers
HEADERS = 20.0
#: seconds without one byte of a body that is still to come
BODY = 30.0
#: seconds in which a client takes nothing of what was sent
TAKING = 60.0
#: connections from one address at once: several browsers behind one router, but not a thousand silent ones
FROM_ONE_ADDRESS = 64


class ImpatientProtocol(H11Protocol):
    """uvicorn waits for ever for headers, bodies and readers; a clinic's only server must not."""

    _waiting: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        peers = [other for other in self.connections if _address(other) == _address(self)]
        if len(peers) > FROM_ONE_ADDRESS:
            transport.abort()
            return
        self._wait(HEADERS)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            # Still in the headers: their time runs from the first byte, however slowly the others drip in.
            if self._waiting is None:
                self._wait(HEADERS)
        elif self.cycle.more_body:
            self._wait(BODY)
        else:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        self._stop_waiting()
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._taking = self.loop.call_later(TAKING, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._taking:
            self._taking.cancel()
            self._taking = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        if self._taking:
            self._taking.cancel()
        super().connection_lost(exc)

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._waiting = self.loop.call_later(seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        # A body that the application itself does not take (it is busy) is no fault of the client.
        if self.flow is not None and self.flow.read_paused:
            self._wait(BODY)
        else:
            self.transport.abort()


def _address(connection: Any) -> str | None:
    return connection.client[0] if connection.client else None
