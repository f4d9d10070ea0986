"""Coming in and going out: sessions of browsers, passwords, accounts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import Field
from sqlalchemy import select

from ai_for_sudan.clinic.store.tables import Login, User
from ai_for_sudan.clinic.store.trail import record
from ai_for_sudan.clinic.web import accounts
from ai_for_sudan.clinic.web.access import Administrator, Everybody, Newcomer
from ai_for_sudan.clinic.web.values import Body, Password, text
from ai_for_sudan.clinic.web.who import Who

router = APIRouter()
Role = Literal["administrator", "clinician", "viewer"]


def _me(who: Who, language: str) -> dict[str, Any]:
    return {
        "user": who.actor.removeprefix("user:"),
        "name": who.name,
        "role": who.role,
        "csrf": who.csrf,
        "must_change_password": who.changing,
        "language": language,
    }


@router.get("/api/session")
def session(call: Everybody) -> dict[str, Any]:
    """Say who is logged in."""
    site = {"site": call.desk.config.site.name, "language": call.desk.config.site.language}
    if call.who.user_id is None:
        return site | {"user": None}
    with call.desk.store.reading() as opened:
        language = opened.get_one(User, call.who.user_id).language
    return site | _me(call.who, language)


class Credentials(Body):
    """A name, and a password or a one-time code."""

    name: Annotated[str, text(100, 1)]
    password: Password


@router.post("/api/session", response_model=None)
def log_in(call: Everybody, body: Credentials) -> JSONResponse:
    """Log in."""
    address = call.request.client.host if call.request.client else ""
    opened = accounts.log_in(call.desk.store, body.name, body.password, address)
    user = opened.login.user
    who = Who(
        f"user:{user.name}", user.role, user.id, None, opened.login.id, user.full_name or user.name, opened.csrf,
        user.must_change_password,
    )  # fmt: skip
    response = JSONResponse(_me(who, user.language))
    response.set_cookie(
        call.desk.cookie, opened.token, secure=call.request.url.scheme == "https", httponly=True, samesite="strict",
        path="/", max_age=int(accounts.SESSION.total_seconds()),
    )  # fmt: skip
    return response


@router.delete("/api/session", response_model=None)
def log_out(call: Newcomer) -> JSONResponse:
    """Log out."""
    with call.desk.store.writing() as opened:
        login = opened.get(Login, call.who.login_id)
        if login:
            opened.delete(login)
        record(opened, call.who.actor, "session.closed", call.who.actor)
    response = JSONResponse({})
    response.delete_cookie(call.desk.cookie, path="/", secure=call.request.url.scheme == "https", httponly=True)
    return response


class NewPassword(Body):
    """The old password, empty after a one-time code, and the new one."""

    old: Annotated[str, Field(max_length=1000)]
    new: Password


@router.post("/api/session/password")
def change_password(call: Newcomer, body: NewPassword) -> dict[str, Any]:
    """Choose a password."""
    accounts.change_password(call.desk.store, call.who, body.old, body.new)
    return {}


class Spoken(Body):
    """A language of the pages."""

    language: Literal["en", "ar"]


@router.post("/api/session/language")
def change_language(call: Newcomer, body: Spoken) -> dict[str, Any]:
    """Choose the language of one's pages."""
    with call.desk.store.writing() as opened:
        opened.get_one(User, call.who.user).language = body.language
    return {}


def _user(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "full_name": user.full_name,
        "role": user.role,
        "created_at": user.created_at.isoformat(),
        "closed": user.closed_at is not None,
        "locked_until": user.locked_until.isoformat() if user.locked_until else None,
        "must_change_password": user.must_change_password,
    }


@router.get("/api/users")
def users(call: Administrator) -> list[dict[str, Any]]:
    """List all accounts."""
    with call.desk.store.reading() as opened:
        return [_user(user) for user in opened.scalars(select(User).order_by(User.closed_at.is_not(None), User.name))]


class NewUser(Body):
    """A new account."""

    name: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[\w.-]+$")]
    full_name: Annotated[str, text(80)]
    role: Role


@router.post("/api/users")
def create(call: Administrator, body: NewUser) -> dict[str, Any]:
    """Make an account; its one-time code is shown only once."""
    user, code = accounts.create(call.desk.store, call.who.actor, body.name, body.full_name, body.role)
    return _user(user) | {"code": code}


class ChangedUser(Body):
    """What becomes different of an account."""

    full_name: Annotated[str, text(80)] | None = None
    role: Role | None = None
    closed: bool | None = None


@router.patch("/api/users/{name}")
def change(call: Administrator, name: str, body: ChangedUser) -> dict[str, Any]:
    """Change a role or name, or close or reopen an account."""
    with call.desk.store.writing() as opened:
        user = accounts.find(opened, name)
        accounts.change(opened, call.who.actor, user, body.role, body.full_name, body.closed)
        return _user(user)


@router.post("/api/users/{name}/reset")
def reset(call: Administrator, name: str) -> dict[str, Any]:
    """Give a one-time code to replace a forgotten password."""
    return {"code": accounts.reset(call.desk.store, call.who.actor, name)}
