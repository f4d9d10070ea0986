"""The watched folder: whatever program puts films there, each is taken once it is whole."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ai_for_sudan.clinic.arrivals import OwnResult, Received, receive
from ai_for_sudan.clinic.config import Config
from ai_for_sudan.clinic.pseudonyms import Pseudonyms
from ai_for_sudan.clinic.store import DiskFull, Store, settings
from ai_for_sudan.errors import UnreadableFilm

LOG = logging.getLogger(__name__)
PERIOD = 1.0
#: what is still being written is called so by those that write
UNFINISHED = (".part", ".tmp", ".crdownload", ".filepart", "~")

#: size and time of the last change: the same for some seconds, a file is whole
Mark = tuple[int, int]


class FolderWatch:
    """Looks through a folder once a second: works on every file system, also on one of the network.

    A file that stays where it is, is remembered by name, size and time, also over a restart, and not taken again.
    """

    def __init__(
        self, config: Config, store: Store, received: Callable[[Received], None], pseudonyms: Pseudonyms | None = None
    ) -> None:
        self.folder = Path(config.folder.path) if config.folder.path else None
        self.problem = ""
        self._delete = config.folder.delete
        self._quiet = config.folder.quiet_seconds
        self._rule = config.arrivals
        self._store, self._received, self._pseudonyms = store, received, pseudonyms
        self._waiting: dict[str, tuple[Mark, float]] = {}
        self._taken: dict[str, Mark] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="folder", daemon=True)

    def start(self) -> None:
        if self.folder is None:
            return
        with self._store.reading() as session:
            kept = settings.get(session, "folder.taken") or {}
        self._taken = {name: (mark[0], mark[1]) for name, mark in kept.items()}
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    def _run(self) -> None:
        while not self._stop.wait(PERIOD):
            try:
                self.look()
                self.problem = ""
            except DiskFull as error:
                self.problem = str(error)
            except OSError as error:
                self.problem = f"{self.folder}: {error.strerror or error}"
            except Exception as error:
                self.problem = str(error)
                LOG.exception("watched folder")

    def look(self) -> int:
        """Look once; the number of files that were taken.

        Raises:
            DiskFull: there is no space; the files stay and are taken later.
            OSError: the folder cannot be read.
        """
        assert self.folder is not None
        found = dict(self._files(self.folder))
        moment = time.monotonic()
        self._waiting = {name: entry for name, entry in self._waiting.items() if name in found}
        gone = [name for name in self._taken if name not in found]
        for name in gone:
            del self._taken[name]
        count = 0
        for name, mark in sorted(found.items(), key=lambda item: item[1][1]):
            if self._taken.get(name) == mark or self._stop.is_set():
                continue
            before, since = self._waiting.get(name, (None, moment))
            if before != mark:
                self._waiting[name] = (mark, moment)
            elif moment - since >= self._quiet:
                self._take(Path(name))
                self._taken[name] = mark
                del self._waiting[name]
                count += 1
        if count or gone:
            with self._store.writing() as session:
                settings.put(session, "folder.taken", {name: list(mark) for name, mark in self._taken.items()})
        return count

    def _files(self, folder: Path) -> Iterator[tuple[str, Mark]]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.endswith(UNFINISHED):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    try:
                        yield from self._files(Path(entry.path))
                    except OSError as error:  # one closed folder does not end the others
                        self.problem = f"{entry.path}: {error.strerror}"
                elif entry.is_file(follow_symlinks=False):
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    yield entry.path, (found.st_size, found.st_mtime_ns)

    def _take(self, file: Path) -> None:
        self._store.films.check_room(file.stat().st_size)
        with self._store.films.open_incoming() as copy, file.open("rb") as source:
            try:
                shutil.copyfileobj(source, copy, 1 << 20)
            except OSError:
                Path(copy.name).unlink(missing_ok=True)
                raise
        name = file.suffix.lower()[:8] or "no suffix"  # names of files are often names of patients
        try:
            received = receive(
                self._store, Path(copy.name), origin="folder", source=name, file_name=file.name,
                pseudonyms=self._pseudonyms, rule=self._rule,
            )  # fmt: skip
        except OwnResult:
            return
        except UnreadableFilm as error:
            LOG.warning("a file in the watched folder is not a film", extra={"code": error.code})
            return
        if self._delete:
            file.unlink(missing_ok=True)
        self._received(received)
