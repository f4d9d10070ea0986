"""The values that calls carry: bounded, without control characters, nothing that is not asked for."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Response
from pydantic import BaseModel, ConfigDict, Field

#: a row's number, in a body and in an address
Number = Annotated[int, Field(ge=1, le=2**53)]
InPath = Annotated[int, Path(ge=1, le=2**53)]
Password = Annotated[str, Field(min_length=1, max_length=1000)]


class Body(BaseModel):
    """The JSON body of a call: of the right types as it is sent, and with no name that is not known."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def text(longest: int, shortest: int = 0) -> Any:
    """Bound a text of people: one or more lines, without control characters."""
    # Tab, line feed and carriage return are how people write; nothing else below the space is.
    return Field(min_length=shortest, max_length=longest, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")


def gives(kind: str) -> dict[str, Any]:
    """Say, for the OpenAPI document, that an address answers with another content type than JSON."""
    return {"response_class": Response, "responses": {200: {"content": {kind: {}}}}}
