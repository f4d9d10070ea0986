"""What is on its way to which PACS, and why it waits, in plain words."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from ai_for_sudan.clinic.store import deliveries
from ai_for_sudan.clinic.store.tables import Delivery, Destination
from ai_for_sudan.clinic.store.trail import record
from ai_for_sudan.clinic.web.endpoint import ANYBODY, CLINICIANS, Call, Endpoints, Refusal, closed, text

endpoints = Endpoints()


@endpoints.add("GET", "/api/deliveries", ANYBODY, "every destination, and what is not confirmed to have arrived there")
def waiting(call: Call) -> dict[str, Any]:
    with call.desk.store.reading() as session:
        counts = deliveries.counts(session)
        return {
            "destinations": [
                {
                    "name": row.name,
                    "active": row.active,
                    "reached_at": row.reached_at.isoformat() if row.reached_at else None,
                    "failed_at": row.failed_at.isoformat() if row.failed_at else None,
                    "error": row.error,
                    "next_try_at": row.due_at.isoformat(),
                    "counts": {state: n for (name, state), n in counts.items() if name == row.name},
                }
                for row in session.scalars(select(Destination).order_by(Destination.name))
            ],
            "waiting": [
                {
                    "delivery": row.delivery,
                    "destination": row.destination,
                    "film": row.film,
                    "kind": row.kind,
                    "state": row.state,
                    "attempts": row.attempts,
                    "why": row.why,
                    "created_at": row.created_at.isoformat(),
                    "next_try_at": row.next_try_at.isoformat() if row.next_try_at else None,
                }
                for row in deliveries.not_confirmed(session)
            ],
        }


@endpoints.add("POST", "/api/deliveries/{delivery}/resend", CLINICIANS, "send one result again now")
def resend(call: Call) -> dict[str, Any]:
    with call.desk.store.writing() as session:
        if session.get(Delivery, call.path["delivery"]) is None:
            raise Refusal(404, "unknown", "there is no such delivery")
        deliveries.resend(session, [call.path["delivery"]])
        record(session, call.who.actor, "delivery.resent", f"delivery:{call.path['delivery']}")
    return {}


@endpoints.add(
    "POST",
    "/api/deliveries/resend",
    CLINICIANS,
    "send again everything that waits for a destination or was refused by it",
    body=closed({"destination": text(60, 1)}),
)
def resend_all(call: Call) -> dict[str, Any]:
    with call.desk.store.writing() as session:
        destination = session.scalar(select(Destination).where(Destination.name == call.body["destination"]))
        if destination is None:
            raise Refusal(404, "unknown", "there is no such destination")
        ids = list(
            session.scalars(
                select(Delivery.id).where(
                    Delivery.destination_id == destination.id, Delivery.state.in_(("waiting", "refused"))
                )
            )
        )
        count = deliveries.resend(session, ids) if ids else 0
        record(session, call.who.actor, "delivery.resent", f"destination:{destination.name}", results=count)
    return {"results": count}
