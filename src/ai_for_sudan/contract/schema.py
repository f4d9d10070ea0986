"""Holds a JSON value against a JSON Schema (2020-12): the keywords that our schemas use, no more.

The app has the same lines in TypeScript; the tests hold both against a complete implementation.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

#: levels of a JSON text; ours have eight
DEEPEST = 32


class Mismatch(ValueError):
    """A value is not what was expected. ``path`` says where, in dots; the text is one line."""

    def __init__(self, path: str, expected: str, received: Any) -> None:
        shown = json.dumps(received)
        shown = shown if len(shown) <= 60 else f"{shown[:60]}…"
        super().__init__(f"{path or 'the whole'}, which is {shown}; expected {expected}")
        self.path = path


class Missing(Mismatch):
    """A value that must be there is not."""

    def __init__(self, path: str) -> None:
        ValueError.__init__(self, f"{path}, which is missing")
        self.path = path


def parse(text: str) -> Any:
    """JSON whose numbers are all finite and whose levels are few.

    Raises:
        Mismatch: it is no such JSON.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Mismatch("", "valid JSON with few levels", text) from error
    _bounded(value, "", 1)
    return value


def _bounded(value: Any, path: str, level: int) -> None:
    if isinstance(value, (int, float)) and not _finite(value):
        raise Mismatch(path, "a finite number", value)
    if level > DEEPEST:
        raise Mismatch(path, f"at most {DEEPEST} levels", "a deeper one")
    for name, part in _parts(value):
        _bounded(part, _at(path, name), level + 1)


def check(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any] | None = None, path: str = "") -> None:
    """Compare ``value`` with ``schema``.

    Raises:
        Mismatch: at the first part that differs.
    """
    root = root or schema
    if "$ref" in schema:
        return check(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, path)
    for keyword, wanted in schema.items():
        if keyword in _TESTS and not _TESTS[keyword](value, wanted):
            raise Mismatch(path, _WORDS[keyword].format(json.dumps(wanted)), value)
    if "not" in schema and _matches(value, schema["not"], root):
        raise Mismatch(path, "no control characters", value)
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            if name not in value:
                raise Missing(_at(path, name))
        for name, part in value.items():
            if "propertyNames" in schema:
                check(name, schema["propertyNames"], root, _at(path, name))
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            if inner is not None:
                check(part, inner, root, _at(path, name))
    if isinstance(value, list) and "items" in schema:
        for index, part in enumerate(value):
            check(part, schema["items"], root, _at(path, index))


def _matches(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    try:
        check(value, schema, root)
    except Mismatch:
        return False
    return True


def _at(path: str, name: str | int) -> str:
    # A name may be as long and as wild as its writer liked.
    shown = re.sub(r"[^A-Za-z0-9_ -]", "?", str(name))[:40]
    return f"{path}.{shown}" if path else shown


def _parts(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and _finite(value)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "number": _number,
    "integer": lambda value: _number(value) and value == math.floor(value),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}


_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "type": lambda v, wanted: any(_TYPES[name](v) for name in ([wanted] if isinstance(wanted, str) else wanted)),
    "enum": lambda v, wanted: any(type(v) is type(one) and v == one for one in wanted),
    "minimum": lambda v, wanted: not _number(v) or v >= wanted,
    "maximum": lambda v, wanted: not _number(v) or v <= wanted,
    "exclusiveMinimum": lambda v, wanted: not _number(v) or v > wanted,
    "exclusiveMaximum": lambda v, wanted: not _number(v) or v < wanted,
    "minLength": lambda v, wanted: not isinstance(v, str) or len(v) >= wanted,
    "maxLength": lambda v, wanted: not isinstance(v, str) or len(v) <= wanted,
    "pattern": lambda v, wanted: not isinstance(v, str) or re.search(wanted.replace("$", r"\Z"), v) is not None,
    "minItems": lambda v, wanted: not isinstance(v, list) or len(v) >= wanted,
    "maxItems": lambda v, wanted: not isinstance(v, list) or len(v) <= wanted,
    "uniqueItems": lambda v, wanted: not wanted or not isinstance(v, list) or len(set(map(json.dumps, v))) == len(v),
    "minProperties": lambda v, wanted: not isinstance(v, dict) or len(v) >= wanted,
    "maxProperties": lambda v, wanted: not isinstance(v, dict) or len(v) <= wanted,
}
_WORDS = {
    "type": "{0}",
    "enum": "one of {0}",
    "minimum": "at least {0}",
    "maximum": "at most {0}",
    "exclusiveMinimum": "more than {0}",
    "exclusiveMaximum": "less than {0}",
    "minLength": "at least {0} characters",
    "maxLength": "at most {0} characters",
    "pattern": "text that fits {0}",
    "minItems": "at least {0} items",
    "maxItems": "at most {0} items",
    "uniqueItems": "no item more than once",
    "minProperties": "at least {0} entries",
    "maxProperties": "at most {0} entries",
}
