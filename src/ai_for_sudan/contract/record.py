"""Dataclasses that are read from JSON and TOML, and written as JSON."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
Self = TypeVar("Self", bound="Record")

_WORDS = {str: "a text in quotes", int: "a whole number", float: "a number", bool: "true or false"}


def from_facts(kind: type[T], facts: Any, place: str = "", name: Any = "") -> T:
    """Make a dataclass of a JSON or TOML object, and those inside it of the objects inside it.

    A field is read from its own name, or from its metadata ``key``. Where that is empty, its value is ``name``: the
    name under which the object stands in the object around it.

    Args:
        place: where the object stands, in dots; errors name it.

    Raises:
        ValueError: names the first entry that is unknown or of another type than its field, or a field that has
            neither entry nor default. A :class:`Record` keeps entries that it does not know, and trusts the others.
    """
    if not isinstance(facts, Mapping):
        raise ValueError(f"[{place}] must be a table")
    record = issubclass(kind, Record)
    hints = get_type_hints(kind)
    fields = {one.metadata.get("key", one.name): one for one in dataclasses.fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    if unnamed := fields.pop("", None):
        values[unnamed.name] = name
    if record:
        del fields["more"]
        values["more"] = {key: value for key, value in facts.items() if key not in fields or value is None}
    for key, value in facts.items():
        where = f"{place}.{key}" if place else key
        if key in fields and not (record and value is None):
            values[fields[key].name] = _read(value, hints[fields[key].name], where, trusted=record)
        elif not record:
            raise ValueError(f"'{where}' is not known; known are: {', '.join(fields)}")
    for key, one in fields.items():
        if one.name not in values and one.default is one.default_factory is dataclasses.MISSING:
            raise ValueError(f"[{place}] lacks '{key}'")
    return kind(**values)


def _read(value: Any, kind: Any, where: str, trusted: bool) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _read(value, next(one for one in arguments if one is not type(None)), where, trusted)
    if dataclasses.is_dataclass(kind):
        return from_facts(kind, value, where)  # type: ignore[arg-type]
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"'{where}' must be a list, not {value!r}")
        return tuple(_read(one, arguments[0], where, trusted) for one in value)
    if origin is dict and dataclasses.is_dataclass(arguments[1]):
        return {name: from_facts(arguments[1], one, f"{where}.{name}", name) for name, one in value.items()}  # type: ignore[arg-type]
    if kind is Path and isinstance(value, str):
        return Path(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not trusted and type(value) is not kind:
        raise ValueError(f"'{where}' must be {_WORDS.get(kind, kind.__name__)}, not {value!r}")
    return value


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """A JSON object with known entries, that keeps those it does not know. What has its default is not written.

    Attributes:
        more: entries that this version of the program has no field for.
    """

    more: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)

    @classmethod
    def from_facts(cls: type[Self], facts: Mapping[str, Any], name: str = "") -> Self:
        """Make the record of a JSON object that was checked against the schema; see :func:`from_facts`."""
        return from_facts(cls, facts, name=name)

    def to_facts(self) -> dict[str, Any]:
        """Return the JSON object."""
        facts: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            key, value = field.metadata.get("key", field.name), getattr(self, field.name)
            if key and field.name != "more" and value != _default(field):
                facts[key] = _written(value)
        return {**facts, **{key: value for key, value in self.more.items() if key not in facts}}


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _written(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_facts()
    if isinstance(value, tuple):
        return [_written(one) for one in value]
    if isinstance(value, dict):
        return {name: _written(one) for name, one in value.items()}
    return value
