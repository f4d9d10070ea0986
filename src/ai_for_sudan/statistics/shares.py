"""Shares of films, where one patient may have several: films of one patient say less than films of as many patients.

Hits are bool ``(N,)``, patients any names ``(N,)``; without patients every film counts as one of its own.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from ai_for_sudan.statistics.estimates import Array, Estimate


def wilson(successes: float, total: float) -> Estimate:
    """Return a share with Wilson's score interval (Wilson 1927); NaN of nothing. Counts may be effective ones."""
    if total <= 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    share, z = successes / total, float(stats.norm.ppf(0.975))
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * float(np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2)))
    return Estimate(
        share, 0.0 if share == 0 else max(centre - half, 0.0), 1.0 if share == 1 else min(centre + half, 1.0)
    )


def sensitivity(labels: Array, called: Array, patients: Array | None = None) -> Estimate:
    """Return the share of positive films that are called, see :func:`share_by_patient`."""
    return _of(np.asarray(labels, int) == 1, np.asarray(called, bool), patients)


def specificity(labels: Array, called: Array, patients: Array | None = None) -> Estimate:
    """Return the share of negative films that are not called, see :func:`share_by_patient`."""
    return _of(np.asarray(labels, int) == 0, ~np.asarray(called, bool), patients)


def _of(films: Array, hits: Array, patients: Array | None) -> Estimate:
    return share_by_patient(hits[films], None if patients is None else np.asarray(patients)[films])


def share_by_patient(hits: Array, patients: Array | None = None) -> Estimate:
    """Return the share of hits with Wilson's interval at the effective number of films (Korn and Graubard 1998).

    The films are divided by their design effect: how much alike films of one patient are. Where they do not show it,
    because all films are hits or none is, a patient counts as one film at most. The interval never has a width of 0.
    """
    hits = np.asarray(hits, bool)
    if not len(hits):
        return wilson(0, 0)
    people = _numbers(hits, patients)
    effective = _effective(people, _alike(hits, people))
    found = wilson(hits.mean() * effective, effective)
    return Estimate(float(hits.mean()), float(found.low), float(found.high))


def p_of_shares(hits: Array, patients: Array, inside: Array, outside: Array) -> float:
    """Return the p-value of two groups having the same share of hits (Fisher's exact test).

    Counts are divided by the design effect (Rao and Scott 1992), so that many films of few patients prove little.

    Args:
        inside, outside: the films of each group, bool ``(N,)``; a patient may have films in both.
    """
    hits = np.asarray(hits, bool)
    sides = [np.flatnonzero(side) for side in (inside, outside)]
    both = np.concatenate(sides)
    people = np.unique(np.asarray(patients)[both], return_inverse=True)[1]
    alike = _alike(hits[both], people)
    table = []
    for rows, whose in zip(sides, np.split(people, [len(sides[0])]), strict=True):
        effective = int(_effective(whose, alike) + 1e-9)
        right = round(hits[rows].mean() * effective)
        table.append([right, effective - right])
    return float(stats.fisher_exact(table).pvalue)


def design_effect(hits: Array, patients: Array) -> float:
    """Return by how much the variance of a share exceeds that of as many films of different patients; 1 or more."""
    hits = np.asarray(hits, bool)
    people = _numbers(hits, patients)
    return len(hits) / _effective(people, _alike(hits, people))


def predictive_values(sensitivity: float, specificity: float, prevalence: float) -> tuple[float, float]:
    """Return PPV and NPV at a stated prevalence, by Bayes' rule: those of a data set hold only at its own."""
    true_positive, false_positive = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    true_negative, false_negative = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
    ppv = true_positive / (true_positive + false_positive) if true_positive + false_positive else float("nan")
    npv = true_negative / (true_negative + false_negative) if true_negative + false_negative else float("nan")
    return ppv, npv


def interval_width(share: float, films: int) -> float:
    """Return how wide a 95 % interval of a share will be with so many films: a hint for the sample size."""
    interval = wilson(round(share * films), films)
    return interval.high - interval.low


def _numbers(hits: Array, patients: Array | None) -> Array:
    """Patients as numbers from 0 on."""
    return np.arange(len(hits)) if patients is None else np.unique(np.asarray(patients), return_inverse=True)[1]


def _alike(hits: Array, people: Array) -> float:
    """Intraclass correlation of the films of a patient, by moments, 0..1; 1 where the films do not show it."""
    films = np.bincount(people)
    people_seen = int((films > 0).sum())
    pairs = float((films * (films - 1.0)).sum())
    if pairs == 0:
        return 0.0
    mean = hits.mean()
    variance = mean * (1 - mean)
    if variance == 0 or people_seen < 2:
        return 1.0
    residual = hits - mean
    together = np.bincount(people, residual) ** 2 * people_seen / (people_seen - 1)
    return float(np.clip((together.sum() - (residual**2).sum()) / (variance * pairs), 0, 1))


def _effective(people: Array, alike: float) -> float:
    """How many films of different patients these are worth."""
    films = np.unique(people, return_counts=True)[1].astype(float)
    if (films == 1).all():
        return float(len(people))
    worth = len(people) / (1 + alike * ((films**2).sum() / films.sum() - 1))
    # The correlation is itself estimated, from so many patients.
    t = stats.t.ppf(0.975, max(len(films) - 1, 1))
    return float(max(worth * (stats.norm.ppf(0.975) / t) ** 2, 1.0))
