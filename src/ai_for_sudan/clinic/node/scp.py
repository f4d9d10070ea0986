"""C-ECHO and C-STORE, by pynetdicom: who may send, what is taken, and what is answered (PS3.4 B.2.3)."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydicom.uid import UID
from pynetdicom import AE, DEFAULT_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification  # type: ignore[attr-defined,unused-ignore]

from ai_for_sudan.clinic import connections
from ai_for_sudan.clinic.arrivals import OwnResult, Received, receive
from ai_for_sudan.clinic.config import Config, Modality
from ai_for_sudan.clinic.node.syntaxes import decodable
from ai_for_sudan.clinic.pseudonyms import Pseudonyms
from ai_for_sudan.clinic.store import DiskFull, Store, deliveries
from ai_for_sudan.clinic.store.tables import now
from ai_for_sudan.contract.limits import LARGEST_FILE
from ai_for_sudan.errors import UnreadableFilm, UserError
from ai_for_sudan.radiographs import one_line

LOG = logging.getLogger(__name__)

SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND, MISMATCH, NOT_ALLOWED = 0x0000, 0xA700, 0xC000, 0xA900, 0x0124
#: connections that may wait to be taken; who finds no place there tries again a second later
KNOCKING = 128
#: connections from one address at once; a modality opens one or a few
FROM_ONE_ADDRESS = 32


@dataclass(frozen=True)
class Refusal:
    """An association that was refused: `clinic doctor` says how to allow it."""

    title: str
    address: str
    reason: str
    at: datetime


class DicomNode:
    """The node of a clinic.

    Args:
        received: called after each film that was taken, in the thread of its association.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        received: Callable[[Received], None],
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        self.config, self.store = config, store
        self.refusals: deque[Refusal] = deque(maxlen=50)
        self.stored = 0
        self.refused_full = 0
        self._received, self._pseudonyms = received, pseudonyms
        self._lock = threading.Lock()
        self._server: Any = None

    @property
    def port(self) -> int:
        return int(self._server.socket.getsockname()[1])

    def listening(self) -> bool:
        return self._server is not None and self._server.socket.fileno() >= 0

    def start(self) -> None:
        """
        Raises:
            UserError: the port is taken, or a certificate cannot be used.
        """
        node = self.config.node
        ae = AE(ae_title=node.title)
        # Counted below, among those that have said who they are: port checks must not lock modalities out.
        ae.maximum_associations = 10_000
        ae.maximum_pdu_size = connections.LARGEST_PDU
        ae.network_timeout = ae.dimse_timeout = connections.SILENCE
        ae.acse_timeout = connections.GREETING
        contexts: list[PresentationContext] = [
            _Context(context.abstract_syntax, decodable())
            for context in AllStoragePresentationContexts
            if context.abstract_syntax not in self.config.arrivals.refuse_classes
        ]
        contexts.append(_Context(Verification, DEFAULT_TRANSFER_SYNTAXES))
        commitment = _Context(StorageCommitmentPushModel, DEFAULT_TRANSFER_SYNTAXES)
        commitment.scu_role, commitment.scp_role = True, True  # who answers for what it keeps is the SCP (PS3.4 J.3)
        contexts.append(commitment)
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, self._opened),
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_ECHO, lambda event: SUCCESS),
            (evt.EVT_N_EVENT_REPORT, self._committed),
            (evt.EVT_PDU_RECV, self._piece),
            (evt.EVT_CONN_CLOSE, self._closed),
        ]
        try:
            self._server = ae.start_server(
                (node.host, node.port), block=False, contexts=contexts, evt_handlers=handlers, ssl_context=self._tls()
            )
            self._server.socket.listen(KNOCKING)
        except (OSError, OverflowError) as error:
            raise UserError(
                f"cannot receive films at {node.host}:{node.port}: {error}; choose another 'port' under [node]"
            ) from error
        LOG.info("node is open", extra={"port": self.port, "title": node.title})

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.ae.shutdown()

    def _tls(self) -> ssl.SSLContext | None:
        if not self.config.node.tls:
            return None
        web = self.config.web
        context = _Tls(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.config.path(web.certificate), self.config.path(web.key))
            if self.config.node.tls_clients:
                context.load_verify_locations(self.config.path(self.config.node.tls_clients))
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError) as error:
            raise UserError(f"[node] tls: the certificate cannot be used: {error}") from error
        return context

    def _opened(self, event: evt.Event) -> None:
        """Bound what a connection may send; hang up where one address has too many."""
        connections.opened(event)
        address = event.assoc.requestor.address
        others = [one for one in self._server.ae.active_associations if one.requestor.address == address]
        if len(others) >= FROM_ONE_ADDRESS:
            connection: Any = event.assoc.dul.socket
            connection.socket.shutdown(socket.SHUT_RDWR)

    def _requested(self, event: evt.Event) -> None:
        """Refuse who is not on the list: A-ASSOCIATE-RJ, calling AE title not recognised (PS3.8 9.3.4)."""
        request: Any = event.assoc.requestor.primitive
        if self._talking() >= self.config.node.associations:
            self._refuse(event, 0x02, 0x03, 0x02)  # transient, local limit exceeded
            return
        title, called = str(request.calling_ae_title).strip(), str(request.called_ae_title).strip()
        address = str(event.assoc.requestor.address)
        if called != self.config.node.title:
            reason, diagnostic = f"it called '{_plain(called)}', this node is '{self.config.node.title}'", 0x07
        elif not (self._may_send(title, address) or self._answers(title)):
            reason, diagnostic = "it is not among the [[node.modalities]]", 0x03
        else:
            return
        self.refusals.append(Refusal(_plain(title), address, reason, now()))
        LOG.warning("association refused", extra={"title": _plain(title), "address": address, "reason": reason})
        self._refuse(event, 0x01, 0x01, diagnostic)

    def _may_send(self, title: str, address: str) -> bool:
        return any(_is(modality, title, address) for modality in self.config.node.modalities)

    def _answers(self, title: str) -> bool:
        """Whether this is a destination that answers for what it keeps; it may do that and nothing else."""
        return any(there.confirm == "commitment" and there.title == title for there in self.config.destinations)

    def _committed(self, event: evt.Event) -> tuple[int, None]:
        """N-EVENT-REPORT of a storage commitment (PS3.4 J.3.3)."""
        said = event.event_information
        kept = [str(item.ReferencedSOPInstanceUID) for item in said.get("ReferencedSOPSequence", None) or []]
        failed = {
            str(item.ReferencedSOPInstanceUID): (
                f"it accepted it but does not answer for keeping it ({int(item.get('FailureReason', 0) or 0):04X}H); "
                "it is sent again"
            )
            for item in said.get("FailedSOPSequence", None) or []
        }
        with self.store.writing() as session:
            count = deliveries.commit(session, str(said.get("TransactionUID", "")), kept, failed)
        LOG.info("storage commitment", extra={"results": count, "failed": len(failed)})
        return SUCCESS, None

    def _talking(self) -> int:
        return sum(one.is_acceptor and one.is_established for one in self._server.ae.active_associations)

    def _refuse(self, event: evt.Event, result: int, source: int, diagnostic: int) -> None:
        event.assoc.acse.send_reject(result, source, diagnostic)
        event.assoc.is_rejected = True
        event.assoc.kill()

    def _store(self, event: evt.Event) -> int:
        file = Path(event.dataset_path)
        source = _plain(event.assoc.requestor.ae_title)
        started = time.perf_counter()
        try:
            if not self._may_send(str(event.assoc.requestor.ae_title).strip(), str(event.assoc.requestor.address)):
                return NOT_ALLOWED
            file = self.store.films.take_in(file)
            request: Any = event.request
            received = receive(
                self.store, file, origin="dicom", source=source, pseudonyms=self._pseudonyms,
                rule=self.config.arrivals,
                announced=(str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)),
            )  # fmt: skip
        except DiskFull:
            with self._lock:
                self.refused_full += 1
            LOG.error("disk full: a film was refused", extra={"source": source})
            return OUT_OF_RESOURCES
        except OwnResult:
            return SUCCESS
        except UnreadableFilm as error:
            LOG.warning("a film was refused", extra={"source": source, "code": error.code})
            return MISMATCH if error.code == "mismatch" else CANNOT_UNDERSTAND
        except Exception:  # the modality must get an answer whatever happens, and send again
            LOG.exception("a film could not be received", extra={"source": source})
            return OUT_OF_RESOURCES
        finally:
            file.unlink(missing_ok=True)
        with self._lock:
            self.stored += 1
        LOG.info(
            "stored",
            extra={
                "film": received.film, "new": received.new, "conflict": received.conflict, "source": source,
                "ms": round((time.perf_counter() - started) * 1e3),
            },
        )  # fmt: skip
        self._received(received)
        return SUCCESS

    def _piece(self, event: evt.Event) -> None:
        """End what grows beyond any film, before it fills the disk."""
        part = _part(event)
        if part is not None and part.tell() > LARGEST_FILE:
            LOG.warning(
                "association ended: a film larger than 300 MB", extra={"source": _plain(event.assoc.requestor.ae_title)}
            )
            event.assoc.abort()

    def _closed(self, event: evt.Event) -> None:
        """A modality that goes away in the middle leaves nothing behind, one that only knocked no waiting thread."""
        if event.assoc.requestor.primitive is None:
            waiting: Any = event.assoc.dul.to_user_queue
            waiting.put(None)  # for what waits for it to say who it is
        part = _part(event)
        if part is not None and not part.closed:
            part.close()
            Path(part.name).unlink(missing_ok=True)


class _Context(PresentationContext):
    """Asked of in every association and changed in none: hundreds, which pynetdicom would copy for each port check."""

    def __init__(self, abstract_syntax: UID | None, transfer_syntaxes: Iterable[UID | str]) -> None:
        super().__init__()
        self.abstract_syntax = abstract_syntax
        self.transfer_syntax = list(transfer_syntaxes)

    def __deepcopy__(self, memo: object) -> _Context:
        return self


class _Tls(ssl.SSLContext):
    """Greets each peer in the thread of its own association: one that connects and says nothing holds nobody up."""

    def wrap_socket(self, sock: socket.socket, *args: Any, **more: Any) -> ssl.SSLSocket:
        return super().wrap_socket(sock, *args, **more | {"do_handshake_on_connect": False})


def _part(event: evt.Event) -> Any:
    """The file of the film that an association is sending; pynetdicom has no public name for it."""
    return getattr(event.assoc.dimse.message, "_data_set_file", None)


def _is(modality: Modality, title: str, address: str) -> bool:
    return modality.title.strip() == title and modality.address in ("", address)


def _plain(text: Any) -> str:
    return one_line(str(text).strip())[:16]
