"""The trail, to be read: who saw, changed, exported, deleted what and when."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import func, select

from ai_for_sudan.clinic.store import trail
from ai_for_sudan.clinic.store.tables import TrailRow
from ai_for_sudan.clinic.web.endpoint import ADMINISTRATORS, Call, Endpoints, Refusal, closed, number, text

endpoints = Endpoints()
PAGE = 100


@endpoints.add(
    "POST",
    "/api/trail",
    ADMINISTRATORS,
    "rows of the trail, newest first",
    body=closed(
        {"actor": text(60), "act": text(60), "subject": text(60), "before": number(0, 2**53)},
        required=(),
    ),
)
def rows(call: Call) -> dict[str, Any]:
    wanted = select(TrailRow)
    for column in ("actor", "act", "subject"):
        if value := call.body.get(column, "").strip():
            wanted = wanted.where(getattr(TrailRow, column).startswith(value, autoescape=True))
    if before := call.body.get("before"):
        wanted = wanted.where(TrailRow.id < before)
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


@endpoints.add("POST", "/api/trail/verify", ADMINISTRATORS, "check the whole chain of hashes")
def verify(call: Call) -> dict[str, Any]:
    with call.desk.store.reading() as session:
        try:
            count, last = trail.verify(session)
        except ValueError as error:
            raise Refusal(409, "trail_broken", str(error)) from error
    return {"rows": count, "last": last}
