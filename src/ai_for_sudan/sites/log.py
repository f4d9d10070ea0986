"""The readings that a site leaves: JSON lines of `read --log` or of the phone app, without pixels."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from ai_for_sudan.contract.reference import log_odds
from ai_for_sudan.errors import UserError
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
        sick: the reference standard, where recorded.
    """

    week: date
    status: str
    score: float | None
    embedding: np.ndarray | None
    verdict: str | None
    sick: bool | None
    reader: str


def read_log(paths: Iterable[Path]) -> tuple[list[Entry], list[tuple[str, str]]]:
    """The entries of all files by date, and ``(file, line: reason)`` of every line that is left out.

    Raises:
        UserError: a file cannot be read, or not one line is of use.
    """
    entries: list[tuple[datetime, Entry]] = []
    excluded: list[tuple[str, str]] = []
    seen: set[str] = set()
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"{path} cannot be read: {error}; expected JSON lines of ai-for-sudan read --log"
            ) from error
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            found = _entry(line)
            if isinstance(found, tuple) and line.strip() not in seen:
                entries.append(found)
            else:
                reason = found if isinstance(found, str) else "the same line is there already"
                excluded.append((f"{path}, line {number}", reason))
            seen.add(line.strip())
    if not entries:
        first = f"; {excluded[0][0]}: {excluded[0][1]}" if excluded else ""
        raise UserError(f"no reading with a date was found{first}; log readings with: ai-for-sudan read --log --output")
    return [entry for _, entry in sorted(entries, key=lambda pair: pair[0])], excluded


def _entry(line: str) -> tuple[datetime, Entry] | str:
    """The entry with its time, or why the line is of no use."""
    try:
        values = json.loads(line)
    except ValueError:
        return "this is no JSON"
    if not isinstance(values, dict):
        return "this is no JSON object"
    time = _time(values.get("date") or values.get("read_at"))
    status, verdict, reference = values.get("status"), values.get("verdict"), values.get("reference")
    embedding = values.get("embedding") or None
    reason = ""
    if time is None:
        reason = "no date (ISO 8601) in 'date' or 'read_at'"
    elif status not in STATUSES:
        reason = f"status {status!r}; expected one of {', '.join(STATUSES)}"
    elif verdict is not None and verdict not in VERDICTS:
        reason = f"verdict {verdict!r}; expected one of {', '.join(VERDICTS)}"
    elif reference is not None and reference not in _REFERENCES:
        reason = f"reference {reference!r}; expected positive or negative"
    elif status not in ("failed", "refused") and not _is_share(values.get("probability")):
        reason = f"probability {values.get('probability')!r}; expected a number in 0..1"
    elif embedding is not None and not _are_numbers(embedding):
        reason = "an embedding that is no list of numbers"
    if reason or time is None:
        return reason
    read = status not in ("failed", "refused")
    return time, Entry(
        week=time.date() - timedelta(days=time.weekday()),
        status=str(status),
        score=float(log_odds(values["probability"])) if read else None,
        embedding=np.array(embedding, np.float64) if embedding is not None and read else None,
        verdict=verdict,
        sick=None if reference is None else _REFERENCES[reference],
        reader=str(values.get("reader", "")),
    )


def _time(text: Any) -> datetime | None:
    try:
        # Python 3.10 does not read the Z that JavaScript writes. The clock time counts, wherever it was.
        return datetime.fromisoformat(str(text).replace("Z", "+00:00")).replace(tzinfo=None)
    except ValueError:
        return None


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _are_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v) for v in values
    )
