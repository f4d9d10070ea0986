"""What is on its way to which PACS, and why it waits, in plain words."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from sqlalchemy import select

from ai_for_sudan.clinic.store import deliveries
from ai_for_sudan.clinic.store.tables import Delivery, Destination
from ai_for_sudan.clinic.store.trail import record
from ai_for_sudan.clinic.web.access import Anybody, Clinician
from ai_for_sudan.clinic.web.refusals import Refusal
from ai_for_sudan.clinic.web.values import Body, InPath, text

router = APIRouter()


@router.get("/api/deliveries")
def waiting(call: Anybody) -> dict[str, Any]:
    """List every destination, and what is not confirmed to have arrived there."""
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


@router.post("/api/deliveries/{delivery}/resend")
def resend(call: Clinician, delivery: InPath) -> dict[str, Any]:
    """Send one result again now."""
    with call.desk.store.writing() as session:
        if session.get(Delivery, delivery) is None:
            raise Refusal(404, "unknown", "there is no such delivery")
        deliveries.resend(session, [delivery])
        record(session, call.who.actor, "delivery.resent", f"delivery:{delivery}")
    return {}


class Destined(Body):
    """Everything that is on its way to one destination."""

    destination: Annotated[str, text(60, 1)]


@router.post("/api/deliveries/resend")
def resend_all(call: Clinician, body: Destined) -> dict[str, Any]:
    """Send again everything that waits for a destination or was refused by it."""
    with call.desk.store.writing() as session:
        destination = session.scalar(select(Destination).where(Destination.name == body.destination))
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
