"""A PACS by DICOM: C-STORE over one association for many results, then C-FIND to see what it kept."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined,unused-ignore]
    Comprehensive3DSRStorage,
    SecondaryCaptureImageStorage,
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

from ai_for_sudan.clinic import connections
from ai_for_sudan.clinic.config import Config, Destination
from ai_for_sudan.clinic.delivery.peer import Away, Outcome, Sending
from ai_for_sudan.radiographs import one_line

LOG = logging.getLogger(__name__)
PLAIN = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
#: what a store proposes: pictures plain, and apart from it as they are
STORING = [
    (Comprehensive3DSRStorage, PLAIN),
    (SecondaryCaptureImageStorage, PLAIN),
    (SecondaryCaptureImageStorage, [JPEGBaseline8Bit]),
]
#: seconds
CONNECTING, ANSWERING = 10, 60

#: status (PS3.4 B.2.3, PS3.7 C) -> what a person can make of it
WORDS = {
    0xA700: "it has no space (its disk may be full)",
    0xA900: "it reports that the object does not match its class",
    0xC000: "it reports that it cannot understand the object",
    0x0110: "it reports an internal error",
    0x0122: "it does not accept this class of objects",
    0x0124: "it does not allow this clinic to store",
    0x0117: "it reports that the object's UID is not valid",
}
DUPLICATE = 0x0111
LATER = {0xA700, 0x0110, 0x0213}


class DicomPeer:
    """One PACS of the configuration."""

    def __init__(self, config: Config, destination: Destination) -> None:
        self._config, self._destination = config, destination
        self.name = destination.name

    def send(self, results: Sequence[Sending]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        with self._association(STORING) as association:
            accepted = {(str(c.abstract_syntax), str(c.transfer_syntax[0])) for c in association.accepted_contexts}
            for number, sending in enumerate(results):
                try:
                    recoded = _recoded(sending.file, accepted)
                except _NotAccepted as problem:
                    outcomes.append(Outcome(sending.delivery, "refused", f"{self.name}: {problem}"))
                    continue
                status = association.send_c_store(recoded, msg_id=number % 65535 + 1)
                if not status:
                    words = f"{self.name} ended the association while a result was being sent"
                    return [*outcomes, Outcome(sending.delivery, "uncertain", words)]
                outcomes.append(self._outcome(sending, int(status.Status), str(status.get("ErrorComment", ""))))
        return outcomes

    def _outcome(self, sending: Sending, status: int, comment: str) -> Outcome:
        if status == 0 or status & 0xF000 == 0xB000 or status == DUPLICATE:
            return Outcome(sending.delivery, "taken")
        family = next((s for s in (status, status & 0xFF00, status & 0xF000) if s in WORDS), None)
        words = WORDS[family] if family is not None else "it answered with an error"
        comment = f", it adds: {one_line(comment)[:64]}" if comment else ""
        state = "later" if status in LATER or status & 0xFF00 == 0xA700 else "refused"
        return Outcome(sending.delivery, state, f"{self.name} did not accept it: {words} ({status:04X}H){comment}")

    def has(self, results: Sequence[Sending]) -> set[int]:
        found: set[int] = set()
        with self._association([(StudyRootQueryRetrieveInformationModelFind, PLAIN)]) as association:
            if not association.accepted_contexts:
                raise Away(f"{self.name} cannot be asked what it holds: it does not answer C-FIND for this clinic")
            for series in {(sending.study_uid, sending.series_uid) for sending in results}:
                query = Dataset()
                query.QueryRetrieveLevel = "IMAGE"
                query.StudyInstanceUID, query.SeriesInstanceUID = series
                query.SOPInstanceUID = ""
                mine = {s.sop_uid: s.delivery for s in results if (s.study_uid, s.series_uid) == series}
                if len(mine) == 1:
                    query.SOPInstanceUID = next(iter(mine))
                for status, answer in association.send_c_find(query, StudyRootQueryRetrieveInformationModelFind):
                    if not status:
                        raise Away(f"{self.name} ended the association during a query")
                    if status.Status in (0xFF00, 0xFF01) and answer is not None:
                        uid = str(answer.get("SOPInstanceUID", ""))
                        if uid in mine:
                            found.add(mine[uid])
                    elif status.Status != 0:
                        raise Away(f"{self.name} could not report what it holds (C-FIND status {status.Status:04X}H)")
        return found

    def commit(self, results: Sequence[Sending], transaction: str) -> None:
        request = Dataset()
        request.TransactionUID = transaction
        request.ReferencedSOPSequence = []
        for sending in results:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sending.sop_class, sending.sop_uid
            request.ReferencedSOPSequence.append(item)
        with self._association([(StorageCommitmentPushModel, PLAIN)]) as association:
            if not association.accepted_contexts:
                raise Away(f"{self.name} does not offer Storage Commitment: set confirm to query or status")
            status, _ = association.send_n_action(
                request, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
            )
            if not status or status.Status != 0:
                code = f"{status.Status:04X}H" if status else "no answer"
                raise Away(f"{self.name} did not take the request for Storage Commitment ({code})")

    def check(self) -> str:
        with self._association([(Verification, PLAIN)]) as association:
            status = association.send_c_echo()
            if not status or status.Status != 0:
                raise Away(f"{self.name} accepts the association but does not answer C-ECHO")
        how = self._destination.confirm
        if how == "status":
            return "answers C-ECHO; its answer to C-STORE is all that is known of what it keeps"
        kind, name = (
            (StudyRootQueryRetrieveInformationModelFind, "C-FIND") if how == "query" else
            (StorageCommitmentPushModel, "Storage Commitment")
        )  # fmt: skip
        with self._association([(kind, PLAIN)]) as association:
            if not association.accepted_contexts:
                raise Away(
                    f"{self.name} answers C-ECHO, but not {name}: what it accepted is sent, but cannot be confirmed; "
                    "set 'confirm' of this destination to query, commitment or status"
                )
        return f"answers C-ECHO and {name}"

    @contextmanager
    def _association(self, contexts: Sequence[tuple[str, Sequence[str]]]) -> Iterator[Association]:
        there = self._destination
        ae = AE(ae_title=self._config.node.title)
        ae.connection_timeout, ae.acse_timeout = CONNECTING, CONNECTING
        ae.dimse_timeout = ae.network_timeout = ANSWERING
        ae.maximum_pdu_size = connections.LARGEST_PDU
        for kind, syntaxes in contexts:
            ae.add_requested_context(kind, list(syntaxes))
        association = ae.associate(
            there.host,
            there.port,
            ae_title=there.title,
            tls_args=(self._tls(), there.host) if there.tls else None,
            evt_handlers=[(evt.EVT_CONN_OPEN, connections.opened)],
        )
        try:
            if association.is_rejected:
                raise Away(
                    f"{there.name} at {there.host}:{there.port} refused the association: it must know the AE title "
                    f"'{self._config.node.title}' and be called '{there.title}'"
                )
            # One that takes none of the contexts is aborted by pynetdicom after it was accepted.
            if not association.is_established and not association.rejected_contexts:
                raise Away(
                    f"{there.name} does not answer at {there.host}:{there.port}: it is switched off or disconnected, "
                    "or the address is wrong"
                )
            if not association.is_established and contexts is STORING:
                raise Away(f"{there.name} accepts neither reports nor pictures (SR, SC) from this clinic")
            yield association
        finally:
            if association.is_established:
                association.release()

    def _tls(self) -> ssl.SSLContext:
        authority = self._destination.tls_authority
        try:
            context = ssl.create_default_context(cafile=str(self._config.path(authority)) if authority else None)
            web = self._config.web
            if web.certificate and self._config.path(web.certificate).exists():
                context.load_cert_chain(self._config.path(web.certificate), self._config.path(web.key))
        except (OSError, ssl.SSLError) as error:
            raise Away(f"{self.name}: the certificate for TLS cannot be used: {error}") from error
        return context


class _NotAccepted(Exception):
    """A result of a kind, or in a coding, that a PACS does not take."""


def _recoded(file: Path, accepted: set[tuple[str, str]]) -> Path | Dataset:
    """A result in a coding that was accepted: as it lies on the disk, if that is one.

    Raises:
        _NotAccepted: why it cannot be sent.
    """
    meta = read_file_meta_info(file)
    kind, syntax = meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID
    if (kind, syntax) in accepted:
        return file
    plain = [uid for uid in PLAIN if (kind, uid) in accepted]
    if not plain:
        raise _NotAccepted(f"it does not accept {kind.name}")
    dataset = dcmread(file)
    if syntax == JPEGBaseline8Bit:
        dataset.decompress(as_rgb=True, generate_instance_uid=False)
        dataset.PhotometricInterpretation = "RGB"
    dataset.file_meta.TransferSyntaxUID = plain[0]
    return dataset
