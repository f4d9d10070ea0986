"""How far probabilities can be believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from ai_for_sudan.statistics.estimates import Array, Estimate, check
from ai_for_sudan.statistics.shares import wilson

#: of equal count, for the expected calibration error
BINS = 15


def brier(labels: Array, probabilities: Array) -> float:
    """Mean squared error of the probability (Brier 1950)."""
    return float(np.mean((np.asarray(probabilities, float) - np.asarray(labels)) ** 2))


def ece(labels: Array, probabilities: Array, bins: int = BINS) -> float:
    """Expected calibration error over bins of equal count (Naeini 2015).

    Biased upwards: even a calibrated reader has an error above 0 in a finite sample; see :func:`ece_bias`.
    """
    labels, probabilities = np.asarray(labels, float), np.asarray(probabilities, float)
    parts = np.array_split(np.argsort(probabilities, kind="stable"), min(bins, len(labels)))
    return float(sum(abs((probabilities[part] - labels[part]).sum()) for part in parts) / len(labels))


def ece_bias(probabilities: Array, bins: int = BINS, rounds: int = 200, seed: int = 0) -> float:
    """The error that a perfectly calibrated reader with these probabilities would show in a sample of this size."""
    random = np.random.default_rng(seed)
    probabilities = np.asarray(probabilities, float)
    return float(
        np.mean([ece(random.random(len(probabilities)) < probabilities, probabilities, bins) for _ in range(rounds)])
    )


def calibration_line(labels: Array, probabilities: Array) -> tuple[float, float]:
    """Calibration slope and intercept (Cox 1958): 1 and 0 when calibrated; a slope below 1 means overconfident."""
    labels, probabilities = check(labels, probabilities)
    clipped = probabilities.clip(1e-6, 1 - 1e-6)
    logit = np.log(clipped / (1 - clipped))
    fitted = LogisticRegression(C=np.inf, max_iter=1000).fit(logit[:, None], labels)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def decision_curve(labels: Array, probabilities: Array, thresholds: Array) -> Array:
    """Net benefit at each threshold probability (Vickers 2006): true positives less false ones at the odds."""
    labels, probabilities = check(labels, probabilities)
    called = probabilities[None] >= np.asarray(thresholds)[:, None]
    odds = np.asarray(thresholds) / (1 - np.asarray(thresholds))
    true, false = (called & (labels == 1)).mean(1), (called & (labels == 0)).mean(1)
    return true - false * odds


@dataclass(frozen=True)
class Bin:
    """Films of about the same probability.

    Attributes:
        given: their mean probability.
        share: of them that are positive, with Wilson's interval.
    """

    given: float
    share: Estimate
    films: int


def reliability(labels: Array, probabilities: Array) -> list[Bin]:
    """Bins of equal count for a reliability diagram: at most ten, of ten films or more each."""
    order = np.argsort(probabilities, kind="stable")
    parts = np.array_split(order, max(1, min(10, len(order) // 10)))
    return [Bin(float(probabilities[p].mean()), wilson(int(labels[p].sum()), len(p)), len(p)) for p in parts]
