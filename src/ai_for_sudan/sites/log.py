"""The readings that a site leaves: JSON lines of `read --output` or of the phone app, without pixels."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from ai_for_sudan.contract.reference import log_odds
from ai_for_sudan.errors import UserError, printable
from ai_for_sudan.reading import STATUSES

VERDICTS = ("agree", "disagree", "unsure")
_REFERENCES = {"positive": True, "negative": False}


@dataclass(frozen=True)
class Entry:
    """One reading.

    Attributes:
        week: the Monday of its week.
        score: log-odds of the positive class; None where nothing was read.
        embedding: ``(D,)``, where it was logged.
        verdict: what the clinician said of the reading, where recorded: agree, disagree or unsure.
        positive: the reference standard, where recorded.
        line: the file and line that it is from.
        film: SHA-256 of its bytes; empty where it was not logged.
    """

    week: date
    status: str
    score: float | None
    embedding: np.ndarray | None
    verdict: str | None
    positive: bool | None
    reader: str
    line: str = ""
    film: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A line that is not counted, and why."""

    line: str
    reason: str


def read_log(paths: Iterable[Path], *, now: datetime | None = None) -> tuple[list[Entry], list[LeftOut]]:
    """The entries of all files by date, and every line that is left out.

    A file none of whose lines has a date (``read --output`` of version 0.1.0) counts as of the day it was last written.

    Args:
        now: nothing can have been read after it.

    Raises:
        UserError: a file cannot be read, or not one line is of use.
    """
    latest = (now or datetime.now()) + timedelta(days=1)  # a day more: clocks of other time zones
    entries: list[tuple[datetime, Entry]] = []
    left_out: list[LeftOut] = []
    seen: set[str] = set()
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
            written = datetime.fromtimestamp(path.stat().st_mtime)
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"{path} cannot be read: {error}; expected JSON lines of ai-for-sudan read --output"
            ) from error
        found: list[tuple[datetime | None, Entry]] = []
        # Not splitlines(): JSON may hold other line separators inside a text.
        for number, line in enumerate(map(str.strip, text.split("\n")), start=1):
            if not line:
                continue
            place = f"{path}, line {number}"
            try:
                if line in seen:
                    raise _OfNoUse("the same line occurs earlier")
                seen.add(line)
                found.append(_entry(line, place))
            except _OfNoUse as reason:
                left_out.append(LeftOut(place, printable(reason)))
        undated = all(time is None for time, _ in found)
        for time, entry in found:
            if time is None and not undated:
                left_out.append(LeftOut(entry.line, "no date (ISO 8601) in 'date' or 'read_at'"))
                continue
            time = time or written
            if time > latest:
                left_out.append(LeftOut(entry.line, f"dated in the future: {time.date()}"))
            else:
                entries.append((time, replace(entry, week=_monday(time))))
    if not entries:
        first = f"; {left_out[0].line}: {left_out[0].reason}" if left_out else ""
        raise UserError(f"no reading was found{first}; keep readings with: ai-for-sudan read FILMS --log --output FILE")
    return [entry for _, entry in sorted(entries, key=lambda pair: pair[0])], left_out


def _monday(time: datetime) -> date:
    return time.date() - timedelta(days=time.weekday())


class _OfNoUse(Exception):
    """Why a line is left out."""


def _entry(line: str, place: str) -> tuple[datetime | None, Entry]:
    """The entry with its time, where it has one.

    Raises:
        _OfNoUse: the line is not a reading.
    """
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _OfNoUse("this is not valid JSON") from error
    if not isinstance(values, dict):
        raise _OfNoUse("this is not a JSON object")
    given = values.get("date") or values.get("read_at")
    time = None if given is None else _time(given)
    status, verdict, standard = values.get("status"), values.get("verdict"), values.get("reference")
    embedding = values.get("embedding") or None
    if status not in STATUSES:
        raise _OfNoUse(f"status {_shown(status)}; expected one of {', '.join(STATUSES)}")
    if given is not None and time is None:
        raise _OfNoUse(f"date {_shown(given)}; expected ISO 8601 in 'date' or 'read_at'")
    if verdict is not None and verdict not in VERDICTS:
        raise _OfNoUse(f"verdict {_shown(verdict)}; expected one of {', '.join(VERDICTS)}")
    if standard is not None and not (isinstance(standard, str) and standard in _REFERENCES):
        raise _OfNoUse(f"reference {_shown(standard)}; expected positive or negative")
    read = status not in ("failed", "refused")
    if read and not _is_share(values.get("probability")):
        raise _OfNoUse(f"probability {_shown(values.get('probability'))}; expected a number in 0..1")
    if embedding is not None and not _are_numbers(embedding):
        raise _OfNoUse("an embedding that is not a list of numbers")
    return time, Entry(
        week=date.min,
        status=str(status),
        score=float(log_odds(values["probability"])) if read else None,
        embedding=np.array(embedding, np.float64) if embedding is not None and read else None,
        verdict=verdict,
        positive=None if standard is None else _REFERENCES[standard],
        reader=printable(values.get("reader", ""))[:200],
        line=place,
        film=film if isinstance(film := values.get("sha256"), str) else "",
    )


def _shown(value: Any) -> str:
    return repr(value)[:60]


def _time(text: Any) -> datetime | None:
    try:
        # Python 3.10 does not read the Z that JavaScript writes. The clock time counts, wherever it was.
        return datetime.fromisoformat(str(text).replace("Z", "+00:00")).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _are_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) and abs(v) < 1e100 for v in values
    )
