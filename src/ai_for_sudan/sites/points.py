"""Operating points chosen on the films of a site."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.special import expit, logit

from ai_for_sudan.evaluation.statistics import middle_of_best, rates_at

#: What `screening` must find, and what `rule-in` must leave alone.
TARGET = 0.95

REASONS = {
    "screening": f"the highest threshold that finds {TARGET:.0%} of the positive films here",
    "balanced": "the largest sum of sensitivity and specificity here",
    "rule-in": f"the lowest threshold that leaves {TARGET:.0%} of the negative films here alone",
}


def choose(labels: np.ndarray, scores: np.ndarray, names: Iterable[str]) -> dict[str, float]:
    """Thresholds (probabilities) of those of ``names`` that are known; scores are log-odds."""
    values = np.unique(scores)
    # Between two films, so that a film on the edge does not hang on rounding.
    cuts = np.concatenate([[values[0] - 1], (values[1:] + values[:-1]) / 2, [values[-1] + 1]])
    sensitivity, specificity = rates_at(labels, scores, cuts)
    chosen = {
        "screening": cuts[np.flatnonzero(sensitivity >= TARGET)[-1]],
        "balanced": cuts[middle_of_best(sensitivity + specificity)],
        "rule-in": cuts[np.flatnonzero(specificity >= TARGET)[0]],
    }
    return {name: _probability(chosen[name]) for name in names if name in chosen}


def moved(threshold: float, scale: float, shift: float) -> float:
    """The threshold that calls the same films after a recalibration of the log-odds."""
    return _probability(scale * logit(np.clip(threshold, 1e-6, 1 - 1e-6)) + shift)


def abstention(labels: np.ndarray, scores: np.ndarray, error_rate: float) -> tuple[float, float] | None:
    """The band in which a film is left to a person: outside of it at most ``error_rate`` of each class are wrong.

    Class-conditional (Mondrian) conformal prediction, Vovk 2012; scores must be held-out ones.
    """
    positive, negative = np.sort(scores[labels == 1]), np.sort(scores[labels == 0])
    below = int(np.floor(error_rate * (len(positive) + 1))) - 1
    above = int(np.ceil((1 - error_rate) * (len(negative) + 1))) - 1
    lower = positive[below] if below >= 0 else -np.inf
    upper = negative[above] if above < len(negative) else np.inf
    return (float(expit(lower)), float(expit(upper))) if lower < upper else None


def _probability(score: float) -> float:
    return float(np.clip(expit(score), 1e-6, 1 - 1e-6))
