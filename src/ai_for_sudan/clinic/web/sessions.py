"""Coming in and going out: sessions of browsers, passwords, accounts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from starlette.responses import JSONResponse, Response

from ai_for_sudan.clinic.store.tables import ROLES, Login, User
from ai_for_sudan.clinic.store.trail import record
from ai_for_sudan.clinic.web import accounts
from ai_for_sudan.clinic.web.endpoint import (
    ADMINISTRATORS,
    ANYBODY,
    PUBLIC,
    Call,
    Endpoints,
    Who,
    choice,
    closed,
    text,
)

endpoints = Endpoints()
NAME = text(40, 1) | {"pattern": r"^[\w.-]+$"}
PASSWORD = {"type": "string", "minLength": 1, "maxLength": 1000}


def _me(who: Who, language: str) -> dict[str, Any]:
    return {
        "user": who.actor.removeprefix("user:"),
        "name": who.name,
        "role": who.role,
        "csrf": who.csrf,
        "must_change_password": who.changing,
        "language": language,
    }


@endpoints.add("GET", "/api/session", PUBLIC, "who is logged in", while_changing=True)
def session(call: Call) -> dict[str, Any]:
    site = {"site": call.desk.config.site.name, "language": call.desk.config.site.language}
    if call.who.user_id is None:
        return site | {"user": None}
    with call.desk.store.reading() as opened:
        language = opened.get_one(User, call.who.user_id).language
    return site | _me(call.who, language)


@endpoints.add(
    "POST",
    "/api/session",
    PUBLIC,
    "log in with a name and a password or a one-time code",
    body=closed({"name": text(100, 1), "password": PASSWORD}),
)
def log_in(call: Call) -> Response:
    address = call.request.client.host if call.request.client else ""
    opened = accounts.log_in(call.desk.store, call.body["name"], call.body["password"], address)
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


@endpoints.add("DELETE", "/api/session", ANYBODY, "log out", while_changing=True)
def log_out(call: Call) -> Response:
    with call.desk.store.writing() as opened:
        login = opened.get(Login, call.who.login_id)
        if login:
            opened.delete(login)
        record(opened, call.who.actor, "session.closed", call.who.actor)
    response = JSONResponse({})
    response.delete_cookie(call.desk.cookie, path="/", secure=call.request.url.scheme == "https", httponly=True)
    return response


@endpoints.add(
    "POST",
    "/api/session/password",
    ANYBODY,
    "choose a password",
    body=closed({"old": {"type": "string", "maxLength": 1000}, "new": PASSWORD}),
    while_changing=True,
)
def change_password(call: Call) -> dict[str, Any]:
    accounts.change_password(call.desk.store, call.who, call.body["old"], call.body["new"])
    return {}


@endpoints.add(
    "POST",
    "/api/session/language",
    ANYBODY,
    "the language of one's pages",
    body=closed({"language": choice("en", "ar")}),
    while_changing=True,
)
def change_language(call: Call) -> dict[str, Any]:
    with call.desk.store.writing() as opened:
        opened.get_one(User, call.who.user).language = call.body["language"]
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


@endpoints.add("GET", "/api/users", ADMINISTRATORS, "all accounts")
def users(call: Call) -> list[dict[str, Any]]:
    with call.desk.store.reading() as opened:
        return [_user(user) for user in opened.scalars(select(User).order_by(User.closed_at.is_not(None), User.name))]


@endpoints.add(
    "POST",
    "/api/users",
    ADMINISTRATORS,
    "a new account; its one-time code is shown only once",
    body=closed({"name": NAME, "full_name": text(80), "role": choice(*ROLES)}),
)
def create(call: Call) -> dict[str, Any]:
    user, code = accounts.create(
        call.desk.store, call.who.actor, call.body["name"], call.body["full_name"], call.body["role"]
    )
    return _user(user) | {"code": code}


@endpoints.add(
    "PATCH",
    "/api/users/{name}",
    ADMINISTRATORS,
    "change a role or name, or close or reopen an account",
    body=closed({"full_name": text(80), "role": choice(*ROLES), "closed": {"type": "boolean"}}, required=()),
)
def change(call: Call) -> dict[str, Any]:
    with call.desk.store.writing() as opened:
        user = accounts.find(opened, call.path["name"])
        accounts.change(
            opened, call.who.actor, user, call.body.get("role"), call.body.get("full_name"), call.body.get("closed")
        )
        return _user(user)


@endpoints.add("POST", "/api/users/{name}/reset", ADMINISTRATORS, "a one-time code to replace a forgotten password")
def reset(call: Call) -> dict[str, Any]:
    return {"code": accounts.reset(call.desk.store, call.who.actor, call.path["name"])}
