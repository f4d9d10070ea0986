"""DICOM connections that wait for data, take it as it comes, and hold no more of it than a peer may send.

A stranger's first six bytes claim how long a PDU is (PS3.8 9.3.1). Nothing is set aside for a claim: a PDU is read in
pieces, one that is too long ends the connection, and who has not said who they are within :data:`GREETING` is gone.

pynetdicom looks a thousand times a second whether something has arrived, which costs a tenth of a core for each peer
that is only connected, and reads 4 kB at a time, which takes Python's lock a thousand times for a film. Of a message in
several pieces TCP holds a small last one back until the others are acknowledged (RFC 896), and Linux takes 40 ms to do
that (RFC 1122 4.2.3.2): here neither waits, and a PACS gets results five times as fast.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from typing import Any

from pynetdicom import _config, evt
from pynetdicom.transport import AssociationSocket

# Films go to the disk as they come and never lie in memory whole. pynetdicom has this for the whole process only.
_config.STORE_RECV_CHUNKED_DATASET = True

#: bytes of one PDU: large ones keep Python out of the way of the data
LARGEST_PDU = 1 << 18
#: bytes of the PDU in which a peer says who it is; one with 128 contexts has some 30 kB
LARGEST_GREETING = 1 << 16
#: seconds for a connection to say who it is, however it spreads its bytes
GREETING = 10.0
#: seconds without a word after which a peer is gone
SILENCE = 120.0
#: seconds that a connection waits for data before it looks whether there is something to send
PATIENCE = 0.005
#: bytes that are set aside for a PDU before any of it has come
PIECE = 1 << 14


def opened(event: evt.Event) -> None:
    """The handler of ``EVT_CONN_OPEN``, for acceptors and requestors."""
    event.assoc.dul.socket = Connection(event.assoc.dul.socket, event.assoc)  # type: ignore[arg-type, assignment]
    # pynetdicom's own handlers log what comes and goes, which may name a patient.
    for kind in (evt.EVT_DIMSE_RECV, evt.EVT_DIMSE_SENT, evt.EVT_PDU_RECV, evt.EVT_PDU_SENT):
        bound: Any = event.assoc.get_handlers(kind)
        for handler, _ in list(bound):
            if handler.__module__.startswith("pynetdicom."):
                event.assoc.unbind(kind, handler)


class Connection:
    """A connection of pynetdicom, in front of the one that it made; what is not here is that one's."""

    def __init__(self, inner: AssociationSocket, association: Any) -> None:
        self._inner, self._association = inner, association
        self._greeted_by = time.monotonic() + GREETING
        raw: Any = inner.socket
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property
    def ready(self) -> bool:
        """Whether there is data, as soon as there is."""
        raw = self._inner.socket
        waiting = isinstance(raw, ssl.SSLSocket) and raw.pending() > 0
        if not waiting and raw is not None:
            with contextlib.suppress(OSError, ValueError):  # which the property tells to the state machine
                select.select([raw], [], [], PATIENCE)
        return self._inner.ready

    def recv(self, nr_bytes: int) -> bytearray:
        """Exactly so many bytes, or fewer where the peer is gone.

        Raises:
            OSError: more than a PDU may have, or too slow.
        """
        known = bool(self._association.is_established) or not self._association.is_acceptor
        raw: Any = self._inner.socket
        if nr_bytes > (LARGEST_PDU + PIECE if known else LARGEST_GREETING):
            with contextlib.suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError("a PDU is longer than this node takes")
        found = bytearray(min(nr_bytes, PIECE))
        at = 0
        while at < nr_bytes:
            left = SILENCE if known else self._greeted_by - time.monotonic()
            if left <= 0:
                raise TimeoutError("the peer did not say who it is in time")
            raw.settimeout(left)
            if hasattr(socket, "TCP_QUICKACK"):  # Linux forgets it each time
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            if at == len(found):
                found.extend(bytes(min(nr_bytes - at, len(found))))
            with memoryview(found) as rest:
                count = raw.recv_into(rest[at:])
            if not count:
                break
            at += count
        return found[:at]
