"""A job is a row: added in the transaction that makes it necessary, taken by one worker, tried again later."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from ai_for_sudan.clinic.store.tables import Job, now

#: waits grow from the first to the last, and stay there: a PACS may be away for days
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=30)
KEPT_FOR = timedelta(days=2)


def back_off(attempts: int) -> timedelta:
    """How long to wait after so many failures in a row: 5 s, 10 s, 20 s ... half an hour."""
    return min(FIRST_WAIT * 2 ** min(max(attempts - 1, 0), 16), LONGEST_WAIT)


def due(column: object, moment: datetime) -> object:
    """Whether a time has come.

    A time that lies further ahead than any wait was written before the clock was put back: it has come too.
    """
    return (column <= moment) | (column > moment + 2 * LONGEST_WAIT)  # type: ignore[operator]


def add(session: Session, kind: str, key: object, *, due_at: datetime | None = None) -> None:
    """Add a job; one that waits or runs already stays as it is, one that ended is done again."""
    fresh = {"state": "waiting", "attempts": 0, "due_at": due_at or now(), "ended_at": None, "error": ""}
    statement = insert(Job).values(kind=kind, key=str(key), created_at=now(), **fresh)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["kind", "key"], set_=fresh, where=Job.state.in_(("done", "failed"))
        )
    )


def take(session: Session, kinds: tuple[str, ...]) -> Job | None:
    """The next job that is due, now ``running``; ``None`` without one."""
    job = session.scalar(
        select(Job)
        .where(Job.state == "waiting", Job.kind.in_(kinds), due(Job.due_at, now()))  # type: ignore[arg-type]
        .order_by(Job.due_at, Job.id)
        .limit(1)
    )
    if job is not None:
        job.state = "running"
        job.attempts += 1
    return job


def end(session: Session, job: int) -> None:
    session.execute(update(Job).where(Job.id == job).values(state="done", ended_at=now(), error=""))


def put_back(session: Session, job: int, error: str, *, attempts: int | None = None) -> None:
    """The job went wrong: try it again later, or give it up after ``attempts``."""
    row = session.get_one(Job, job)
    if row.state != "running":  # its end was written after all
        return
    row.error = error
    if attempts is not None and row.attempts >= attempts:
        row.state, row.ended_at = "failed", now()
    else:
        row.state, row.due_at = "waiting", now() + back_off(row.attempts)


def wake(session: Session) -> int:
    """At the start: what a killed process was doing waits again."""
    found = session.execute(update(Job).where(Job.state == "running").values(state="waiting", due_at=now()))
    return int(found.rowcount)  # type: ignore[attr-defined]


def forget(session: Session) -> None:
    """Delete the rows of jobs that ended well some days ago."""
    session.execute(delete(Job).where(Job.state == "done", Job.ended_at < now() - KEPT_FOR))


def counts(session: Session) -> dict[tuple[str, str], int]:
    """``(kind, state)`` -> number of jobs."""
    rows = session.execute(select(Job.kind, Job.state, func.count()).group_by(Job.kind, Job.state))
    return {(kind, state): number for kind, state, number in rows}
