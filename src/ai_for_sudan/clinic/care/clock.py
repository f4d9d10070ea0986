"""The machine's clock, watched: a battery that dies must not make films look a year old, and have them deleted."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta, timezone
from typing import Any

from ai_for_sudan.clinic.store import Store, settings, trail
from ai_for_sudan.clinic.store.tables import now

KEY = "clock"
#: how far the clock may move against the machine's own counter, and how long a server is off at most
DRIFT, LONGEST_OFF = timedelta(hours=1), timedelta(days=60)


def _counter() -> float:
    """Seconds that no setting of the clock changes and that go on while the machine sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def beat(store: Store) -> str:
    """Note the time; call it once a minute.

    Returns:
        why the clock is not to be trusted, or nothing. It stays so until a person says that it is right.
    """
    moment, counter = now(), _counter()
    with store.writing() as session:
        before = settings.get(session, KEY) or {}
        suspect = str(before.get("suspect", ""))
        if before and not suspect:
            suspect = _judge(before, moment, counter)
            if suspect:
                trail.record(session, "system", "clock.jumped", before=before["wall"], now=moment.isoformat())
        settings.put(
            session,
            KEY,
            {"wall": moment.isoformat(), "counter": counter, "process": os.getpid(), "suspect": suspect},
        )
    return suspect


def _judge(before: dict[str, Any], moment: datetime, counter: float) -> str:
    wall = datetime.fromisoformat(before["wall"])
    passed = moment - wall
    if before["process"] == os.getpid() and counter >= before["counter"]:
        jump = passed - timedelta(seconds=counter - before["counter"])
        if abs(jump) > DRIFT:
            return f"the clock was moved by {_words(jump)} while the server was running"
    elif passed < -DRIFT:
        return f"the clock is {_words(-passed)} behind the time at which the server last ran"
    elif passed > LONGEST_OFF:
        return f"the server last ran {_words(passed)} ago by this clock: it was off for long, or the clock is wrong"
    return ""


def _words(span: timedelta) -> str:
    days = abs(span) / timedelta(days=1)
    return f"{days:.0f} days" if days >= 2 else f"{days * 24:.0f} hours"


def suspect(store: Store) -> str:
    """Why the clock is not to be trusted, or nothing."""
    with store.reading() as session:
        return str((settings.get(session, KEY) or {}).get("suspect", ""))


def is_right(store: Store, actor: str) -> None:
    """A person has looked at the clock and says that it is right."""
    with store.writing() as session:
        found = settings.get(session, KEY) or {"counter": _counter(), "process": os.getpid()}
        settings.put(session, KEY, found | {"wall": datetime.now(timezone.utc).isoformat(), "suspect": ""})
        trail.record(session, actor, "clock.confirmed")
