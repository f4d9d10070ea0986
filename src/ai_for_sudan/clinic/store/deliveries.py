"""Results on their way: what waits for which PACS, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from ai_for_sudan.clinic.store.jobs import back_off, due
from ai_for_sudan.clinic.store.tables import Correction, Delivery, Destination, FilmReading, Result, now


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


def set_destinations(
    session: Session, kinds: Mapping[str, Sequence[str]], confirmations: Mapping[str, str] | None = None
) -> None:
    """Make the table agree with the configuration; what waits for a destination that is gone is kept, and rests.

    Args:
        kinds: of results that a destination takes, by its name.
        confirmations: how a destination is asked what it kept, by its name; by a query where nothing is said.
    """
    new = dict(kinds)
    how = confirmations or {}
    for row in session.scalars(select(Destination)):
        row.active = row.name in new
        row.kinds = list(new.pop(row.name, row.kinds))
        row.confirmation, row.unconfirmed = how.get(row.name, "query"), ""
        row.due_at = now()  # a start is a reason to try at once
    session.add_all(
        Destination(name=name, kinds=list(these), confirmation=how.get(name, "query")) for name, these in new.items()
    )
    session.flush()
    # What waited when an earlier run ended may have been taken just before; it is asked for before it is sent again.
    session.execute(update(Delivery).where(Delivery.state == "waiting").values(uncertain=True))
    by_status = select(Destination.id).where(Destination.confirmation == "status")
    session.execute(
        update(Delivery)
        .where(Delivery.state == "sent", Delivery.destination_id.in_(by_status))
        .values(state="accepted", error="")
    )
    session.execute(update(Delivery).where(Delivery.state == "sent").values(due_at=now()))


def enqueue(session: Session, results: Sequence[Result]) -> None:
    """Have results sent to every destination that takes their kind, once."""
    active = list(session.scalars(select(Destination).where(Destination.active)))
    for result in results:
        there = {delivery.destination_id for delivery in result.deliveries}
        for destination in active:
            if result.kind in destination.kinds and destination.id not in there:
                session.add(Delivery(destination_id=destination.id, result=result))


def to_send(session: Session, destination: str, most: int) -> list[tuple[Delivery, Result]]:
    """What is due to be sent to a destination, oldest first."""
    return _due(session, destination, "waiting", most)


def to_confirm(session: Session, destination: str, most: int) -> list[tuple[Delivery, Result]]:
    """What a destination took and is due to be asked for, oldest first."""
    return _due(session, destination, "sent", most)


def _due(session: Session, destination: str, state: str, most: int) -> list[tuple[Delivery, Result]]:
    moment = now()
    rows = session.execute(
        select(Delivery, Result)
        .join(Result)
        .join(Destination)
        .where(
            Destination.name == destination,
            Destination.active,
            due(Destination.due_at, moment),  # type: ignore[arg-type]
            Delivery.state == state,
            due(Delivery.due_at, moment),  # type: ignore[arg-type]
        )
        .order_by(Delivery.due_at, Delivery.id)
        .limit(most)
    )
    return [(delivery, result) for delivery, result in rows]


def next_due(session: Session, destination: str) -> datetime | None:
    """When the next result is to be sent or asked for; ``None`` where none waits."""
    return session.scalar(
        select(func.min(Delivery.due_at))
        .join(Destination)
        .where(Destination.name == destination, Destination.active, Delivery.state.in_(("waiting", "sent")))
    )


def mark_sent(session: Session, ids: Sequence[int], *, final: bool = False) -> None:
    """It said yes.

    Args:
        final: the destination is not asked again: its word is all that there is.
    """
    session.execute(
        update(Delivery)
        .where(Delivery.id.in_(ids))
        .values(
            state="accepted" if final else "sent",
            sent_at=now(),
            due_at=now(),
            error="",
            asked=0,
            uncertain=False,
            commitment="",
            attempts=Delivery.attempts + 1,
        )
    )


def mark_asked(
    session: Session, delivery: int, times: int, *, wait: timedelta, commitment: str = "", unasked: str = ""
) -> None:
    """It is asked whether it has this one, and has not said so yet; it is asked again after a while.

    Args:
        times: how often it was asked since it took it.
        commitment: UID of the storage commitment that was asked for.
        unasked: why the destination could not be asked at all.
    """
    session.execute(
        update(Delivery).where(Delivery.id == delivery).values(asked=times, due_at=now() + wait, commitment=commitment)
    )
    whose = select(Delivery.destination_id).where(Delivery.id == delivery)
    session.execute(update(Destination).where(Destination.id.in_(whose)).values(unconfirmed=unasked))


def commit(session: Session, commitment: str, kept: Sequence[str], failed: Mapping[str, str]) -> int:
    """Take the answer to a storage commitment (PS3.4 J.3.3).

    Args:
        kept: SOP Instance UIDs of results that it answers for.
        failed: why it does not, by SOP Instance UID.

    Returns:
        the number of results that the answer was about; 0 for a commitment that nobody asked for.
    """
    rows = session.execute(
        select(Delivery, Result.sop_uid).join(Result).where(Delivery.commitment == commitment, Delivery.state == "sent")
    ).all()
    mark_confirmed(session, [delivery.id for delivery, uid in rows if uid in kept])
    for delivery, uid in rows:
        if uid in failed:
            mark_missing(session, [delivery.id], failed[uid])
    return len(rows)


def mark_lost(session: Session, ids: Sequence[int], words: str) -> None:
    """Its file is gone and cannot be made again: it is named, and nothing waits for it."""
    session.execute(update(Delivery).where(Delivery.id.in_(ids)).values(state="lost", error=words))


def put_off(session: Session, ids: Sequence[int], words: str, wait: timedelta) -> None:
    """Send those of these that still wait later, for a reason of the clinic's own."""
    waiting = update(Delivery).where(Delivery.id.in_(ids), Delivery.state == "waiting")
    session.execute(waiting.values(error=words, due_at=now() + wait))


def mark_confirmed(session: Session, ids: Sequence[int]) -> None:
    session.execute(
        update(Delivery).where(Delivery.id.in_(ids)).values(state="confirmed", confirmed_at=now(), error="")
    )
    whose = select(Delivery.destination_id).where(Delivery.id.in_(ids))
    session.execute(update(Destination).where(Destination.id.in_(whose)).values(unconfirmed=""))


def mark_missing(session: Session, ids: Sequence[int], words: str) -> None:
    """It said yes, was asked, and has nothing: send again, later each time."""
    for row in session.scalars(select(Delivery).where(Delivery.id.in_(ids))):
        row.state, row.error, row.due_at = "waiting", words, now() + back_off(row.attempts)
        row.asked, row.commitment = 0, ""


def mark_refused(session: Session, ids: Sequence[int], words: str) -> None:
    """It will not take this one: a person decides."""
    session.execute(
        update(Delivery)
        .where(Delivery.id.in_(ids))
        .values(state="refused", error=words, attempts=Delivery.attempts + 1)
    )


def mark_failed(session: Session, ids: Sequence[int], words: str, *, uncertain: bool = False) -> None:
    """This one went wrong for a reason that may pass.

    Args:
        uncertain: the answer was lost after it may have been taken: it is asked for before it is sent again.
    """
    for row in session.scalars(select(Delivery).where(Delivery.id.in_(ids))):
        row.attempts += 1
        row.uncertain |= uncertain
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
        .values(state="waiting", due_at=now(), attempts=0, error="", confirmed_at=None, uncertain=False)
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
        .where(Delivery.state.not_in(("confirmed", "accepted", "cancelled")))
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
            None
            if delivery.state in ("refused", "lost") or not destination.active
            else max(delivery.due_at, destination.due_at),
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
    if delivery.state != "sent":
        return ""
    return destination.unconfirmed or f"{destination.name} accepted it; whether it has it is being checked"


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


def misfiled(session: Session, film: int) -> list[tuple[Delivery, Destination, Result]]:
    """Where results of a film are that were made before a person corrected whose film it is."""
    signed = session.scalars(select(Correction).where(Correction.film_id == film))
    last = max((one.signed_at for one in signed if one.before != one.after), default=None)
    return [
        (delivery, destination, result)
        for delivery, destination, result in of_film(session, film)
        if last and result.made_at < last and delivery.state in ("sent", "confirmed", "accepted")
    ]


def counts(session: Session) -> dict[tuple[str, str], int]:
    """``(destination, state)`` -> number of deliveries."""
    rows = session.execute(
        select(Destination.name, Delivery.state, func.count())
        .join(Destination)
        .group_by(Destination.name, Delivery.state)
    )
    return {(name, state): number for name, state, number in rows}
