"""One thread a PACS: sends what is due, asks whether it is there, and says in plain words why it is not."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import timedelta

from pydicom.uid import generate_uid
from sqlalchemy.orm import Session

from ai_for_sudan.clinic.config import Config, Destination
from ai_for_sudan.clinic.delivery.peer import Away, Peer, Sending
from ai_for_sudan.clinic.store import Store, deliveries, jobs
from ai_for_sudan.clinic.store.tables import Delivery, Film, FilmReading, Result, Study, now

LOG = logging.getLogger(__name__)
#: results in one association
BATCH = 50
#: seconds between looks when nobody wakes it
PERIOD = 5.0
#: it is asked again after these, since some write down late what they took; then it counts as missing
ASK_AGAIN = tuple(timedelta(seconds=seconds) for seconds in (0.5, 2, 5))
#: how long a destination may take to answer for what it keeps (PS3.4 J.3.2 names no limit)
COMMITTING = timedelta(minutes=10)
#: how long a result whose file is gone waits to be made again
REMAKING = timedelta(seconds=10)


class Deliverer:
    """Sends to one PACS until it is stopped. Waiting for its confirmation never holds back what is to be sent."""

    def __init__(self, peer: Peer, destination: Destination, store: Store) -> None:
        self.name, self._confirmation = destination.name, destination.confirm
        self._peer, self._store = peer, store
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"deliver-{self.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=90)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            wait = PERIOD
            try:
                if self.work():
                    continue
                with self._store.reading() as session:
                    due = deliveries.next_due(session, self.name)
                if due is not None:
                    wait = min(max((due - now()).total_seconds(), 0.1), PERIOD)
            except Exception:  # whatever it is, the next look may be better
                LOG.exception("delivery", extra={"destination": self.name})
            self._wake.wait(wait)

    def work(self) -> int:
        """Send what is due and ask for what is due, once; the number of results that were dealt with."""
        try:
            return self._send_due() + self._confirm_due()
        except Away as error:
            LOG.warning("away", extra={"destination": self.name, "reason": str(error)})
            with self._store.writing() as session:
                deliveries.mark_away(session, self.name, str(error))
            return 1

    def _send_due(self) -> int:
        with self._store.reading() as session:
            due = [(delivery, self._sending(session, delivery, result)) for delivery, result in
                   deliveries.to_send(session, self.name, BATCH)]  # fmt: skip
        gone = [sending for _, sending in due if not sending.file.exists()]
        uncertain = [sending for delivery, sending in due if delivery.uncertain and sending not in gone]
        certain = [sending for delivery, sending in due if not delivery.uncertain and sending not in gone]
        if gone:
            self._make_again(gone)
        if waiting := certain + self._not_there(uncertain):
            self._send(waiting)
        return len(due)

    def _sending(self, session: Session, delivery: Delivery, result: Result) -> Sending:
        reading = session.get_one(FilmReading, result.reading_id)
        study = session.get_one(Study, session.get_one(Film, reading.film_id).study_id)
        file = self._store.results.path(result.file)
        return Sending(delivery.id, file, result.sop_class, result.sop_uid, result.series_uid, study.uid)

    def _make_again(self, gone: Sequence[Sending]) -> None:
        """Have results made again whose files are missing; the job says so where one cannot be."""
        LOG.warning("files of results are missing", extra={"destination": self.name, "count": len(gone)})
        with self._store.writing() as session:
            for sending in gone:
                result = session.get_one(Result, session.get_one(Delivery, sending.delivery).result_id)
                jobs.add(session, "results", f"{result.reading_id}/{result.occasion}".rstrip("/"))
                deliveries.put_off(session, [sending.delivery], "its file is missing; it is made again", REMAKING)

    def _not_there(self, uncertain: list[Sending]) -> list[Sending]:
        """Of results that may have been taken, those that were not."""
        if not uncertain or self._confirmation == "status":
            return uncertain
        try:
            there = self._peer.has(uncertain)
        except Away:  # what it says when something is sent tells more
            return uncertain
        if there:
            with self._store.writing() as session:
                deliveries.mark_confirmed(session, sorted(there))
        return [sending for sending in uncertain if sending.delivery not in there]

    def _send(self, results: Sequence[Sending]) -> None:
        outcomes = self._peer.send(results)
        with self._store.writing() as session:
            taken = [outcome.delivery for outcome in outcomes if outcome.state == "taken"]
            if taken:
                deliveries.mark_sent(session, taken, final=self._confirmation == "status")
                deliveries.mark_reached(session, self.name)
            for one in outcomes:
                if one.state in ("later", "uncertain"):
                    deliveries.mark_failed(session, [one.delivery], one.words, uncertain=one.state == "uncertain")
                elif one.state == "refused":
                    deliveries.mark_refused(session, [one.delivery], one.words)
        for one in outcomes:
            if one.words:
                LOG.warning(
                    "not taken", extra={"destination": self.name, "delivery": one.delivery, "reason": one.words}
                )

    def _confirm_due(self) -> int:
        with self._store.reading() as session:
            due = [(delivery, self._sending(session, delivery, result)) for delivery, result in
                   deliveries.to_confirm(session, self.name, BATCH)]  # fmt: skip
        if not due:
            return 0
        asked = {delivery.id: delivery.asked for delivery, _ in due}
        results = [sending for _, sending in due]
        try:
            if self._confirmation == "commitment":
                transaction = str(generate_uid())
                with self._store.writing() as session:  # before it is asked: the answer may be faster than its request
                    for delivery, count in asked.items():
                        deliveries.mark_asked(session, delivery, count + 1, wait=COMMITTING, commitment=transaction)
                self._peer.commit(results, transaction)
                return len(due)
            there = self._peer.has(results)
        except Away as error:  # what is to be sent goes on all the same
            LOG.warning("cannot be asked", extra={"destination": self.name, "reason": str(error)})
            with self._store.writing() as session:
                for delivery, count in asked.items():
                    wait = jobs.back_off(count + 1)
                    deliveries.mark_asked(session, delivery, count + 1, wait=wait, unasked=str(error))
            return len(due)
        words = f"{self.name} accepted it but does not have it; it is sent again"
        with self._store.writing() as session:
            if there:
                deliveries.mark_confirmed(session, sorted(there))
                deliveries.mark_reached(session, self.name)
            for delivery in asked.keys() - there:
                if (count := asked[delivery]) < len(ASK_AGAIN):
                    deliveries.mark_asked(session, delivery, count + 1, wait=ASK_AGAIN[count])
                else:
                    LOG.error("a PACS kept nothing", extra={"destination": self.name, "delivery": delivery})
                    deliveries.mark_missing(session, [delivery], words)
        return len(due)


class Deliverers:
    """All of them."""

    def __init__(self, config: Config, store: Store) -> None:
        self.all = [Deliverer(peer_of(config, there), there, store) for there in config.destinations]

    def start(self) -> None:
        for deliverer in self.all:
            deliverer.start()

    def wake(self) -> None:
        for deliverer in self.all:
            deliverer.wake()

    def stop(self) -> None:
        for deliverer in self.all:
            deliverer.stop()


def peer_of(config: Config, destination: Destination) -> Peer:
    if destination.protocol == "dicomweb":
        from ai_for_sudan.clinic.delivery.dicomweb import DicomWebPeer

        return DicomWebPeer(config, destination)
    from ai_for_sudan.clinic.delivery.dicom import DicomPeer

    return DicomPeer(config, destination)
