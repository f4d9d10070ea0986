"""The area under the ROC curve: by ranks, and with DeLong's interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from ai_for_sudan.statistics.estimates import Array, Estimate, check, wilson
from ai_for_sudan.statistics.predictions import Predictions


def auroc_delong(labels: Array, scores: Array) -> Estimate:
    """AUROC with DeLong's interval on the logit scale (DeLong 1988; fast form of Sun and Xu 2014).

    The logit keeps the interval inside 0..1 for areas near 1; where the area is exactly 0 or 1 it is found from
    Wilson's bound on the smaller class, as DeLong's variance is 0 there.
    """
    labels, scores = check(labels, scores)
    area, variance = _delong(labels, scores[None])
    value, error = float(area[0]), float(np.sqrt(variance[0, 0]))
    if error == 0 or value in (0.0, 1.0):
        smallest = int(min(labels.sum(), (1 - labels).sum()))
        bound = wilson(round(value * smallest), smallest)
        return Estimate(value, bound.low, bound.high)
    z = stats.norm.ppf(0.975)
    centre, half = np.log(value / (1 - value)), z * error / (value * (1 - value))
    return Estimate(value, float(1 / (1 + np.exp(half - centre))), float(1 / (1 + np.exp(-half - centre))))


def _delong(labels: Array, scores: Array) -> tuple[Array, Array]:
    """Areas ``(K,)`` and their covariance ``(K, K)`` of scores ``(K, N)`` on the same films."""
    positive, negative = scores[:, labels == 1], scores[:, labels == 0]
    m, n = positive.shape[1], negative.shape[1]
    rank_all = np.apply_along_axis(stats.rankdata, 1, np.concatenate([positive, negative], axis=1))
    rank_positive = np.apply_along_axis(stats.rankdata, 1, positive)
    rank_negative = np.apply_along_axis(stats.rankdata, 1, negative)
    areas = (rank_all[:, :m].sum(1) - m * (m + 1) / 2) / (m * n)
    v10 = (rank_all[:, :m] - rank_positive) / n
    v01 = 1 - (rank_all[:, m:] - rank_negative) / m
    covariance = np.atleast_2d(np.cov(v10)) / m + np.atleast_2d(np.cov(v01)) / n
    return areas, covariance


@dataclass(frozen=True)
class Difference:
    """A difference, first less second, and the probability of one so large by chance."""

    estimate: Estimate
    p_value: float


def delong_paired(labels: Array, first: Array, second: Array) -> Difference:
    """Difference of two AUROCs on the same films (DeLong 1988)."""
    labels, first = check(labels, first)
    _, second = check(labels, second)
    areas, covariance = _delong(labels, np.stack([first, second]))
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    return _difference(float(areas[0] - areas[1]), float(variance))


def delong_unpaired(first: Predictions, second: Predictions) -> Difference:
    """Difference of two AUROCs on films of different patients: their variances add up."""
    (area, variance), (other, more) = (_delong(p.labels, p.probabilities[None]) for p in (first, second))
    return _difference(float(area[0] - other[0]), float(variance[0, 0] + more[0, 0]))


def _difference(value: float, variance: float) -> Difference:
    error = float(np.sqrt(max(variance, 0.0)))
    half = float(stats.norm.ppf(0.975)) * error
    p = float(2 * stats.norm.sf(abs(value) / error)) if error else 1.0
    return Difference(Estimate(value, value - half, value + half), p)


def quick_auroc(labels: Array, scores: Array) -> float:
    """AUROC, or NaN where only one class was drawn."""
    positives = int(labels.sum())
    if positives in (0, len(labels)):
        return float("nan")
    ranks = stats.rankdata(scores)
    return float((ranks[labels == 1].sum() - positives * (positives + 1) / 2) / (positives * (len(labels) - positives)))
