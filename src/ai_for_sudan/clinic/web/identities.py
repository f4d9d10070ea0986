"""Whose film it is: what a person says of it, and what they decide where two films contradict each other."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy.orm import Session

from ai_for_sudan.clinic.pseudonyms import Pseudonyms
from ai_for_sudan.clinic.store import deliveries, identities
from ai_for_sudan.clinic.store.identities import Identity
from ai_for_sudan.clinic.store.tables import Contradiction, Film
from ai_for_sudan.clinic.store.trail import record
from ai_for_sudan.clinic.web.access import Anybody, Clinician
from ai_for_sudan.clinic.web.films import find
from ai_for_sudan.clinic.web.refusals import Refusal
from ai_for_sudan.clinic.web.values import Body, InPath, text
from ai_for_sudan.clinic.web.worklist import rows

router = APIRouter()


class Named(Body):
    """Whose film it is, as a person says it."""

    number: Annotated[str, text(64)] = ""
    name: Annotated[str, text(200)] = ""
    birth_date: Annotated[str, Field(pattern=r"^(\d{4}-\d\d-\d\d)?$")] = ""
    sex: Literal["", "F", "M", "O"] = ""
    age_years: Annotated[float, Field(ge=0, le=130)] | None = None

    @property
    def identity(self) -> Identity:
        """The same as the store keeps it."""
        return Identity(self.number.strip(), "", self.name.strip(), self.birth_date, self.sex)


class Corrected(Named):
    """Whose film it is, signed, and why."""

    note: Annotated[str, text(500)] = ""


class Decided(Body):
    """What a clinician decides: two people, or one, under the identity of the earlier or of the later film."""

    decision: Literal["apart", "merge", "merge_into_later"]
    note: Annotated[str, text(500)] = ""


@router.get("/api/identities")
def contradictions(call: Anybody) -> list[dict[str, Any]]:
    """List the contradictions that wait for a clinician, oldest first."""
    with call.desk.store.reading() as session:
        found = identities.open_contradictions(session)
        return [
            {
                "id": one.id,
                "kind": one.kind,
                "found_at": one.found_at.isoformat(),
                "films": [
                    row | {"came_as": film.came_as or {}}
                    for film in (one.other, one.film)
                    for row in rows(session, [film], call.desk.hub)
                ],
            }
            for one in found
        ]


@router.post("/api/identities/{contradiction}")
def decide(call: Clinician, contradiction: InPath, body: Decided) -> dict[str, Any]:
    """Sign a decision about a contradiction; results follow it."""
    with call.desk.store.writing() as session:
        found = session.get(Contradiction, contradiction)
        if found is None:
            raise Refusal(404, "unknown", "there is no such contradiction")
        if found.decision:
            raise Refusal(409, "decided", "somebody has decided this meanwhile; look at it once more")
        if body.decision == "apart":
            changed = identities.keep_apart(session, found, call.who.user, body.note.strip())
        else:
            later = body.decision == "merge_into_later"
            changed = identities.merge(session, found, call.who.user, body.note.strip(), into_later=later)
        act, kept = f"identity.{body.decision}", _misfiled(session, changed)
        record(session, call.who.actor, act, f"film:{found.film_id}", films=len(changed), misfiled=kept)
        return {"films": [film.id for film in changed]}


@router.post("/api/films/{film}/identity")
def correct(call: Clinician, film: InPath, body: Corrected) -> dict[str, Any]:
    """Sign whose film it is; results follow it."""
    right = body.identity
    if not right.known:
        raise Refusal(400, "invalid", "a number or a name is needed to say whose film it is")
    if call.desk.config.storage.pseudonymise:
        number = Pseudonyms(call.desk.store.folder).of("patient", right.identifier)[:16] if right.identifier else ""
        right = Identity(number, sex=right.sex)
    with call.desk.store.writing() as session:
        found = find(session, film)
        identities.correct(session, found, right, call.who.user, body.note.strip(), age_years=body.age_years)
        record(session, call.who.actor, "identity.corrected", f"film:{film}", misfiled=_misfiled(session, [found]))
        return {"identity": found.identity}


def _misfiled(session: Session, changed: list[Film]) -> dict[str, list[str]]:
    """By destination, the results that it keeps under an identity that no longer holds."""
    found: dict[str, list[str]] = {}
    for film in changed:
        for _, destination, result in deliveries.misfiled(session, film.id):
            found.setdefault(destination.name, []).append(result.sop_uid)
    return found
