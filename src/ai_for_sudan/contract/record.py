"""Dataclasses that are read from and written as JSON; entries without a field are kept as they are."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Self = TypeVar("Self", bound="Record")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """A JSON object with known entries.

    A field is written under its own name, or under its metadata ``key``; where that is empty, its value is the name
    under which the object stands in the object around it. What has its default is not written.

    Attributes:
        more: entries that this version of the program has no field for.
    """

    more: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)

    @classmethod
    def from_facts(cls: type[Self], facts: Mapping[str, Any], name: str = "") -> Self:
        """From a JSON object that was checked against the schema."""
        values: dict[str, Any] = {}
        hints, keys = get_type_hints(cls), {}
        for field in dataclasses.fields(cls):
            key = field.metadata.get("key", field.name)
            keys[key] = field.name
            if key == "":
                values[field.name] = name
            elif facts.get(key) is not None and field.name != "more":
                values[field.name] = _read(facts[key], hints[field.name])
        return cls(**values, more={key: value for key, value in facts.items() if key not in keys or value is None})

    def to_facts(self) -> dict[str, Any]:
        """The JSON object."""
        facts: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            key, value = field.metadata.get("key", field.name), getattr(self, field.name)
            if key and field.name != "more" and value != _default(field):
                facts[key] = _written(value)
        return {**facts, **{key: value for key, value in self.more.items() if key not in facts}}


def _read(value: Any, kind: Any) -> Any:
    if value is None:
        return None
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _read(value, next(one for one in arguments if one is not type(None)))
    if isinstance(kind, type) and issubclass(kind, Record):
        return kind.from_facts(value)
    if origin is tuple:
        return tuple(_read(one, arguments[0]) for one in value)
    if origin is dict and isinstance(arguments[1], type) and issubclass(arguments[1], Record):
        return {name: arguments[1].from_facts(one, name) for name, one in value.items()}
    return float(value) if kind is float else value


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
