"""An operating point: two promised error rates, and the two cut-offs that follow from them.

It is the only rule by which a probability becomes a status. The phone app has the same lines in TypeScript.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ai_for_sudan.contract.record import Record


@dataclass(frozen=True, kw_only=True)
class OperatingPoint(Record):
    """Two cut-offs on the probability of the positive class.

    Attributes:
        missed: promised share, 0..1, of positive films that may be ``not_seen``; None where nothing is promised.
        false_alarms: promised share, 0..1, of negative films that may be ``suspected``; None where nothing is promised.
        not_seen_below: films of a lower probability are ``not_seen``.
        suspected_from: films of this probability or a higher one are ``suspected``; never less than ``not_seen_below``.
            Films between the two cut-offs are ``uncertain``. Where both are equal, no film is.
        reason: why the cut-offs lie where they do.
        chosen_on: the films that they were chosen on.
        measured: name of a set of films -> its status table as JSON, see
            :class:`ai_for_sudan.statistics.StatusTable`.
    """

    name: str = field(default="", metadata={"key": ""})
    missed: float | None = None
    false_alarms: float | None = None
    not_seen_below: float
    suspected_from: float
    reason: str = ""
    chosen_on: str | None = None
    measured: dict[str, Any] | None = None

    def status(self, probability: float) -> str:
        """Tell ``suspected``, ``uncertain`` or ``not_seen`` from a probability; NaN is ``uncertain``."""
        if probability >= self.suspected_from:
            return "suspected"
        return "not_seen" if probability < self.not_seen_below else "uncertain"

    def statuses(self, probabilities: np.ndarray) -> np.ndarray:
        """Tell the :meth:`status` of each probability ``(N,)``, as texts ``(N,)``."""
        return np.array([self.status(probability) for probability in np.asarray(probabilities, np.float64)], object)


def cut_offs_of(threshold: float, band: Mapping[str, float] | None, reason: str = "") -> dict[str, Any]:
    """Derive the two cut-offs of a card of schema 1 or 2, which had a threshold and a band that is left to a person.

    Statuses stay as they were, except where the threshold lies outside the band: films between the two are uncertain,
    and the reason says so. An empty band left no film to a person.

    Args:
        threshold: films at or above it were suspected.
        band: its ends ``lower`` and ``upper``; films strictly between them were uncertain, whatever the threshold.
        reason: why the threshold was chosen.

    Returns:
        the entries ``not_seen_below``, ``suspected_from`` and ``reason`` of the operating point.
    """
    lower, upper = (band["lower"], band["upper"]) if band else (threshold, threshold)
    if lower == upper:
        lower = upper = threshold
    low, high = min(threshold, lower), max(threshold, upper)
    if not lower <= threshold <= upper:
        said = (
            f"the threshold of {threshold:.3f} lies outside the band of {lower:.3f} to {upper:.3f} that is left to a "
            f"person: films from {low:.3f} to {high:.3f} are uncertain"
        )
        reason = f"{reason}; {said}" if reason else said
    return {"not_seen_below": low, "suspected_from": high, **({"reason": reason} if reason else {})}


def of_now(facts: Mapping[str, Any], schema: int) -> dict[str, Any]:
    """Bring a checked card of schema 1 or 2 into the form of now: two cut-offs at each operating point, and no band.

    Args:
        facts: the card's JSON object.
        schema: the number of the form of now. A card without provenance keeps its own number.
    """
    band = facts.get("abstention") or None
    promised = band.get("error_rate") if band and band["lower"] < band["upper"] else None
    points = {
        name: point
        if "suspected_from" in point
        else {
            **point,
            **cut_offs_of(point["threshold"], band, point.get("reason", "")),
            **({} if promised is None else {"missed": promised, "false_alarms": promised}),
        }
        for name, point in facts["operating_points"].items()
    }
    kept = {key: value for key, value in facts.items() if key != "abstention"}
    number = schema if facts.get("provenance") and facts.get("identity") else facts["schema"]
    return {**kept, "schema": number, "operating_points": points}
