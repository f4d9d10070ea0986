"""One thread a PACS: sends what is due, asks whether it is there, and says in plain words why it is not."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from sqlalchemy import select

from ai_for_sudan.clinic.config import Config, Destination
from ai_for_sudan.clinic.delivery.peer import Away, Peer, Sending
from ai_for_sudan.clinic.store import Store, deliveries
from ai_for_sudan.clinic.store.tables import Delivery, Film, FilmReading, Result, Study

LOG = logging.getLogger(__name__)
#: results in one association
BATCH = 50
#: seconds between looks when nobody wakes it
PERIOD = 5.0
#: seconds after which it is asked again, since some write down late what they took; then it counts as missing
ASK_AGAIN = (0.0, 0.5, 2.0, 5.0)


class Deliverer:
    """Sends to one PACS until it is stopped."""

    def __init__(self, peer: Peer, destination: Destination, store: Store) -> None:
        self.name = destination.name
        self._peer, self._store = peer, store
        # What waited when the server started may have been taken just before it was killed: it is asked for first.
        with store.reading() as session:
            self._unsure = set(session.scalars(select(Delivery.id).where(Delivery.state == "waiting")))
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
            try:
                if self.work():
                    continue
            except Exception:  # whatever it is, the next look may be better
                LOG.exception("delivery", extra={"destination": self.name})
            self._wake.wait(PERIOD)

    def work(self) -> int:
        """Send and ask for what is due, once; the number of results that were dealt with."""
        with self._store.reading() as session:
            due = deliveries.next_batch(session, self.name, BATCH)
            sendings = {delivery.id: self._sending(session, result) for delivery, result in due}
            states = {delivery.id: delivery.state for delivery, _ in due}
        if not sendings:
            return 0
        named = [Sending(number, *facts) for number, facts in sendings.items()]
        waiting = [sending for sending in named if states[sending.delivery] == "waiting"]
        try:
            waiting = self._not_there_yet(waiting)
            taken = self._send(waiting) if waiting else []
            self._confirm([s for s in named if states[s.delivery] == "sent"] + taken)
        except Away as error:
            LOG.warning("away", extra={"destination": self.name, "reason": str(error)})
            with self._store.writing() as session:
                deliveries.mark_away(session, self.name, str(error))
        return len(named)

    def _sending(self, session, result: Result):  # type: ignore[no-untyped-def]
        reading = session.get_one(FilmReading, result.reading_id)
        study = session.get_one(Study, session.get_one(Film, reading.film_id).study_id)
        return self._store.results.path(result.file), result.sop_class, result.sop_uid, result.series_uid, study.uid

    def _not_there_yet(self, waiting: list[Sending]) -> list[Sending]:
        unsure = [sending for sending in waiting if sending.delivery in self._unsure]
        self._unsure -= {sending.delivery for sending in unsure}
        if not unsure:
            return waiting
        try:
            there = self._peer.has(unsure)
        except Away:  # what it says when something is sent tells more
            return waiting
        with self._store.writing() as session:
            deliveries.mark_confirmed(session, sorted(there))
        return [sending for sending in waiting if sending.delivery not in there]

    def _send(self, results: Sequence[Sending]) -> list[Sending]:
        outcomes = self._peer.send(results)
        by_state: dict[str, list[int]] = {}
        words: dict[int, str] = {}
        for outcome in outcomes:
            by_state.setdefault(outcome.state, []).append(outcome.delivery)
            words[outcome.delivery] = outcome.words
        with self._store.writing() as session:
            deliveries.mark_sent(session, by_state.get("taken", []))
            for delivery in by_state.get("later", []):
                deliveries.mark_failed(session, [delivery], words[delivery])
            for delivery in by_state.get("refused", []):
                deliveries.mark_refused(session, [delivery], words[delivery])
        for delivery, text in words.items():
            if text:
                LOG.warning("not taken", extra={"destination": self.name, "delivery": delivery, "reason": text})
        taken = set(by_state.get("taken", []))
        return [sending for sending in results if sending.delivery in taken]

    def _confirm(self, results: Sequence[Sending]) -> None:
        missing = list(results)
        for seconds in ASK_AGAIN:
            if not missing or self._stopping.wait(seconds):
                break
            there = self._peer.has(missing)
            if there:
                with self._store.writing() as session:
                    deliveries.mark_confirmed(session, sorted(there))
                    deliveries.mark_reached(session, self.name)
                missing = [sending for sending in missing if sending.delivery not in there]
        if missing and not self._stopping.is_set():
            words = f"{self.name} accepted it but does not have it; it is sent again"
            LOG.error("a PACS kept nothing", extra={"destination": self.name, "count": len(missing)})
            with self._store.writing() as session:
                deliveries.mark_missing(session, [sending.delivery for sending in missing], words)


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
