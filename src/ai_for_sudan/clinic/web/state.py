"""How the server is: for those who keep it running, for Prometheus, and for whatever restarts it."""

from __future__ import annotations

import platform
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from ai_for_sudan.clinic.care import doctor
from ai_for_sudan.clinic.store import deliveries, films, jobs
from ai_for_sudan.clinic.web.access import Administrator, Everybody, Program
from ai_for_sudan.clinic.web.values import gives
from ai_for_sudan.version import __version__

router = APIRouter()


@router.get("/health", response_model=None)
def health(call: Everybody) -> JSONResponse:
    """Answer 200 while the server can take and read films, 503 otherwise."""
    found = call.desk.health()
    return JSONResponse(
        {"status": "ok" if found["ok"] else "failing", "version": __version__}, status_code=200 if found["ok"] else 503
    )


@router.get("/api/state")
def state(call: Administrator) -> dict[str, Any]:
    """Say what is wrong now, and what waits."""
    with call.desk.store.reading() as session:
        return {
            "version": __version__,
            "python": platform.python_version(),
            "site": call.desk.config.site.name,
            "reader": call.desk.card.title,
            "films": films.counts(session),
            "jobs": [{"kind": kind, "state": s, "count": n} for (kind, s), n in jobs.counts(session).items()],
            **{key: value for key, value in call.desk.health().items() if key != "gauges"},
        }


@router.post("/api/state/doctor")
def examine(call: Administrator) -> list[dict[str, str]]:
    """Check everything, as `clinic doctor` does."""
    return [asdict(finding) for finding in doctor.examine(call.desk.config)]


@router.get("/metrics", **gives("text/plain"))
def metrics(call: Program) -> Response:
    """Give the server's state to Prometheus: no patient, no name."""
    with call.desk.store.reading() as session:
        lines = [
            *_family("films", "films by status", {(("status", k),): n for k, n in films.counts(session).items()}),
            *_family(
                "jobs",
                "jobs by kind and state",
                {(("kind", kind), ("state", s)): n for (kind, s), n in jobs.counts(session).items()},
            ),
            *_family(
                "deliveries",
                "results by destination and state",
                {(("destination", d), ("state", s)): n for (d, s), n in deliveries.counts(session).items()},
            ),
        ]
    found = call.desk.health()
    lines += _family("healthy", "1 while films are taken and read", {(): int(found["ok"])})
    for name, (words, value) in found.get("gauges", {}).items():
        lines += _family(name, words, {(): value})
    return Response("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4; charset=utf-8")


def _family(name: str, words: str, values: dict[tuple[tuple[str, str], ...], float]) -> list[str]:
    """One metric in Prometheus' text format."""
    return [
        f"# HELP ai_for_sudan_{name} {words}",
        f"# TYPE ai_for_sudan_{name} gauge",
        *(f"ai_for_sudan_{name}{_labels(labels)} {value}" for labels, value in values.items()),
    ]


def _labels(labels: tuple[tuple[str, str], ...]) -> str:
    if not labels:
        return ""
    escaped = ((k, v.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) for k, v in labels)
    return "{" + ",".join(f'{k}="{v}"' for k, v in escaped) + "}"
