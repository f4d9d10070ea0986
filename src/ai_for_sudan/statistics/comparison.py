"""Two models on the same films."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from ai_for_sudan.statistics.auroc import delong_paired


@dataclass(frozen=True)
class Calls:
    """Probabilities ``(N,)`` of a model and the threshold that it calls films by."""

    probabilities: np.ndarray
    threshold: float

    def right(self, labels: np.ndarray) -> np.ndarray:
        """Bool ``(N,)``."""
        return (self.probabilities >= self.threshold) == (labels == 1)


def mcnemar(first_right: np.ndarray, second_right: np.ndarray, patients: np.ndarray | None = None) -> float:
    """Return the probability that two readers differ in their errors only by chance (exact; McNemar 1947).

    Args:
        patients: whom each film is of; a patient counts once, for the reader that is right on more of its films.
    """
    ahead = np.asarray(first_right, int) - np.asarray(second_right, int)
    if patients is not None:
        ahead = np.bincount(np.unique(patients, return_inverse=True)[1], ahead)
    only_first, only_second = int((ahead > 0).sum()), int((ahead < 0).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second, 0.5).pvalue)


def compare(labels: np.ndarray, first: Calls, second: Calls, patients: np.ndarray | None = None) -> dict[str, Any]:
    """Return whether one is better than the other, beyond chance.

    Args:
        labels: 0 or 1 ``(N,)``.
        patients: whom each film is of ``(N,)`` (default: all of another).

    Returns:
        plain JSON: ``auroc_difference`` (first less second, ``[value, low, high]``) with ``auroc_p`` by DeLong, and
        ``only_first_right``, ``only_second_right`` (calls) with ``calls_p`` by McNemar's exact test.

    Raises:
        UserError: one class only, or probabilities that are not numbers.
    """
    areas = delong_paired(labels, first.probabilities, second.probabilities, patients)
    right, other = first.right(labels), second.right(labels)
    return {
        "films": len(labels),
        "auroc_difference": areas.estimate.to_list(),
        "auroc_p": areas.p_value,
        "only_first_right": int((right & ~other).sum()),
        "only_second_right": int((~right & other).sum()),
        "calls_p": mcnemar(right, other, patients),
    }


def in_words(found: dict[str, Any], first: str, second: str) -> str:
    """What :func:`compare` found, in a sentence."""
    difference, low, high = found["auroc_difference"]
    areas = f"AUROC {difference:+.4f} ({low:+.4f} to {high:+.4f}; p {found['auroc_p']:.3g}, DeLong)"
    calls = f"right alone on {found['only_first_right']} films, wrong alone on {found['only_second_right']}"
    return (
        f"{first} minus {second} on the same {found['films']} films: {areas}; {calls} "
        f"(p {found['calls_p']:.3g}, McNemar)."
    )
