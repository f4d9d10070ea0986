"""How a running clinic is, at once and without asking anybody: for `/health`, `/metrics` and the page of its state."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from ai_for_sudan.clinic.care import clock
from ai_for_sudan.clinic.store import deliveries, identities
from ai_for_sudan.clinic.store.tables import DELIVERY_STATES, Destination, Film, Job, now

if TYPE_CHECKING:
    from ai_for_sudan.clinic.clinic import Clinic


#: bytes: the next large film may not fit any more
LOW = 50_000_000


def standing(session: Session) -> list[dict[str, str]]:
    """What waits, and for whom: of destinations, jobs and identities, ``{"code", "words", "advice"}`` each.

    Nothing of the clinic stops without one of these.
    """
    found: list[dict[str, str]] = []

    def problem(code: str, words: str, advice: str) -> None:
        found.append({"code": code, "words": words, "advice": advice})

    counts = deliveries.counts(session)
    for there in session.scalars(select(Destination).where(Destination.active).order_by(Destination.name)):
        number = {state: counts.get((there.name, state), 0) for state in DELIVERY_STATES}
        if there.error:
            problem("delivery", there.error, "see the page of deliveries, or: clinic doctor")
        if there.unconfirmed and number["sent"]:
            problem(
                "unconfirmed",
                f"{number['sent']} results were accepted, but not confirmed: {there.unconfirmed}",
                f"allow it there, or set confirm of '{there.name}' to query, commitment or status",
            )
        if number["refused"]:
            words = f"{there.name} refused {number['refused']} results"
            problem("refused", words, "see the page of deliveries for the reasons, then send them again")
        if number["lost"]:
            problem(
                "lost",
                f"{number['lost']} results for {there.name} are lost: their files and films are missing",
                "send these films to the clinic again",
            )
    for state, code in (("failed", "jobs_failed"), ("waiting", "jobs_stuck")):
        stuck = (Job.state == state) & (Job.error != "")
        number_of, last = session.execute(select(func.count(), func.max(Job.error)).where(stuck)).one()
        if number_of:
            what = "were given up" if state == "failed" else "went wrong and are tried again"
            problem(code, f"{number_of} jobs {what}: {last}", "see the log; films can be sent again")
    if open_ones := identities.open_contradictions(session):
        held = session.scalar(select(func.count()).select_from(Film).where(Film.identity == "contradicted"))
        problem(
            "identity",
            f"{len(open_ones)} contradictions about whose film it is wait for a decision; results of {held} films "
            "are not sent until then",
            "a clinician decides on the pages: keep apart, merge or correct",
        )
    return found


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
