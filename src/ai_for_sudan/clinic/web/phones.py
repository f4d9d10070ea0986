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
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ai_for_sudan.clinic.store import Store, films
from ai_for_sudan.clinic.store.tables import AGREEMENTS, Device, Film, Pairing, Patient, Study, User, Verdict, now
from ai_for_sudan.clinic.store.trail import record
from ai_for_sudan.clinic.web.accounts import digest
from ai_for_sudan.clinic.web.endpoint import (
    CLINICIANS,
    DEVICES,
    PUBLIC,
    Call,
    Endpoints,
    Refusal,
    Who,
    closed,
    text,
)
from ai_for_sudan.clinic.web.uploads import hand_over

endpoints = Endpoints()
#: how long an invitation is good
INVITATION = timedelta(minutes=10)
#: a kept picture of the phone app is 640 pixels wide at most; as base64 it stays below the 1 MB of common proxies
LARGEST_PICTURE = 700_000


def device(store: Store, token: str) -> Who:
    """The phone that a token belongs to.

    Raises:
        Refusal: 401; it was never paired, was revoked, or its user's account is closed.
    """
    with store.reading() as session:
        row = session.execute(
            select(Device, User)
            .join(User, Device.user_id == User.id)
            .where(Device.token == digest(token), Device.revoked_at.is_(None), User.closed_at.is_(None))
        ).first()
    if row is None:
        raise Refusal(401, "unpaired", "this phone is not paired any more; pair it again")
    phone, user = row
    return Who(f"device:{phone.id}", "device", user.id, phone.id, name=phone.name)


@endpoints.add("POST", "/api/pairings", CLINICIANS, "an invitation for one phone, as a QR code, good for ten minutes")
def invite(call: Call) -> dict[str, Any]:
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


@endpoints.add(
    "POST",
    "/api/phone",
    PUBLIC,
    "a phone accepts an invitation; its token is shown only once",
    body=closed({"code": text(100, 1), "name": text(60)}),
)
def pair(call: Call) -> dict[str, Any]:
    token = secrets.token_urlsafe(32)
    with call.desk.store.writing() as session:
        invitation = session.scalar(select(Pairing).where(Pairing.code == digest(call.body["code"])))
        if invitation is None or invitation.used_at or invitation.expires_at < now():
            raise Refusal(403, "invitation", "the invitation is used up or too old; show a new one")
        user = session.get_one(User, invitation.user_id)
        if user.closed_at:
            raise Refusal(403, "invitation", "the account of the invitation is closed")
        invitation.used_at = now()
        phone = Device(name=call.body["name"].strip() or "phone", token=digest(token), user_id=user.id)
        session.add(phone)
        session.flush()
        record(session, f"user:{user.name}", "phone.paired", f"device:{phone.id}")
        return {
            "token": token,
            "device": phone.id,
            "site": call.desk.config.site.name,
            "user": user.full_name or user.name,
        }


@endpoints.add("GET", "/api/phone", DEVICES, "whether a phone is still paired")
def paired(call: Call) -> dict[str, Any]:
    return {"device": call.who.device_id, "site": call.desk.config.site.name}


@endpoints.add(
    "POST",
    "/api/phone/films",
    DEVICES,
    "one reading of a phone's worklist; if it is sent again, only what a person changed is added",
    body=closed(
        {
            "id": text(64, 1),
            "read_at": text(40, 1),
            "picture": {"type": "string", "maxLength": LARGEST_PICTURE, "pattern": "^[A-Za-z0-9+/=]+$"},
            "file": text(200),
            "patient": text(40),
            "age": {"type": ["number", "null"], "minimum": 0, "maximum": 130},
            "note": text(500),
            "verdict": {"enum": [None, *AGREEMENTS]},
            "reference": {"enum": [None, "positive", "negative"]},
        },
        required=("id", "read_at", "picture"),
    ),
    most=LARGEST_PICTURE + 10_000,
)
def send(call: Call) -> dict[str, Any]:
    body = call.body
    try:
        picture = base64.b64decode(body["picture"], validate=True)
        read_at = datetime.fromisoformat(body["read_at"].replace("Z", "+00:00"))
    except (binascii.Error, ValueError) as error:
        raise Refusal(400, "invalid", "the picture or the date cannot be read") from error
    with call.desk.store.films.open_incoming() as file:
        path = Path(file.name)
        file.write(picture)
    sent = hand_over(call, path, origin="phone", source="", age_years=body.get("age"))
    with call.desk.store.writing() as session:
        found = session.get_one(Film, sent["film"])
        _examination(session, found, body.get("patient", "").strip(), read_at.date().isoformat())
        return sent | {"signed": _sign(session, call, found)}


def _examination(session: Session, film: Film, code: str, date: str) -> None:
    """What a phone knows of the examination: a code for the patient, and the day."""
    study = session.get_one(Study, film.study_id)
    study.date = study.date or date
    if not code or study.patient_id is not None:
        return
    patient = session.scalar(select(Patient).where(Patient.identifier == code, Patient.issuer == ""))
    if patient is None:
        patient = Patient(identifier=code)
        session.add(patient)
        session.flush()
    study.patient_id = patient.id


def _sign(session: Session, call: Call, film: Film) -> bool:
    """Add the verdict that was given on the phone, once the film was read here and unless it is there already.

    Returns:
        False where the film is still to be read: the phone sends it again.
    """
    body = call.body
    if not body.get("verdict"):
        return True
    reading = films.newest_reading(session, film.id)
    if reading is None:
        return False
    said = (body["verdict"], body.get("note", "").strip(), body.get("reference") or "")
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


@endpoints.add("GET", "/api/devices", CLINICIANS, "the phones: one's own, or all for an administrator")
def devices(call: Call) -> list[dict[str, Any]]:
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


@endpoints.add(
    "DELETE", "/api/devices/{device}", CLINICIANS, "stop a phone from sending: one's own or, for administrators, any"
)
def revoke(call: Call) -> dict[str, Any]:
    with call.desk.store.writing() as session:
        phone = session.get(Device, call.path["device"])
        if phone is None or (call.who.role != "administrator" and phone.user_id != call.who.user_id):
            raise Refusal(404, "unknown", "there is no such phone")
        if phone.revoked_at is None:
            phone.revoked_at = now()
            record(session, call.who.actor, "phone.revoked", f"device:{phone.id}")
    return {}
