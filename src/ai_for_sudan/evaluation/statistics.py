"""Statistics that a reviewer accepts: plain functions on arrays, by established libraries.

Labels are 0 or 1 ``(N,)``, scores float ``(N,)`` (more means more positive), patients any names ``(N,)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ai_for_sudan.errors import UserError

Array = np.ndarray


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def to_list(self) -> list[float | None]:
        """``[value, low, high]``, ``None`` for what cannot be computed: JSON has no NaN."""
        return [float(v) if np.isfinite(v) else None for v in (self.value, self.low, self.high)]

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def check(labels: Array, scores: Array) -> tuple[Array, Array]:
    """Labels as int and scores as float.

    Raises:
        UserError: different lengths, too few, values that are no labels or no numbers, or one class only.
    """
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=float)
    if len(labels) != len(scores):
        raise UserError(f"there are {len(labels)} labels but {len(scores)} scores")
    if np.isnan(scores).any():
        raise UserError(f"{int(np.isnan(scores).sum())} of {len(scores)} scores are no numbers (NaN)")
    if not np.isin(labels, (0, 1)).all():
        raise UserError("labels must be 0 or 1")
    if len(np.unique(labels)) < 2:
        raise UserError(f"all {len(labels)} films have the same label; both classes are needed")
    return labels.astype(int), scores


def rates_at(labels: Array, scores: Array, cuts: Array) -> tuple[Array, Array]:
    """Sensitivity and specificity ``(K,)`` of calling every film whose score is at or above a cut ``(K,)``."""
    sick, well = np.sort(scores[labels == 1]), np.sort(scores[labels == 0])
    return 1 - np.searchsorted(sick, cuts) / len(sick), np.searchsorted(well, cuts) / len(well)


def middle_of_best(values: Array) -> int:
    """The place of the highest value; of several equal ones the middle, so that a threshold keeps away from films."""
    best = np.flatnonzero(values >= values.max() - 1e-12)
    return int(best[len(best) // 2])


def auroc_delong(labels: Array, scores: Array) -> Estimate:
    """AUROC with DeLong's interval on the logit scale (DeLong 1988; fast form of Sun and Xu 2014).

    The logit keeps the interval inside 0..1 for areas near 1; where the area is exactly 0 or 1 it is found from
    Wilson's bound on the smaller class, as DeLong's variance is 0 there.
    """
    labels, scores = check(labels, scores)
    area, variance = _delong(labels, scores[None])
    value, spread = float(area[0]), float(np.sqrt(variance[0, 0]))
    if spread == 0 or value in (0.0, 1.0):
        smallest = int(min(labels.sum(), (1 - labels).sum()))
        bound = wilson(round(value * smallest), smallest)
        return Estimate(value, bound.low, bound.high)
    z = stats.norm.ppf(0.975)
    centre, half = np.log(value / (1 - value)), z * spread / (value * (1 - value))
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
class Comparison:
    """Two readers on the same films: the difference (first minus second) and the probability of it by chance."""

    difference: Estimate
    p_value: float


def delong_paired(labels: Array, first: Array, second: Array) -> Comparison:
    """Difference of two AUROCs on the same films (DeLong 1988)."""
    labels, first = check(labels, first)
    _, second = check(labels, second)
    areas, covariance = _delong(labels, np.stack([first, second]))
    difference = float(areas[0] - areas[1])
    spread = float(np.sqrt(max(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1], 0.0)))
    half = float(stats.norm.ppf(0.975)) * spread
    p = 1.0 if spread == 0 else float(2 * stats.norm.sf(abs(difference) / spread))
    return Comparison(Estimate(difference, difference - half, difference + half), p)


def mcnemar(first_right: Array, second_right: Array) -> float:
    """Exact McNemar test (McNemar 1947): the probability that two readers differ in their errors only by chance."""
    first_right, second_right = np.asarray(first_right, bool), np.asarray(second_right, bool)
    only_first = int((first_right & ~second_right).sum())
    only_second = int((~first_right & second_right).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second, 0.5).pvalue)


def wilson(successes: int, total: int) -> Estimate:
    """A share with Wilson's score interval (Wilson 1927); NaN of nothing."""
    if total == 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    interval = stats.binomtest(successes, total).proportion_ci(method="wilson")
    return Estimate(successes / total, float(interval.low), float(interval.high))


def sensitivity(labels: Array, called: Array) -> Estimate:
    labels, called = np.asarray(labels, int), np.asarray(called, bool)
    return wilson(int((called & (labels == 1)).sum()), int((labels == 1).sum()))


def specificity(labels: Array, called: Array) -> Estimate:
    labels, called = np.asarray(labels, int), np.asarray(called, bool)
    return wilson(int((~called & (labels == 0)).sum()), int((labels == 0).sum()))


def predictive_values(sensitivity: float, specificity: float, prevalence: float) -> tuple[float, float]:
    """PPV and NPV at a stated prevalence, by Bayes' rule: those of a data set hold only at its own prevalence."""
    true_positive, false_positive = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    true_negative, false_negative = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
    ppv = true_positive / (true_positive + false_positive) if true_positive + false_positive else float("nan")
    npv = true_negative / (true_negative + false_negative) if true_negative + false_negative else float("nan")
    return ppv, npv


def brier(labels: Array, probabilities: Array) -> float:
    """Mean squared error of the probability (Brier 1950)."""
    return float(np.mean((np.asarray(probabilities, float) - np.asarray(labels)) ** 2))


def ece(labels: Array, probabilities: Array, bins: int = 15) -> float:
    """Expected calibration error over bins of equal count (Naeini 2015).

    Biased upwards: even a calibrated reader has an error above 0 in a finite sample; see :func:`ece_bias`.
    """
    labels, probabilities = np.asarray(labels, float), np.asarray(probabilities, float)
    parts = np.array_split(np.argsort(probabilities, kind="stable"), min(bins, len(labels)))
    return float(sum(abs((probabilities[part] - labels[part]).sum()) for part in parts) / len(labels))


def ece_bias(probabilities: Array, bins: int = 15, rounds: int = 200, seed: int = 0) -> float:
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


def interval_width(share: float, films: int) -> float:
    """Sample-size hint: how wide a 95 % interval of a share will be with so many films."""
    interval = wilson(round(share * films), films)
    return interval.high - interval.low


def bootstrap_by_patient(
    metrics: Callable[[Array], Mapping[str, float]],
    patients: Array,
    *,
    rounds: int = 1000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Percentile intervals (Efron 1979) where whole patients are drawn: films of one patient are not independent.

    Args:
        metrics: takes film indices ``(M,)`` and gives figures; figures that are NaN in a round are left out of it.
        patients: whom each film is of ``(N,)``.
    """
    groups = np.unique(np.asarray(patients), return_inverse=True)[1]
    order = np.argsort(groups, kind="stable")
    films = np.split(order, np.cumsum(np.bincount(groups))[:-1])
    random = np.random.default_rng(seed)
    point = dict(metrics(np.arange(len(groups))))
    drawn: dict[str, list[float]] = {name: [] for name in point}
    for _ in range(rounds):
        chosen = np.concatenate([films[i] for i in random.integers(0, len(films), len(films))])
        for name, value in metrics(chosen).items():
            if np.isfinite(value):
                drawn[name].append(value)
    result = {}
    for name, value in point.items():
        values = drawn[name]
        low, high = np.quantile(values, (0.025, 0.975)) if len(values) >= rounds / 2 else (np.nan, np.nan)
        result[name] = Estimate(float(value), float(low), float(high))
    return result


def auroc_bootstrap(labels: Array, scores: Array, patients: Array, *, rounds: int = 1000, seed: int = 0) -> Estimate:
    """AUROC with an interval by patient."""
    labels, scores = check(labels, scores)

    def area(rows: Array) -> dict[str, float]:
        return {"auroc": quick_auroc(labels[rows], scores[rows])}

    return bootstrap_by_patient(area, patients, rounds=rounds, seed=seed)["auroc"]


def quick_auroc(labels: Array, scores: Array) -> float:
    """AUROC, or NaN where only one class was drawn."""
    positives = int(labels.sum())
    if positives in (0, len(labels)):
        return float("nan")
    ranks = stats.rankdata(scores)
    return float((ranks[labels == 1].sum() - positives * (positives + 1) / 2) / (positives * (len(labels) - positives)))


def holm(p_values: list[float]) -> list[float]:
    """p-values corrected for many comparisons (Holm 1979)."""
    order = np.argsort(p_values)
    corrected: list[Any] = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - rank)))
        corrected[index] = highest
    return corrected


def macro_auroc(labels: Array, probabilities: Array) -> float:
    """Mean AUROC of each class against the rest, ``(N,)`` class numbers and ``(N, C)``."""
    return float(roc_auc_score(labels, probabilities, multi_class="ovr", average="macro"))
