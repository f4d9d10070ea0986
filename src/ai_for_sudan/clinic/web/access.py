"""Who may call what: each address names its callers in the type of its first argument."""

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPBasic, HTTPBearer

from ai_for_sudan.clinic.store.trail import record
from ai_for_sudan.clinic.web import accounts
from ai_for_sudan.clinic.web.desk import Desk
from ai_for_sudan.clinic.web.refusals import Refusal
from ai_for_sudan.clinic.web.who import Who

SAFE = ("GET", "HEAD", "OPTIONS")
#: as the OpenAPI document names the three ways to say who one is; :func:`identify` reads the values
_SESSION = Security(APIKeyCookie(name="__Host-session", scheme_name="session", auto_error=False))
_PHONE = Security(HTTPBearer(scheme_name="device", auto_error=False))


class _Program(HTTPBasic):
    async def __call__(self, request: Request) -> None:  # type: ignore[override]
        return None


_PROGRAM = Security(_Program(scheme_name="program"))


@dataclass(frozen=True)
class Call:
    """One call that was let in."""

    desk: Desk
    request: Request
    who: Who


@dataclass(frozen=True)
class Gate:
    """Lets a call in, as a dependency: the endpoint gets a :class:`Call`.

    Attributes:
        roles: who may come in; nobody is named where everybody may.
        basic: programs may give a name and a password with each call (HTTP Basic) instead of a session.
        while_changing: open to a session that still has to choose its password.

    Raises:
        Refusal: 401, nobody is logged in; 403, this caller may not, or another site's page sent the call; 400, the
            query has a value that the address does not know.
    """

    roles: tuple[str, ...] = ()
    basic: bool = False
    while_changing: bool = False

    def __call__(self, request: Request) -> Call:
        desk: Desk = request.app.state.desk
        who = identify(desk, request, self.basic)
        if request.method not in SAFE:
            _same_origin(request)
        if self.roles:
            self._admit(desk, request, who)
        if dependant := getattr(request.scope.get("route"), "dependant", None):
            for name in set(request.query_params) - {field.alias for field in dependant.query_params}:
                raise Refusal(400, "invalid", f"query {name[:40]!a}: this address does not know it")
        return Call(desk, request, who)

    def _admit(self, desk: Desk, request: Request, who: Who) -> None:
        if not who.role:
            raise Refusal(401, "login", "log in first")
        if who.role not in self.roles:
            with desk.store.writing() as session:
                path = getattr(request.scope.get("route"), "path", request.url.path)
                record(session, who.actor, "access.refused", f"{request.method} {path}")
            raise Refusal(403, "role", "your account is not allowed to do this; ask an administrator")
        if who.csrf and request.method not in SAFE:
            given = request.headers.get("x-csrf-token", "")
            if not hmac.compare_digest(given.encode(), who.csrf.encode()):
                raise Refusal(403, "csrf", "the page is not from this session; reload it")
        if who.changing and not self.while_changing:
            raise Refusal(403, "must_change_password", "choose a password first")


class PeopleGate(Gate):
    """A gate for people in browsers."""

    def __call__(self, request: Request, _: Annotated[Any, _SESSION] = None) -> Call:
        return super().__call__(request)


class ProgramGate(Gate):
    """A gate for people in browsers, and for programs with an account."""

    def __call__(
        self, request: Request, _: Annotated[Any, _SESSION] = None, __: Annotated[Any, _PROGRAM] = None
    ) -> Call:
        return super().__call__(request)


class PhoneGate(Gate):
    """A gate for paired phones."""

    def __call__(self, request: Request, _: Annotated[Any, _PHONE] = None) -> Call:
        return super().__call__(request)


READERS, WRITERS = ("administrator", "clinician", "viewer"), ("administrator", "clinician")


def _for(gate: Gate) -> Any:
    return Security(gate, scopes=gate.roles)


Everybody = Annotated[Call, Depends(Gate())]
Anybody = Annotated[Call, _for(PeopleGate(READERS))]
Newcomer = Annotated[Call, _for(PeopleGate(READERS, while_changing=True))]
Clinician = Annotated[Call, _for(PeopleGate(WRITERS))]
Administrator = Annotated[Call, _for(PeopleGate(("administrator",)))]
Program = Annotated[Call, _for(ProgramGate(READERS, basic=True))]
Phone = Annotated[Call, _for(PhoneGate(("device",)))]


def identify(desk: Desk, request: Request, basic: bool) -> Who:
    """Say who calls: a phone by its token, a program by name and password, a browser by its session.

    Raises:
        Refusal: 401, the token, name or password is wrong; 403, the password was not chosen yet; 429.
    """
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return accounts.phone_of(desk.store, value.strip())
    if kind.lower() == "basic" and basic:
        try:
            name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, ValueError) as error:
            raise Refusal(401, "credentials", "the name or password is wrong") from error
        user = accounts.authenticated(desk.store, name, password)
        if user.must_change_password:
            raise Refusal(403, "must_change_password", "choose a password in the browser first")
        return Who(f"user:{user.name}", user.role, user.id, name=user.full_name or user.name)
    token = request.cookies.get(desk.cookie)
    return (accounts.session_of(desk.store, token) if token else None) or Who()


def _same_origin(request: Request) -> None:
    """Browsers say whose page sends a call; programs say nothing."""
    origin = request.headers.get("origin")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") or (
        origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    ):
        raise Refusal(403, "csrf", "a page of another site may not send this")
