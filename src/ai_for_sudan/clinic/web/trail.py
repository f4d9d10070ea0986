"""The trail, to be read: who saw, changed, exported, deleted what and when."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import func, select

from ai_for_sudan.clinic.store import trail
from ai_for_sudan.clinic.store.tables import TrailRow
from ai_for_sudan.clinic.web.access import Administrator
from ai_for_sudan.clinic.web.refusals import Refusal
from ai_for_sudan.clinic.web.values import Body, text

router = APIRouter()
PAGE = 100


class Sought(Body):
    """Which rows of the trail: how their columns begin, and before which row."""

    actor: Annotated[str, text(60)] = ""
    act: Annotated[str, text(60)] = ""
    subject: Annotated[str, text(60)] = ""
    before: Annotated[int, Field(ge=0, le=2**53)] = 0


@router.post("/api/trail")
def rows(call: Administrator, body: Sought) -> dict[str, Any]:
    """List rows of the trail, newest first."""
    wanted = select(TrailRow)
    for column in ("actor", "act", "subject"):
        if value := getattr(body, column).strip():
            wanted = wanted.where(getattr(TrailRow, column).startswith(value, autoescape=True))
    if body.before:
        wanted = wanted.where(TrailRow.id < body.before)
    with call.desk.store.reading() as session:
        found = list(session.scalars(wanted.order_by(TrailRow.id.desc()).limit(PAGE)))
        acts = list(session.scalars(select(TrailRow.act).distinct().order_by(TrailRow.act)))
        count = session.scalar(select(func.count()).select_from(TrailRow))
    return {
        "rows": [
            {
                "id": row.id,
                "at": row.at,
                "at_local": row.at_local,
                "actor": row.actor,
                "act": row.act,
                "subject": row.subject,
                "detail": json.loads(row.detail),
                "hash": row.hash,
            }
            for row in found
        ],
        "acts": acts,
        "count": count,
    }


@router.post("/api/trail/verify")
def verify(call: Administrator) -> dict[str, Any]:
    """Check the whole chain of hashes."""
    with call.desk.store.reading() as session:
        try:
            count, last = trail.verify(session)
        except ValueError as error:
            raise Refusal(409, "trail_broken", str(error)) from error
    return {"rows": count, "last": last}
