"""The workers: threads that take jobs from the store, read films and make results of what they read."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sqlalchemy.orm import Session

from ai_for_sudan.clinic.arrays import packed
from ai_for_sudan.clinic.results import Made, keep_results, make_results, objects, source_of
from ai_for_sudan.clinic.results.identifiers import Source
from ai_for_sudan.clinic.store import Store, films, jobs, trail
from ai_for_sudan.clinic.store.tables import Film, FilmReading, Job, now
from ai_for_sudan.errors import UnreadableFilm, UserError
from ai_for_sudan.reading import Reader, Reading
from ai_for_sudan.reading.reader import find_reader
from ai_for_sudan.reading.reading import Terms

LOG = logging.getLogger(__name__)
#: a film that took the whole process with it so often is answered as failed
MOST_ATTEMPTS = 3
#: how long a worker sleeps when nobody wakes it
IDLE_SECONDS = 5.0


class OpenReader:
    """The reader of a clinic, opened once and safe to use from every worker."""

    def __init__(self, name: str, operating_point: str) -> None:
        path = find_reader(name)
        self.path = path
        self.file = hashlib.sha256(path.read_bytes()).hexdigest()
        self.reader = Reader.open(path)
        self.point = self.reader.card.operating_point(operating_point or None)

    @property
    def title(self) -> str:
        return self.reader.card.title

    def read(self, path: Path, name: str) -> tuple[FilmReading, np.ndarray | None]:
        """Read a film's file: a row that is not in the store yet, and the decoded film, uint8 ``(H, W)``."""
        reading = self.reader.read(path, operating_point=self.point.name)
        return self._row(reading, name), reading.pixels

    def _row(self, reading: Reading, name: str) -> FilmReading:
        line = {**reading.to_dict(log=True), "file": name}
        pixels = reading.pixels
        return FilmReading(
            reader=reading.reader,
            reader_file=self.file,
            operating_point=reading.operating_point,
            threshold=reading.suspected_from,
            not_seen_below=reading.not_seen_below,
            status=reading.status,
            probability=reading.probability,
            side=reading.side,
            right_lung=reading.right_lung,
            left_lung=reading.left_lung,
            abnormal=reading.abnormal,
            codes=list(line["codes"]),
            reasons=list(line["reasons"]),
            warnings=[list(warning) for warning in reading.warnings],
            line=line,
            pixels="" if pixels is None else _digest(pixels),
            height=None if pixels is None else pixels.shape[0],
            width=None if pixels is None else pixels.shape[1],
            heatmap=None if reading.heatmap is None else packed(reading.heatmap.astype(np.float16)),
            heatmap_reference=reading.heatmap_reference,
            lungs=_lungs(reading),
            elapsed_ms=reading.elapsed_ms,
            read_at=now(),
        )

    def lost(self, name: str) -> FilmReading:
        """What is kept of a film that took the process with it each time."""
        error = UnreadableFilm(
            "worker_lost",
            "the program ended each time it read this film, perhaps because it ran out of memory; show the film to a "
            "person",
        )
        return self._row(Reading.unread(Terms.of(self.reader.card, self.point), name, error), name)


def _digest(pixels: np.ndarray) -> str:
    return hashlib.sha256(str(pixels.shape).encode() + np.ascontiguousarray(pixels).data).hexdigest()


def _lungs(reading: Reading) -> bytes | None:
    return None if reading.lungs is None else packed((reading.lungs * 255 + 0.5).clip(0, 255).astype(np.uint8))


class Workers:
    """Some threads that do the jobs of a store until :meth:`stop`.

    Args:
        new_results: called after results were made, to wake who delivers them.
        language, site: of the clinic, for the pictures, and its name, for what a person verified.
    """

    def __init__(
        self,
        store: Store,
        reader: OpenReader,
        count: int,
        new_results: Callable[[], None] = lambda: None,
        language: str = "en",
        site: str = "",
    ) -> None:
        self.store, self.reader = store, reader
        self.read_films = 0
        self.reading_seconds = 0.0
        self._new_results, self._language, self._site = new_results, language, site
        self._stopping = False
        self._work = threading.Condition()
        #: jobs whose end could not be written: their rows say that they run
        self._left: deque[int] = deque()
        self._signals = 0
        self._threads = [threading.Thread(target=self._run, name=f"worker-{n}", daemon=True) for n in range(count)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """There is something to do."""
        with self._work:
            self._signals += 1
            self._work.notify()

    def stop(self) -> None:
        """Let every worker end the film that it reads."""
        with self._work:
            self._stopping = True
            self._work.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=30)

    @property
    def count(self) -> int:
        return len(self._threads)

    def alive(self) -> int:
        return sum(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        job: Job | None = None
        while job is not None or not self._stopping:
            seen = self._signals
            try:
                job = self._do(job) if job is not None else self._first()
            except Exception:  # a full disk, a locked database: whatever it is, it may pass
                LOG.exception("a job could not be taken or ended")
                if job is not None:
                    self._left.append(job.id)
                job = None
                time.sleep(1)
            if job is None:
                with self._work:
                    if self._signals == seen and not self._stopping:
                        self._work.wait(IDLE_SECONDS)

    def _first(self) -> Job | None:
        with self.store.writing() as session:
            left = list(self._left)
            for number in left:
                jobs.put_back(session, number, "it could not be ended: the disk was full, or the database busy")
            following = self._take(session)
        for number in left:
            self._left.remove(number)
        return following

    def _take(self, session: Session) -> Job | None:
        return None if self._stopping else jobs.take(session, ("read", "results"))

    def _do(self, job: Job) -> Job | None:
        """Do a job; the next one, taken in the transaction that ended it: each waits for the disk."""
        try:
            if job.kind == "read":
                following = self._read(job)
            else:
                reading, _, occasion = job.key.partition("/")
                make_results(self.store, int(reading), occasion, self._language, self._site)
                with self.store.writing() as session:
                    jobs.end(session, job.id)
                    following = self._take(session)
            self._new_results()
        except Exception as error:  # put back with its reason; other jobs go on
            LOG.exception("job failed", extra={"job": job.kind, "key": job.key})
            words = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            with self.store.writing() as session:
                jobs.put_back(session, job.id, words.splitlines()[0][:300], attempts=50)
                following = self._take(session)
        return following

    def _read(self, job: Job) -> Job | None:
        with self.store.reading() as session:
            film = session.get_one(Film, int(job.key))
            before = session.get(Film, film.conflict_id) if film.conflict_id else None
            same = films.same_reading(session, film, self.reader.file, self.reader.point.name)
            copied = None if same is None else films.copy_of(same)
            source, last = source_of(session, film), trail.head(session)
        if before is not None and before.status == "waiting" and job.attempts < MOST_ATTEMPTS:
            with self.store.writing() as session:  # whether they are one film is known once the first one is read
                jobs.put_back(session, job.id, "another film under its UID is read first")
                return self._take(session)
        started = time.perf_counter()
        pixels = None
        if copied is not None:
            row = copied
        elif job.attempts > MOST_ATTEMPTS:
            row = self.reader.lost(film.file)
        else:
            row, pixels = self.reader.read(self.store.films.path(film.file), film.file)
            self.read_films += 1
            self.reading_seconds += time.perf_counter() - started
        made, digests = self._results(source, row, pixels, last)
        with self.store.writing() as session:
            film = session.get_one(Film, film.id)
            spare, earlier = "", films.twin(session, film, row.pixels)
            if earlier is not None:
                spare = films.join(session, film, earlier)
            else:
                kept = films.keep_reading(session, film, row)
                if kept is row and made and films.answers_the_pacs(film, kept):
                    keep_results(session, kept, made, digests)
                elif films.answers_the_pacs(film, kept):
                    jobs.add(session, "results", kept.id)
            jobs.end(session, job.id)
            following = self._take(session)
        if earlier is not None:
            self.store.films.delete(spare)
        LOG.info("read", extra={"film": film.id, "status": row.status, "ms": round(row.elapsed_ms)})
        return following

    def _results(
        self, source: Source, row: FilmReading, pixels: np.ndarray | None, last: str
    ) -> tuple[list[Made], list[str]]:
        """What the PACS gets, made while the film is decoded; nothing where it fails: a job of its own tries again."""
        if pixels is None or not films.answers_the_pacs(source.film, row):
            return [], []
        try:
            made = objects(source, row, pixels, self._language, trail=last)
            return made, [self.store.results.keep(one.content) for one in made]
        except Exception:  # the reading is kept whatever becomes of its results
            LOG.exception("results could not be made", extra={"film": source.film.id})
            return [], []
