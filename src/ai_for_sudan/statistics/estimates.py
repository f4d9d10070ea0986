"""A figure with its interval, and the shares that a reader is judged by.

Labels are 0 or 1 ``(N,)``, scores float ``(N,)`` (more means more positive), patients any names ``(N,)``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from typing import Any

import numpy as np
from scipy import stats

from ai_for_sudan.errors import UserError

Array = np.ndarray


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def __iter__(self) -> Iterator[float]:
        yield from (self.value, self.low, self.high)

    def to_list(self) -> list[float | None]:
        """``[value, low, high]``, ``None`` for what cannot be computed: JSON has no NaN."""
        return [float(v) if np.isfinite(v) else None for v in self]

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def as_json(figures: Any) -> Any:
    """Dataclasses of figures as plain JSON: a key a field, and each :class:`Estimate` by :meth:`Estimate.to_list`."""
    if isinstance(figures, Estimate):
        return figures.to_list()
    if is_dataclass(figures):
        figures = vars(figures)
    if isinstance(figures, dict):
        return {name: as_json(one) for name, one in figures.items()}
    return [as_json(one) for one in figures] if isinstance(figures, (list, tuple)) else figures


def check(labels: Array, scores: Array) -> tuple[Array, Array]:
    """Labels as int and scores as float.

    Raises:
        UserError: different lengths, too few, values that are not labels or not numbers, or one class only.
    """
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=float)
    if len(labels) != len(scores):
        raise UserError(f"there are {len(labels)} labels but {len(scores)} scores")
    if np.isnan(scores).any():
        raise UserError(f"{int(np.isnan(scores).sum())} of {len(scores)} scores are not numbers (NaN)")
    if not np.isin(labels, (0, 1)).all():
        raise UserError("labels must be 0 or 1")
    if len(np.unique(labels)) < 2:
        raise UserError(f"all {len(labels)} films have the same label; both classes are needed")
    return labels.astype(int), scores


def wilson(successes: float, total: float) -> Estimate:
    """A share with Wilson's score interval (Wilson 1927); NaN of nothing.

    Args:
        total: number of films; an effective number need not be whole.
    """
    if total == 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    share, z2 = successes / total, float(stats.norm.ppf(0.975)) ** 2
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = np.sqrt(z2 * (share * (1 - share) / total + z2 / (4 * total**2))) / (1 + z2 / total)
    low = 0.0 if successes == 0 else float(middle - half)
    high = 1.0 if successes == total else float(middle + half)
    return Estimate(share, low, high)


def share_by_patient(hits: Array, patients: Array) -> Estimate:
    """A share of films with Wilson's interval for as many independent films as the patients are worth; NaN of nothing.

    The effective number of films is that number over the design effect (Kish 1965), which comes from how much the share
    differs between patients. A share of 0 or 1 tells nothing of that: then films of one patient count as all alike.

    Args:
        hits: bool ``(N,)``.
        patients: whom each film is of ``(N,)``.
    """
    hits = np.asarray(hits, bool)
    count = len(hits)
    if count == 0:
        return wilson(0, 0)
    people = np.unique(np.asarray(patients), return_inverse=True)[1]
    sizes, share = np.bincount(people).astype(float), float(hits.mean())
    fewest = count**2 / float((sizes**2).sum())
    if 0 < share < 1 and len(sizes) > 1:
        residuals = np.bincount(people, weights=hits) - share * sizes
        variance = len(sizes) / (len(sizes) - 1) * float((residuals**2).sum()) / count**2
        films = share * (1 - share) / variance if variance else float(count)
    else:
        films = fewest
    films = min(max(films, fewest), float(count))
    return wilson(share * films, films)


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


def interval_width(share: float, films: int) -> float:
    """Sample-size hint: how wide a 95 % interval of a share will be with so many films."""
    interval = wilson(round(share * films), films)
    return interval.high - interval.low
