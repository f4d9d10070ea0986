"""How a running clinic is, at once and without asking anybody: for `/health`, `/metrics` and the page of its state."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from ai_for_sudan.clinic.care import clock
from ai_for_sudan.clinic.store.standing import standing
from ai_for_sudan.clinic.store.tables import now

if TYPE_CHECKING:
    from ai_for_sudan.clinic.clinic import Clinic


#: bytes: the next large film may not fit any more
LOW = 50_000_000


def health(clinic: Clinic) -> dict[str, Any]:
    """``{"ok": ..., "problems": [{"code", "words", "advice"}], "gauges": {name: [words, value]}}``.

    ``ok``: films are taken and read.
    A PACS that is away is a problem to show, but no reason to restart the server: ``ok`` stays.
    """
    problems: list[dict[str, str]] = []
    fatal = False

    def problem(code: str, words: str, advice: str, *, stops: bool = False) -> None:
        nonlocal fatal
        fatal |= stops
        problems.append({"code": code, "words": words, "advice": advice})

    try:
        with clinic.store.reading() as session:
            session.execute(text("SELECT 1 FROM settings LIMIT 1"))
            problems += standing(session)
    except Exception as error:  # whatever is wrong with the database, this answers
        problem("database", f"the database does not answer: {type(error).__name__}", "see the log", stops=True)
    free = clinic.store.films.free()
    if free < LOW:
        problem(
            "disk_full",
            "the disk is full: new films are refused, or soon will be",
            "delete what is not needed, or set keep_share",
        )
    if clinic.workers.alive() < clinic.workers.count:
        problem("workers", "a worker has ended", "restart the server", stops=True)
    if clinic.config.node.enabled and not clinic.node.listening():
        problem("node", "the DICOM node is closed", "restart the server", stops=True)
    if reason := clock.suspect(clinic.store):
        problem("clock", f"{reason}; nothing is deleted by age", "set the clock, then: clinic doctor --clock-is-right")
    if clinic.folder.problem:
        problem("folder", f"the watched folder: {clinic.folder.problem}", "check that it exists and can be read")
    gauges = {
        "disk_free_bytes": ["bytes that films may still fill", float(free)],
        "memory_bytes": ["resident memory of the server", float(memory())],
        "films_read": ["films read since the start", float(clinic.workers.read_films)],
        "reading_seconds": ["seconds that reading took since the start", clinic.workers.reading_seconds],
        "films_stored": ["films received by C-STORE since the start", float(clinic.node.stored)],
        "films_refused_full": [
            "films refused because the disk was full, since the start",
            float(clinic.node.refused_full),
        ],
        "associations_refused": ["associations refused recently", float(len(clinic.node.refusals))],
        "uptime_seconds": ["seconds since the start", (now() - clinic.started_at).total_seconds()],
        "time_seconds": ["the machine's clock", time.time()],
    }
    return {"ok": not fatal, "problems": problems, "gauges": gauges}


def memory() -> int:
    """Resident memory of this process in bytes; of Windows its most, which is what the standard library tells."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        try:
            import resource
        except ImportError:
            return 0
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    import os

    return pages * os.sysconf("SC_PAGE_SIZE")
