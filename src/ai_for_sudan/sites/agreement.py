"""How often clinicians agree, and how often readings are right, by intervals that may be looked at every week."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaln

from ai_for_sudan.sites.log import Entry


def confidence_sequence(successes: int, total: int, level: float) -> tuple[float, float]:
    """Return an interval for a share that may be looked at after every film.

    The chance that it ever leaves the true share out is at most ``level`` (Robbins 1970; uniform mixture, by Ville's
    inequality).
    """
    if total == 0:
        return 0.0, 1.0
    mixture = betaln(1 + successes, 1 + total - successes)

    def excess(share: float) -> float:
        likelihood = successes * np.log(share) + (total - successes) * np.log1p(-share)
        return float(mixture - likelihood + np.log(level))

    centre, edge = min(max(successes / total, 1e-9), 1 - 1e-9), 1e-12
    low = brentq(excess, edge, centre) if successes and excess(edge) > 0 > excess(centre) else 0.0
    high = brentq(excess, centre, 1 - edge) if successes < total and excess(1 - edge) > 0 > excess(centre) else 1.0
    return float(low), float(high)


def agreement(entries: Sequence[Entry], wanted: float, level: float) -> dict[str, Any]:
    """Return how often clinicians agree, week by week, and whether that is proven to be below ``wanted``."""
    verdicts = [entry for entry in entries if entry.verdict in ("agree", "disagree")]
    agreed = 0
    course: list[dict[str, Any]] = []
    for count, entry in enumerate(verdicts, start=1):
        agreed += entry.verdict == "agree"
        if count == len(verdicts) or verdicts[count].week != entry.week:
            low, high = confidence_sequence(agreed, count, level)
            course.append({"week": entry.week.isoformat(), "verdicts": count, "share": [agreed / count, low, high]})
    unsure = sum(entry.verdict == "unsure" for entry in entries)
    # The sequence holds at all times at once, so the lowest upper end of all weeks may be used.
    ceiling = min((point["share"][2] for point in course), default=1.0)
    return {
        "wanted": wanted,
        "verdicts": len(verdicts),
        "unsure": unsure,
        "course": course,
        "alarm": bool(ceiling < wanted),
    }


def accuracy(entries: Sequence[Entry], level: float) -> dict[str, Any]:
    """Return sensitivity and specificity where the reference standard is recorded.

    Uncertain and refused films count as neither.
    """
    called = {"suspected": True, "not_seen": False}
    known = [entry for entry in entries if entry.positive is not None and entry.status in called]
    found: dict[str, Any] = {}
    for name, positive in (("sensitivity", True), ("specificity", False)):
        right = [called[entry.status] == positive for entry in known if entry.positive == positive]
        share = [sum(right) / len(right), *confidence_sequence(sum(right), len(right), level)] if right else None
        found[name] = {"films": len(right), "share": share}
    return found
