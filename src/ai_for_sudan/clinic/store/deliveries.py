"""Results on their way: what waits for which PACS, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from ai_for_sudan.clinic.store.jobs import back_off, due
from ai_for_sudan.clinic.store.tables import Delivery, Destination, FilmReading, Result, now


@dataclass(frozen=True)
class Waiting:
    """One line of the page of deliveries."""

    delivery: int
    destination: str
    film: int
    kind: str
    state: str
    attempts: int
    #: in plain words; empty where it only waits for its turn
    why: str
    created_at: datetime
    next_try_at: datetime | None


def set_destinations(session: Session, kinds: Mapping[str, Sequence[str]]) -> None:
    """Make the table agree with the configuration; what waits for a destination that is gone is kept, and rests.

    Args:
        kinds: of results that a destination takes, by its name.
    """
    new = dict(kinds)
    for row in session.scalars(select(Destination)):
        row.active = row.name in new
        row.kinds = list(new.pop(row.name, row.kinds))
        row.due_at = now()  # a start is a reason to try at once
    session.add_all(Destination(name=name, kinds=list(these)) for name, these in new.items())


def enqueue(session: Session, results: Sequence[Result]) -> None:
    """Have results sent to every destination that takes their kind, once."""
    active = list(session.scalars(select(Destination).where(Destination.active)))
    for result in results:
        there = {delivery.destination_id for delivery in result.deliveries}
        for destination in active:
            if result.kind in destination.kinds and destination.id not in there:
                session.add(Delivery(destination_id=destination.id, result=result))


def next_batch(session: Session, destination: str, most: int) -> list[tuple[Delivery, Result]]:
    """What is due for a destination, oldest first: waiting to be sent, or sent and to be asked for."""
    moment = now()
    rows = session.execute(
        select(Delivery, Result)
        .join(Result)
        .join(Destination)
        .where(
            Destination.name == destination,
            Destination.active,
            due(Destination.due_at, moment),  # type: ignore[arg-type]
            Delivery.state.in_(("waiting", "sent")),
            due(Delivery.due_at, moment),  # type: ignore[arg-type]
        )
        .order_by(Delivery.due_at, Delivery.id)
        .limit(most)
    )
    return [(delivery, result) for delivery, result in rows]


def mark_sent(session: Session, ids: Sequence[int]) -> None:
    session.execute(
        update(Delivery)
        .where(Delivery.id.in_(ids))
        .values(state="sent", sent_at=now(), error="", attempts=Delivery.attempts + 1)
    )


def mark_confirmed(session: Session, ids: Sequence[int]) -> None:
    session.execute(
        update(Delivery).where(Delivery.id.in_(ids)).values(state="confirmed", confirmed_at=now(), error="")
    )


def mark_missing(session: Session, ids: Sequence[int], words: str) -> None:
    """It said yes, was asked, and has nothing: send again, later each time."""
    for row in session.scalars(select(Delivery).where(Delivery.id.in_(ids))):
        row.state, row.error, row.due_at = "waiting", words, now() + back_off(row.attempts)


def mark_refused(session: Session, ids: Sequence[int], words: str) -> None:
    """It will not take this one: a person decides."""
    session.execute(
        update(Delivery)
        .where(Delivery.id.in_(ids))
        .values(state="refused", error=words, attempts=Delivery.attempts + 1)
    )


def mark_failed(session: Session, ids: Sequence[int], words: str) -> None:
    """This one went wrong for a reason that may pass."""
    for row in session.scalars(select(Delivery).where(Delivery.id.in_(ids))):
        row.attempts += 1
        row.error, row.due_at = words, now() + back_off(row.attempts)


def mark_reached(session: Session, destination: str) -> None:
    session.execute(
        update(Destination)
        .where(Destination.name == destination)
        .values(reached_at=now(), failures=0, error="", due_at=now())
    )


def mark_away(session: Session, destination: str, words: str) -> None:
    """Nothing can be sent there now: all that waits for it waits longer each time."""
    row = session.scalars(select(Destination).where(Destination.name == destination)).one()
    row.failures += 1
    row.error, row.failed_at, row.due_at = words, now(), now() + back_off(row.failures)


def resend(session: Session, ids: Sequence[int]) -> int:
    """A person asks: send these again now, whatever became of them."""
    found = session.execute(
        update(Delivery)
        .where(Delivery.id.in_(ids))
        .values(state="waiting", due_at=now(), attempts=0, error="", confirmed_at=None)
    )
    session.execute(
        update(Destination)
        .where(Destination.id.in_(select(Delivery.destination_id).where(Delivery.id.in_(ids))))
        .values(due_at=now())
    )
    return int(found.rowcount)  # type: ignore[attr-defined]


def cancel(session: Session, ids: Sequence[int]) -> None:
    """A person asks: do not send these."""
    session.execute(
        update(Delivery).where(Delivery.id.in_(ids), Delivery.state != "confirmed").values(state="cancelled")
    )


def not_confirmed(session: Session, most: int = 200) -> list[Waiting]:
    """What has not arrived for certain, oldest first, with the reason in plain words."""
    rows = session.execute(
        select(Delivery, Destination, Result.kind, FilmReading.film_id)
        .join(Destination)
        .join(Result)
        .join(FilmReading)
        .where(Delivery.state.not_in(("confirmed", "cancelled")))
        .order_by(Delivery.created_at)
        .limit(most)
    )
    return [
        Waiting(
            delivery.id,
            destination.name,
            film,
            kind,
            delivery.state,
            delivery.attempts,
            _why(delivery, destination),
            delivery.created_at,
            None if delivery.state == "refused" or not destination.active else max(delivery.due_at, destination.due_at),
        )
        for delivery, destination, kind, film in rows
    ]


def _why(delivery: Delivery, destination: Destination) -> str:
    if not destination.active:
        return f"{destination.name} is no longer in the configuration"
    if delivery.error:
        return delivery.error
    if destination.error:
        return destination.error
    return f"{destination.name} accepted it; whether it has it is being checked" if delivery.state == "sent" else ""


def of_film(session: Session, film: int) -> list[tuple[Delivery, Destination, Result]]:
    """Where the results of a film are."""
    rows = session.execute(
        select(Delivery, Destination, Result)
        .join(Destination)
        .join(Result)
        .join(FilmReading)
        .where(FilmReading.film_id == film)
        .order_by(Delivery.id)
    )
    return [(delivery, destination, result) for delivery, destination, result in rows]


def counts(session: Session) -> dict[tuple[str, str], int]:
    """``(destination, state)`` -> number of deliveries."""
    rows = session.execute(
        select(Destination.name, Delivery.state, func.count())
        .join(Destination)
        .group_by(Destination.name, Delivery.state)
    )
    return {(name, state): number for name, state, number in rows}
