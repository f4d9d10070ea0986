"""Accounts: who may come in, and what happens to a name whose password is guessed at."""

from __future__ import annotations

import hashlib
import secrets
import threading
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from ai_for_sudan.clinic.store import Store
from ai_for_sudan.clinic.store.tables import Device, Login, Stranger, User, now
from ai_for_sudan.clinic.store.trail import record
from ai_for_sudan.clinic.web import passwords
from ai_for_sudan.clinic.web.refusals import Refusal
from ai_for_sudan.clinic.web.who import Who

#: tries before a name is locked, for how long at first, and at most; it doubles with every further try
FREE_TRIES = 5
FIRST_LOCK, LONGEST_LOCK = timedelta(seconds=30), timedelta(hours=1)
#: a session ends so long after its last use, and after its beginning in any case
IDLE, SESSION = timedelta(hours=1), timedelta(hours=12)
#: a one-time code is good for so long
CODE = timedelta(days=3)
#: the time of the last use is written this often
SEEN_EVERY = timedelta(minutes=1)

#: tries are kept of so many names that have no account: they are locked alike, so that nobody learns which names exist
MOST_STRANGERS = 1000
#: one try after another, so that many requests with the right password do not lock each other out
_one_try = threading.Lock()


@dataclass(frozen=True)
class Opened:
    """A session that was opened: what its cookie holds, and what the page repeats with every change."""

    token: str
    csrf: str
    login: Login


def digest(token: str) -> str:
    """What is kept of a secret that is long and random itself: the database alone opens nothing."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def log_in(store: Store, name: str, password: str, address: str) -> Opened:
    """Open a session.

    Raises:
        Refusal: 401 ``credentials``, whichever of the two is wrong; 429 ``locked`` with ``seconds``.
    """
    user = authenticated(store, name, password)
    token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    with store.writing() as session:
        user = session.get_one(User, user.id)
        if user.must_change_password:
            # A one-time code opens one session, which can do nothing but choose a password.
            user.password = passwords.UNUSABLE
        login = Login(
            token=digest(token), csrf=csrf, user_id=user.id, address=address[:100], expires_at=now() + SESSION
        )
        session.add(login)
        session.flush()
        record(session, f"user:{user.name}", "session.opened", f"user:{user.name}")
        login.user = user
    return Opened(token, csrf, login)


def authenticated(store: Store, name: str, password: str) -> User:
    """The user of a name and a password; see :func:`log_in`."""
    key = name.strip().casefold()[:100]
    with _one_try:
        # A try is counted before the password is looked at: of many at once, no more are looked at than are free.
        with store.writing() as session:
            user = session.scalar(select(User).where(User.name == key, User.closed_at.is_(None)))
            tries = _count(session, user or _stranger(session, key))
        right = passwords.matches(password, user.password if user else None)
        if right and user and user.code_expires_at and user.code_expires_at < now():
            right = False
        if right and user:
            with store.writing() as session:
                kept = session.get_one(User, user.id)
                kept.failed_logins, kept.locked_until = 0, None
            return user
    if user:
        with store.writing() as session:
            record(session, "nobody", "session.refused", f"user:{user.name}", tries=tries)
    raise Refusal(401, "credentials", "the name or password is wrong")


def _count(session: Session, who: User | Stranger) -> int:
    """Count a try, and lock the name where it was the last free one.

    Raises:
        Refusal: 429, the name is locked.
    """
    moment = now()
    if who.locked_until and who.locked_until > moment:
        seconds = int((who.locked_until - moment).total_seconds()) + 1
        raise Refusal(429, "locked", "too many wrong passwords; wait", seconds=seconds)
    who.failed_logins += 1
    if who.failed_logins >= FREE_TRIES:
        doubled = FIRST_LOCK * 2 ** min(who.failed_logins - FREE_TRIES, 20)
        who.locked_until = moment + min(LONGEST_LOCK, doubled)
    return who.failed_logins


def _stranger(session: Session, key: str) -> Stranger:
    """The row of a name that has no account; of many names, those that were tried last are kept."""
    name = digest(key)
    found = session.get(Stranger, name)
    if found is None:
        found = Stranger(name=name, failed_logins=0)
        session.add(found)
    found.tried_at = now()
    session.flush()
    newest = select(Stranger.name).order_by(Stranger.tried_at.desc()).limit(MOST_STRANGERS)
    session.execute(delete(Stranger).where(Stranger.name.not_in(newest)))
    return found


def session_of(store: Store, token: str) -> Who | None:
    """Who a cookie speaks for; None where its session has ended or its user's account is closed."""
    with store.reading() as session:
        login = session.scalar(select(Login).where(Login.token == digest(token)))
        user = session.get(User, login.user_id) if login else None
    if login is None or user is None:
        return None
    if user.closed_at or login.expires_at < now() or login.seen_at < now() - IDLE:
        end_session(store, login.id)
        return None
    if login.seen_at < now() - SEEN_EVERY:
        with store.writing() as session:
            kept = session.get(Login, login.id)
            if kept:
                kept.seen_at = now()
    return Who(
        actor=f"user:{user.name}",
        role=user.role,
        user_id=user.id,
        login_id=login.id,
        name=user.full_name or user.name,
        csrf=login.csrf,
        changing=user.must_change_password,
    )


def phone_of(store: Store, token: str) -> Who:
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


def end_session(store: Store, login_id: int) -> None:
    with store.writing() as session:
        login = session.get(Login, login_id)
        if login:
            session.delete(login)


def end_sessions(session: Session, user_id: int, but: int | None = None) -> None:
    """End all sessions of a user, but one."""
    for login in session.scalars(select(Login).where(Login.user_id == user_id)):
        if login.id != but:
            session.delete(login)


def create(store: Store, by: str, name: str, full_name: str, role: str) -> tuple[User, str]:
    """A new account and the one-time code that opens it.

    Raises:
        Refusal: 409 ``name_taken``: names of closed accounts stay taken, since verdicts are signed with them.
    """
    code = passwords.one_time_code()
    user = User(
        name=name.strip().casefold(),
        full_name=full_name.strip(),
        role=role,
        password=passwords.hashed(code),
        must_change_password=True,
        code_expires_at=now() + CODE,
    )
    with store.writing() as session:
        if session.scalar(select(User).where(User.name == user.name)):
            raise Refusal(409, "name_taken", "there is already an account with this name; choose another")
        session.add(user)
        session.flush()
        record(session, by, "user.created", f"user:{user.name}", role=role)
    return user, code


def reset(store: Store, by: str, name: str, act: str = "user.reset", only: str | None = None) -> str:
    """Give an account a one-time code in place of its password, and end its sessions.

    Args:
        only: the role that the account must have.

    Raises:
        Refusal: 404, there is no such account; 409 ``closed``.
    """
    code = passwords.one_time_code()
    kept = passwords.hashed(code)
    with store.writing() as session:
        user = find(session, name)
        if only and user.role != only:
            raise Refusal(404, "unknown", f"{user.name} is not an {only}")
        if user.closed_at:
            raise Refusal(409, "closed", "the account is closed; open it first")
        user.password, user.must_change_password, user.code_expires_at = kept, True, now() + CODE
        user.failed_logins, user.locked_until = 0, None
        end_sessions(session, user.id)
        record(session, by, act, f"user:{user.name}")
    return code


def find(session: Session, name: str) -> User:
    """
    Raises:
        Refusal: 404.
    """
    user = session.scalar(select(User).where(User.name == name.strip().casefold()))
    if user is None:
        raise Refusal(404, "unknown", "there is no such account")
    return user


def change_password(store: Store, who: Who, old: str, new: str) -> None:
    """Choose a new password; other sessions of the user end.

    Raises:
        Refusal: 401 ``credentials``: the old one is wrong; 400 ``password`` with ``fault``.
    """
    with store.reading() as session:
        user = session.get_one(User, who.user)
    if not user.must_change_password and not passwords.matches(old, user.password):
        raise Refusal(401, "credentials", "the old password is wrong")
    if fault := passwords.fault(new, user.name):
        raise Refusal(400, "password", "choose another password", fault=fault)
    kept = passwords.hashed(new)
    with store.writing() as session:
        user = session.get_one(User, who.user)
        user.password, user.must_change_password, user.code_expires_at = kept, False, None
        end_sessions(session, user.id, but=who.login_id)
        record(session, who.actor, "user.password", f"user:{user.name}")


def change(session: Session, by: str, user: User, role: str | None, full_name: str | None, closed: bool | None) -> None:
    """Another role or name, or an account closed or opened again; its sessions end with the role.

    Raises:
        Refusal: 409 ``last_administrator``.
    """
    loses = (role is not None and role != "administrator") or closed
    if user.role == "administrator" and user.closed_at is None and loses and _administrators(session) == 1:
        raise Refusal(409, "last_administrator", "this is the last administrator; appoint another one first")
    if full_name is not None and full_name.strip() != user.full_name:
        user.full_name = full_name.strip()
        record(session, by, "user.renamed", f"user:{user.name}")
    if role is not None and role != user.role:
        user.role = role
        end_sessions(session, user.id)
        record(session, by, "user.role", f"user:{user.name}", role=role)
    if closed is not None and closed != (user.closed_at is not None):
        user.closed_at = now() if closed else None
        end_sessions(session, user.id)
        record(session, by, "user.closed" if closed else "user.opened", f"user:{user.name}")


def _administrators(session: Session) -> int:
    open_ones = select(func.count()).where(User.role == "administrator", User.closed_at.is_(None))
    return session.scalar(open_ones) or 0


def emergency_password(store: Store, name: str, operator: str) -> str:
    """For whoever sits at the machine itself: a one-time code for an administrator; the trail tells of it.

    Raises:
        Refusal: no open account of an administrator has this name.
    """
    return reset(store, f"machine:{operator}", name, "user.emergency_password", only="administrator")
