"""Who did what and when: rows that are chained by hash and can only be added."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ai_for_sudan.clinic.store.tables import TrailRow, now

FIRST = "0" * 64


def record(session: Session, actor: str, act: str, subject: str = "", **detail: Any) -> TrailRow:
    """Add a row, in the transaction of what it tells about: neither is ever there without the other.

    Args:
        session: one that writes.
        actor: ``user:amina``, ``device:3``, ``node:CR1``, ``system``.
        act: ``film.seen``, ``verdict.signed``, ``access.refused`` ...
        subject: ``film:17``.
        detail: what else is worth keeping; never a patient's name or a password.
    """
    previous = head(session)
    moment = now()
    row = TrailRow(
        at=moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        at_local=moment.astimezone().isoformat(timespec="seconds"),
        actor=actor,
        act=act,
        subject=subject,
        detail=json.dumps(detail, sort_keys=True, ensure_ascii=False, allow_nan=False, default=str),
        previous=previous,
        hash="",
    )
    row.hash = _hash(row)
    session.add(row)
    session.flush()
    return row


def head(session: Session) -> str:
    """The last hash: kept elsewhere, it shows later that no row before it was changed, put in or taken out."""
    return session.scalar(select(TrailRow.hash).order_by(TrailRow.id.desc()).limit(1)) or FIRST


def row_with(session: Session, digest: str) -> int | None:
    """The row that a hash from elsewhere is of; ``None`` where the trail was written anew since."""
    return session.scalar(select(TrailRow.id).where(TrailRow.hash == digest))


def verify(session: Session) -> tuple[int, str]:
    """Go through the whole chain.

    Returns:
        the number of rows and the last hash: written down elsewhere, it shows later that no row was cut off at the end.

    Raises:
        ValueError: which row was changed, put in or taken out.
    """
    count, previous, last_id = 0, FIRST, 0
    for row in session.scalars(select(TrailRow).order_by(TrailRow.id).execution_options(yield_per=1000)):
        if row.id != last_id + 1:
            raise ValueError(f"row {last_id + 1} of the trail is missing: the next one is {row.id}")
        if row.previous != previous:
            raise ValueError(
                f"row {row.id} of the trail does not follow the row before it: one was inserted or replaced"
            )
        if _hash(row) != row.hash:
            raise ValueError(f"row {row.id} of the trail ({row.at}, {row.actor}, {row.act}) was changed")
        count, previous, last_id = count + 1, row.hash, row.id
    return count, previous


def _hash(row: TrailRow) -> str:
    """SHA-256 over the row before and all that this one says, as JSON, so that no two rows can read alike."""
    said = json.dumps([row.previous, row.at, row.at_local, row.actor, row.act, row.subject, row.detail])
    return hashlib.sha256(said.encode()).hexdigest()
