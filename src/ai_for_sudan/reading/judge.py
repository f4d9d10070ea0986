"""From numbers to a status: the one place where it is decided. The phone app has the same lines in TypeScript."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ai_for_sudan.reading.card import Card, OperatingPoint

STATUSES = ("suspected", "not_seen", "uncertain", "refused", "failed")
#: the shortest side, in pixels, that is read
SMALLEST_SIDE = 128


@dataclass(frozen=True)
class Verdict:
    status: str
    codes: tuple[str, ...]
    reasons: tuple[str, ...]


def judge(
    card: Card,
    probability: float,
    gate: Sequence[float],
    size: tuple[int, int],
    point: OperatingPoint,
    remarks: Sequence[tuple[str, str]] = (),
) -> Verdict:
    """The status of a decoded film.

    Args:
        probability: calibrated, of the positive class.
        gate: one score for each entry of ``card.gate``.
        size: height and width of the film in pixels.
        point: the operating point.
        remarks: ``(code, reason)`` for which the header rules the film out.
    """
    found = list(remarks)
    if min(size) < SMALLEST_SIDE:
        found.append(
            (
                "too_small",
                f"the film has {size[1]} x {size[0]} pixels, at least {SMALLEST_SIDE} a side are needed; "
                "send the original, not a thumbnail",
            )
        )
    for score, entry in zip(gate, card.gate, strict=True):
        if score > entry.limit:
            found.append((entry.code, f"{entry.reason}; {entry.advice}" if entry.advice else entry.reason))
            if entry.code == "blank":
                break  # what the other rules make of nothing is noise
    if found:
        status = "refused"
    elif card.abstention and card.abstention[0] < probability < card.abstention[1]:
        status = "uncertain"
        low, high = card.abstention
        found.append(("abstained", f"the probability lies between {low:.2f} and {high:.2f}, where errors are frequent"))
    else:
        status = "suspected" if probability >= point.threshold else "not_seen"
    return Verdict(status, tuple(code for code, _ in found), tuple(reason for _, reason in found))
