"""Phones: paired once by a QR code, they send their worklist whenever the clinic's network is there.

A phone belongs to the person who paired it: what it sends is signed by them, and the trail names the phone.
"""

from __future__ import annotations

import base64
import binascii
import io
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from ai_for_sudan.clinic.store import films, identities
from ai_for_sudan.clinic.store.identities import Identity
from ai_for_sudan.clinic.store.tables import Device, Film, Pairing, User, Verdict, now
from ai_for_sudan.clinic.store.trail import record
from ai_for_sudan.clinic.web.access import Call, Clinician, Everybody, Phone
from ai_for_sudan.clinic.web.accounts import digest
from ai_for_sudan.clinic.web.refusals import Refusal
from ai_for_sudan.clinic.web.uploads import hand_over
from ai_for_sudan.clinic.web.values import Body, InPath, text

router = APIRouter()
#: how long an invitation is good
INVITATION = timedelta(minutes=10)
#: a kept picture of the phone app is 640 pixels wide at most; as base64 it stays below the 1 MB of common proxies
LARGEST_PICTURE = 700_000


@router.post("/api/pairings")
def invite(call: Clinician) -> dict[str, Any]:
    """Invite one phone by a QR code, good for ten minutes."""
    code = secrets.token_urlsafe(16)
    with call.desk.store.writing() as session:
        invitation = Pairing(code=digest(code), user_id=call.who.user, expires_at=now() + INVITATION)
        session.add(invitation)
        record(session, call.who.actor, "phone.invited")
    address = f"{call.request.url.scheme}://{call.request.headers.get('host', '')}/app/#/pair/{code}"
    picture = io.BytesIO()
    import segno  # only where a phone is paired

    segno.make(address, error="m").save(picture, kind="svg", scale=6, border=4, xmldecl=False, svgns=True)
    return {
        "address": address,
        "picture": "data:image/svg+xml;base64," + base64.b64encode(picture.getvalue()).decode(),
        "expires_at": invitation.expires_at.isoformat(),
    }


class Accepted(Body):
    """An invitation's code, and how the phone is called."""

    code: Annotated[str, text(100, 1)]
    name: Annotated[str, text(60)]


@router.post("/api/phone")
def pair(call: Everybody, body: Accepted) -> dict[str, Any]:
    """Accept an invitation; the phone's token is shown only once."""
    token = secrets.token_urlsafe(32)
    with call.desk.store.writing() as session:
        invitation = session.scalar(select(Pairing).where(Pairing.code == digest(body.code)))
        if invitation is None or invitation.used_at or invitation.expires_at < now():
            raise Refusal(403, "invitation", "the invitation is used up or too old; show a new one")
        user = session.get_one(User, invitation.user_id)
        if user.closed_at:
            raise Refusal(403, "invitation", "the account of the invitation is closed")
        invitation.used_at = now()
        phone = Device(name=body.name.strip() or "phone", token=digest(token), user_id=user.id)
        session.add(phone)
        session.flush()
        record(session, f"user:{user.name}", "phone.paired", f"device:{phone.id}")
        return {
            "token": token,
            "device": phone.id,
            "site": call.desk.config.site.name,
            "user": user.full_name or user.name,
        }


@router.get("/api/phone")
def paired(call: Phone) -> dict[str, Any]:
    """Say whether a phone is still paired."""
    return {"device": call.who.device_id, "site": call.desk.config.site.name}


class Sent(Body):
    """One reading of a phone's worklist: its picture, and what a person said of it."""

    id: Annotated[str, text(64, 1)]
    read_at: Annotated[str, text(40, 1)]
    picture: Annotated[str, Field(max_length=LARGEST_PICTURE, pattern="^[A-Za-z0-9+/=]+$")]
    file: Annotated[str, text(200)] = ""
    patient: Annotated[str, text(40)] = ""
    age: Annotated[float, Field(ge=0, le=130)] | None = None
    note: Annotated[str, text(500)] = ""
    verdict: Literal["agree", "disagree", "unsure"] | None = None
    reference: Literal["positive", "negative"] | None = None


@router.post("/api/phone/films", max_body_size=LARGEST_PICTURE + 10_000)
def send(call: Phone, body: Sent) -> dict[str, Any]:
    """Take one reading of a phone's worklist; if it is sent again, only what a person changed is added."""
    try:
        picture = base64.b64decode(body.picture, validate=True)
        read_at = datetime.fromisoformat(body.read_at.replace("Z", "+00:00"))
    except (binascii.Error, ValueError) as error:
        raise Refusal(400, "invalid", "the picture or the date cannot be read") from error
    with call.desk.store.films.open_incoming() as file:
        path = Path(file.name)
        file.write(picture)
    code = Identity(body.patient.strip())
    sent = hand_over(call, path, origin="phone", named=code, age_years=body.age, date=read_at.date().isoformat())
    with call.desk.store.writing() as session:
        found = session.get_one(Film, sent["film"])
        if found.identity == "unknown" and code.known:  # it was added on the phone after the film was sent
            identities.correct(session, found, code, call.who.user, "named on the phone")
        return sent | {"signed": _sign(session, call, found, body)}


def _sign(session: Session, call: Call, film: Film, body: Sent) -> bool:
    """Add the verdict that was given on the phone, once the film was read here and unless it is there already.

    Returns:
        False where the film is still to be read: the phone sends it again.
    """
    if not body.verdict:
        return True
    reading = films.newest_reading(session, film.id)
    if reading is None:
        return False
    said = (body.verdict, body.note.strip(), body.reference or "")
    own = [v for v in films.current_verdicts(session, film.id) if v.user_id == call.who.user]
    if any((v.agreement, v.note, v.diagnosis) == said for v in own):
        return True
    verdict = films.sign(
        session,
        Verdict(
            film_id=film.id,
            reading_id=reading.id,
            user_id=call.who.user,
            agreement=said[0],
            note=said[1],
            diagnosis=said[2],
        ),
    )
    record(session, call.who.actor, "verdict.signed", f"film:{film.id}", verdict=verdict.id, agreement=said[0])
    return True


@router.get("/api/devices")
def devices(call: Clinician) -> list[dict[str, Any]]:
    """List the phones: one's own, or all for an administrator."""
    with call.desk.store.reading() as session:
        rows = session.execute(
            select(Device, User).join(User, Device.user_id == User.id).order_by(Device.id.desc())
        ).all()
    return [
        {
            "id": phone.id,
            "name": phone.name,
            "by": user.full_name or user.name,
            "paired_at": phone.paired_at.isoformat(),
            "revoked": phone.revoked_at is not None,
        }
        for phone, user in rows
        if call.who.role == "administrator" or user.id == call.who.user_id
    ]


@router.delete("/api/devices/{device}")
def revoke(call: Clinician, device: InPath) -> dict[str, Any]:
    """Stop a phone from sending: one's own or, for administrators, any."""
    with call.desk.store.writing() as session:
        phone = session.get(Device, device)
        if phone is None or (call.who.role != "administrator" and phone.user_id != call.who.user_id):
            raise Refusal(404, "unknown", "there is no such phone")
        if phone.revoked_at is None:
            phone.revoked_at = now()
            record(session, call.who.actor, "phone.revoked", f"device:{phone.id}")
    return {}
