"""One address of the server: who may call it, what it takes, what it does. Routes, checks and OpenAPI come from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import fastjsonschema
from starlette.requests import Request

if TYPE_CHECKING:
    from ai_for_sudan.clinic.web.desk import Desk

ROLES = ("administrator", "clinician", "viewer")
#: who may call an address
PUBLIC: frozenset[str] = frozenset()
ANYBODY = frozenset(ROLES)
CLINICIANS = frozenset({"administrator", "clinician"})
ADMINISTRATORS = frozenset({"administrator"})
DEVICES = frozenset({"device"})

Schema = dict[str, Any]


class Refusal(Exception):
    """A call that is not answered.

    Attributes:
        status: of HTTP.
        code: a stable word; the pages have words for it in every language.
        facts: what these words need, such as seconds to wait.
    """

    def __init__(self, status: int, code: str, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.facts = status, code, message, facts


@dataclass(frozen=True)
class Who:
    """Who calls.

    Attributes:
        actor: as the trail names it: ``user:amina``, ``device:3``, ``nobody``.
        csrf: what a browser must repeat with every change; empty where no cookie speaks for the caller.
        changing: has a one-time code only and may do nothing but choose a password.
    """

    actor: str = "nobody"
    role: str = ""
    user_id: int | None = None
    device_id: int | None = None
    login_id: int | None = None
    name: str = ""
    csrf: str = ""
    changing: bool = False

    @property
    def user(self) -> int:
        """The user that this call acts for."""
        if self.user_id is None:
            raise Refusal(401, "login", "log in first")
        return self.user_id


@dataclass(frozen=True)
class Call:
    """One call, checked: its caller may make it, and its values are what the endpoint's schemas ask for."""

    desk: Desk
    request: Request
    who: Who
    path: dict[str, Any]
    query: dict[str, Any]
    body: Any


@dataclass(frozen=True)
class Endpoint:
    """An address.

    Attributes:
        access: roles; :data:`PUBLIC` (empty) for everybody.
        handler: runs in a thread; what it returns is sent as JSON, a response as it is.
        query, body: JSON schemas.
        most: the largest body, in bytes.
        raw: the largest body, in bytes, that the handler (a coroutine then) takes piece by piece itself.
        basic: programs may give a name and a password with each call (HTTP Basic) instead of a session.
        while_changing: open to a session that still has to choose its password.
        kind: content type of the answer.
    """

    method: str
    path: str
    access: frozenset[str]
    summary: str
    handler: Callable[[Call], Any]
    query: dict[str, Schema] = field(default_factory=dict)
    body: Schema | None = None
    most: int = 64_000
    raw: int | None = None
    basic: bool = False
    while_changing: bool = False
    kind: str = "application/json"

    def __post_init__(self) -> None:
        object.__setattr__(self, "_check_body", fastjsonschema.compile(self.body) if self.body else None)
        object.__setattr__(self, "_check_query", fastjsonschema.compile(closed(self.query, required=())))

    def checked_body(self, value: Any) -> Any:
        return self._checked(self._check_body, value)  # type: ignore[attr-defined]

    def checked_query(self, values: dict[str, str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, text in values.items():
            kind = self.query.get(name, {}).get("type")
            if kind == "integer" and text.removeprefix("-").isdecimal() and text.isascii() and len(text) < 16:
                found[name] = int(text)
            else:
                found[name] = text
        return dict(self._checked(self._check_query, found))  # type: ignore[attr-defined]

    @staticmethod
    def _checked(check: Callable[[Any], Any], value: Any) -> Any:
        try:
            return check(value)
        except fastjsonschema.JsonSchemaValueException as error:
            raise Refusal(400, "invalid", _printable(error.message)) from error


class Endpoints(list[Endpoint]):
    """The addresses of one module, collected by decorators."""

    def add(
        self, method: str, path: str, access: frozenset[str], summary: str, **more: Any
    ) -> Callable[[Callable[[Call], Any]], Callable[[Call], Any]]:
        def register(handler: Callable[[Call], Any]) -> Callable[[Call], Any]:
            self.append(Endpoint(method, path, access, summary, handler, **more))
            return handler

        return register


def closed(properties: dict[str, Schema], required: tuple[str, ...] | None = None) -> Schema:
    """The schema of an object with these properties and no others, all required unless told otherwise."""
    names = tuple(properties) if required is None else required
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": list(names)} if names else {})


def text(longest: int, shortest: int = 0) -> Schema:
    """Text of people: one or more lines, without control characters."""
    # Tab, line feed and carriage return are how people write; nothing else below the space is.
    schema: Schema = {"type": "string", "maxLength": longest, "pattern": r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"}
    return schema | ({"minLength": shortest} if shortest else {})


def number(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def choice(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def _printable(message: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in message)[:300]
