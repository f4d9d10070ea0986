"""The clinic: store, node, watched folder, workers and deliveries, in one process that one person can understand."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ai_for_sudan.clinic.arrivals import Received, adopt_orphans, receive
from ai_for_sudan.clinic.care import permissions
from ai_for_sudan.clinic.config import Config
from ai_for_sudan.clinic.delivery import Deliverers
from ai_for_sudan.clinic.folder import FolderWatch
from ai_for_sudan.clinic.node import DicomNode
from ai_for_sudan.clinic.pseudonyms import Pseudonyms
from ai_for_sudan.clinic.store import DATABASE, Store, database, deliveries, jobs, trail
from ai_for_sudan.clinic.store.tables import now
from ai_for_sudan.clinic.work import OpenReader, Workers
from ai_for_sudan.processes import cores

LOG = logging.getLogger(__name__)


@dataclass
class Clinic:
    """All of a running clinic; the pages are made over it.

    Attributes:
        store: database and films.
        reader: what reads.
    """

    config: Config
    store: Store
    reader: OpenReader
    started_at: datetime = field(default_factory=now)
    _lock: contextlib.ExitStack | None = None

    @classmethod
    def open(cls, config: Config) -> Clinic:
        """Take the data folder for this process, bring the database up to date, open the reader.

        Raises:
            UserError: another server has the folder, the database is newer than this program, no such reader, or one
                that fails its self-test.
        """
        folder = config.storage.folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = database.lock(folder / DATABASE)
        try:
            if database.is_older(folder / DATABASE):
                from ai_for_sudan.clinic.care.backup import back_up

                back_up(config, films=False, reason="before-upgrade")
            store = Store.open(folder)
            if opened := permissions.repair(folder):
                LOG.warning("others could read the clinic's folder", extra={"repaired": opened})
            store.set_keep_free(config.storage.keep_free)
            reader = OpenReader(config.reading.reader, config.reading.operating_point)
        except BaseException:
            lock.close()
            raise
        return cls(config, store, reader, _lock=lock)

    def __post_init__(self) -> None:
        self.pseudonyms = Pseudonyms(self.store.folder) if self.config.storage.pseudonymise else None
        self.deliverers = Deliverers(self.config, self.store)
        count, site = self.config.reading.workers or cores(), self.config.site
        self.workers = Workers(self.store, self.reader, count, self.deliverers.wake, site.language, site.name)
        self.node = DicomNode(self.config, self.store, self._received, self.pseudonyms)
        self.folder = FolderWatch(self.config, self.store, self._received, self.pseudonyms)
        self.housekeeper = Housekeeper(self)

    def start(self) -> None:
        """Begin to work; returns at once.

        Raises:
            UserError: a port is taken, or a certificate cannot be used.
        """
        swept = self.store.films.sweep()
        orphans = adopt_orphans(self.store, self.pseudonyms)
        with self.store.writing() as session:
            woken = jobs.wake(session)
            deliveries.set_destinations(
                session,
                {there.name: there.kinds for there in self.config.destinations},
                {there.name: there.confirm for there in self.config.destinations},
            )
            trail.record(
                session, "system", "server.started", reader=self.reader.title, reader_file=self.reader.file,
                woken=woken, swept=swept, orphans=orphans,
            )  # fmt: skip
        if self.config.node.enabled:
            self.node.start()
        self.workers.start()
        self.deliverers.start()
        self.folder.start()
        self.housekeeper.start()

    def stop(self) -> None:
        """End in order: nothing new is taken, films that are being read are read to their end."""
        self.housekeeper.stop()
        self.folder.stop()
        self.node.stop()
        self.workers.stop()
        self.deliverers.stop()
        with self.store.writing() as session:
            trail.record(session, "system", "server.stopped")
        self.store.close()
        if self._lock is not None:
            self._lock.close()

    def receive(self, file: Path, **how: Any) -> Received:
        """Take a whole file over, from wherever; see :func:`ai_for_sudan.clinic.arrivals.receive`."""
        received = receive(self.store, file, pseudonyms=self.pseudonyms, rule=self.config.arrivals, **how)
        self._received(received)
        return received

    def _received(self, received: Received) -> None:
        if received.new:
            self.workers.wake()


class Housekeeper:
    """Once a minute: the heartbeat, the clock, retention, backups, and jobs that are long done."""

    PERIOD = 60.0

    def __init__(self, clinic: Clinic) -> None:
        self._clinic = clinic
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=60)

    def tasks(self) -> list[Callable[[], object]]:
        from ai_for_sudan.clinic.care import backup, clock, retention

        clinic = self._clinic
        return [
            lambda: clock.beat(clinic.store),
            lambda: retention.retain(clinic.config, clinic.store),
            lambda: backup.back_up_when_due(clinic.config, clinic.store),
            lambda: _forget(clinic.store),
            _give_back_memory,
        ]

    def _run(self) -> None:
        while True:
            for task in self.tasks():
                if self._stop.is_set():
                    return
                try:
                    task()
                except Exception:  # the next minute may be better; `doctor` reports what stays wrong
                    LOG.exception("housekeeping")
            if self._stop.wait(self.PERIOD):
                return


def _forget(store: Store) -> None:
    with store.writing() as session:
        jobs.forget(session)


def _give_back_memory() -> None:
    """glibc keeps what each thread once needed; the machine has other things to do with it."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
