"""The area under the ROC curve: by ranks, and with DeLong's interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import expit, logit

from ai_for_sudan.statistics.estimates import Array, Estimate, check
from ai_for_sudan.statistics.shares import wilson


def auroc_delong(labels: Array, scores: Array, patients: Array | None = None) -> Estimate:
    """Return the AUROC with DeLong's interval on the logit scale, by patient.

    The variance is that of Obuchowski (1997) for several films a patient; with one film each it is DeLong's (1988; fast
    form of Sun and Xu 2014). The logit keeps the interval inside 0..1 for areas near 1. Where that variance is 0, as of
    an area of exactly 0 or 1, the interval is Wilson's bound on the patients of the smaller class.
    """
    labels, scores = check(labels, scores)
    area, variance = _delong(labels, scores[None], patients)
    value, error = float(area[0]), float(np.sqrt(variance[0, 0]))
    if error == 0 or value in (0.0, 1.0):
        smallest = smallest_class(labels, patients)
        bound = wilson(round(value * smallest), smallest)
        return Estimate(value, bound.low, bound.high)
    half = stats.norm.ppf(0.975) * error / (value * (1 - value))
    return Estimate(value, float(expit(logit(value) - half)), float(expit(logit(value) + half)))


def smallest_class(labels: Array, patients: Array | None = None) -> int:
    """Return the number of patients of the class that has fewer of them (without patients: of films)."""
    people = np.arange(len(labels)) if patients is None else np.asarray(patients)
    return min(len(np.unique(people[np.asarray(labels) == label])) for label in (0, 1))


def _delong(labels: Array, scores: Array, patients: Array | None) -> tuple[Array, Array]:
    """Areas ``(K,)`` and their covariance ``(K, K)`` of scores ``(K, N)`` on the same films (Obuchowski 1997)."""
    people = np.arange(len(labels)) if patients is None else np.unique(patients, return_inverse=True)[1]
    positive, negative = scores[:, labels == 1], scores[:, labels == 0]
    m, n = positive.shape[1], negative.shape[1]
    rank_all = np.apply_along_axis(stats.rankdata, 1, np.concatenate([positive, negative], axis=1))
    rank_positive = np.apply_along_axis(stats.rankdata, 1, positive)
    rank_negative = np.apply_along_axis(stats.rankdata, 1, negative)
    areas = (rank_all[:, :m].sum(1) - m * (m + 1) / 2) / (m * n)
    sides = ((1, (rank_all[:, :m] - rank_positive) / n), (0, 1 - (rank_all[:, m:] - rank_negative) / m))
    # How far the positive and the negative films of each patient move the area, (K, P).
    moved = []
    for label, placed in sides:
        whose, off = people[labels == label], (placed - areas[:, None]) / placed.shape[1]
        by_patient = np.stack([np.bincount(whose, row, people.max() + 1) for row in off])
        moved.append((by_patient, _unbiased(len(np.unique(whose)))))
    (one, of_positive), (other, of_negative) = moved
    across = _unbiased(int(people.max()) + 1) * one @ other.T
    return areas, of_positive * one @ one.T + of_negative * other @ other.T + across + across.T


def _unbiased(patients: int) -> float:
    """What a sum of squares over so many patients is multiplied with to become a variance."""
    return patients / max(patients - 1, 1)


@dataclass(frozen=True)
class Difference:
    """A difference, first less second, and the probability of one so large by chance."""

    estimate: Estimate
    p_value: float


def delong_paired(labels: Array, first: Array, second: Array, patients: Array | None = None) -> Difference:
    """Return the difference of two AUROCs on the same films (DeLong 1988; by patient, Obuchowski 1997)."""
    labels, first = check(labels, first)
    _, second = check(labels, second)
    areas, covariance = _delong(labels, np.stack([first, second]), patients)
    value, variance = float(areas[0] - areas[1]), covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    error = float(np.sqrt(max(variance, 0.0)))
    half = float(stats.norm.ppf(0.975)) * error
    p = float(2 * stats.norm.sf(abs(value) / error)) if error else 1.0
    return Difference(Estimate(value, value - half, value + half), p)


def p_of_areas(labels: Array, scores: Array, patients: Array, inside: Array, outside: Array) -> float:
    """Return the p-value of two groups of films having the same AUROC (Obuchowski 1997), on the logit scale.

    Patients with films in both groups are accounted for by adding both variances, which is conservative. An area of
    exactly 0 or 1 counts as if half a patient more were wrong, since its own variance would be 0.

    Args:
        inside, outside: the films of each group, bool ``(N,)``.
    """
    at, variance, fewest = [], 0.0, []
    for side in (inside, outside):
        area, covariance = _delong(labels[side], scores[side][None], patients[side])
        value, people = float(area[0]), smallest_class(labels[side], patients[side])
        error = float(covariance[0, 0])
        if error <= 0 or value in (0.0, 1.0):
            value = (value * people + 0.5) / (people + 1)
            error = value * (1 - value) / (people + 1)
        at.append(logit(value))
        variance += error / (value * (1 - value)) ** 2
        fewest.append(people)
    return float(2 * stats.t.sf(abs(at[0] - at[1]) / np.sqrt(variance), max(min(fewest) - 1, 1)))


def quick_auroc(labels: Array, scores: Array) -> float:
    """AUROC, or NaN where only one class was drawn."""
    positives = int(labels.sum())
    if positives in (0, len(labels)):
        return float("nan")
    ranks = stats.rankdata(scores)
    return float((ranks[labels == 1].sum() - positives * (positives + 1) / 2) / (positives * (len(labels) - positives)))
