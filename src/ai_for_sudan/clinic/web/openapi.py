"""The OpenAPI document, made of the endpoints themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ai_for_sudan.clinic.web.endpoint import PUBLIC, Endpoint
from ai_for_sudan.version import __version__

#: names in paths that stand for whole numbers
NUMBERS = ("film", "delivery", "device")

_ERROR = {
    "type": "object",
    "properties": {"error": {"type": "string"}, "message": {"type": "string"}},
    "required": ["error", "message"],
}
_REFUSALS = {
    400: "a value does not match the schema",
    401: "nobody is logged in, or the password is wrong",
    403: "this account is not allowed to, or the call came from another site's page",
    404: "there is no such thing",
    409: "the current state does not allow it",
    410: "the film's file was deleted",
    413: "the body is too large",
    415: "the body is not JSON",
    429: "too many wrong passwords: wait",
    503: "the server is busy",
    507: "the disk of the server is full",
}


def document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """OpenAPI 3.1 of the endpoints."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "AI for Sudan: clinic", "version": __version__, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-session"},
                "device": {"type": "http", "scheme": "bearer"},
                "program": {"type": "http", "scheme": "basic"},
            }
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 1, "maximum": 2**53} if name in NUMBERS else {"type": "string"},
        }
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ] + [{"name": name, "in": "query", "schema": schema} for name, schema in endpoint.query.items()]
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "description": f"For: {', '.join(sorted(endpoint.access)) or 'everybody'}.",
        "parameters": parameters,
        "responses": {
            "200": {"description": "done", "content": {endpoint.kind: {}}},
            **{
                str(status): {"description": words, "content": {"application/json": {"schema": _ERROR}}}
                for status, words in _REFUSALS.items()
            },
        },
    }
    if endpoint.body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": endpoint.body}}}
    elif endpoint.raw and endpoint.method != "GET":
        operation["requestBody"] = {"required": True, "content": {"application/octet-stream": {}}}
    if endpoint.access is not PUBLIC and endpoint.access:
        if endpoint.access == {"device"}:
            operation["security"] = [{"device": []}]
        else:
            operation["security"] = [{"session": []}, *([{"program": []}] if endpoint.basic else [])]
    return operation
