"""Bootstrap by patient (Efron 1979): films of one patient are not independent, so whole patients are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ai_for_sudan.statistics.calibration import BINS
from ai_for_sudan.statistics.estimates import Estimate

Array = np.ndarray


def draws(patients: Array, rounds: int, seed: int) -> Iterator[Array]:
    """How often each film ``(N,)`` is in each resample of as many patients as there are."""
    people = np.unique(np.asarray(patients), return_inverse=True)[1]
    count = int(people.max()) + 1
    random = np.random.default_rng(seed)
    for _ in range(rounds):
        yield random.multinomial(count, np.full(count, 1 / count))[people]


#: figures that are larger in a resample than in the films themselves, because of its duplicates
BIASED = ("ece",)


def percentile_interval(values: Array, *, biased: bool = False) -> Estimate:
    """Return the first value with the 2.5th and 97.5th percentile of the others ``(B,)``.

    Without bounds (NaN) where less than half of the draws have the figure.

    Args:
        biased: of a figure in :data:`BIASED`: the draws are moved so that their mean is the figure itself, and not
            below 0. Otherwise the interval need not contain its own estimate.
    """
    drawn = values[1:][np.isfinite(values[1:])]
    enough = np.isfinite(values[0]) and 0 < len(drawn) >= (len(values) - 1) / 2
    if enough and biased:
        drawn = np.maximum(drawn - drawn.mean() + values[0], 0)
    low, high = np.quantile(drawn, (0.025, 0.975)) if enough else (np.nan, np.nan)
    return Estimate(float(values[0]), float(low), float(high))


def bootstrap_by_patient(
    metrics: Callable[[Array], Mapping[str, float]],
    patients: Array,
    *,
    rounds: int = 1000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Return any figures with their intervals.

    Args:
        metrics: takes film indices ``(M,)`` and gives figures; figures that are NaN in a round are left out of it.
            Those named in :data:`BIASED` get corrected intervals.
        patients: whom each film is of ``(N,)``.
    """
    films = np.arange(len(patients))
    found = [dict(metrics(films))]
    found += [dict(metrics(np.repeat(films, counts))) for counts in draws(patients, rounds, seed)]
    return {
        name: percentile_interval(np.array([one.get(name, np.nan) for one in found], float), biased=name in BIASED)
        for name in found[0]
    }


@dataclass(frozen=True)
class Resamples:
    """The same draws for several readers at once, for paired differences; the first row is the data as it is.

    Attributes:
        counts: how often each film is in each resample, float64 ``(B + 1, N)``.
        labels: 0 or 1, ``(N,)``.
    """

    counts: Array
    labels: Array

    @classmethod
    def of(cls, labels: Array, patients: Array, *, count: int = 2000, seed: int = 0) -> Resamples:
        """Draw ``count`` resamples of patients for labels 0 or 1 ``(N,)``; row 0 is the sample itself."""
        drawn = np.stack([np.ones(len(labels)), *draws(patients, count, seed)])
        return cls(drawn, np.asarray(labels, np.float64))

    def auroc(self, scores: Array, strata: Array | None = None) -> Array:
        """AUROC of each resample, ``(B + 1,)``; NaN where a class is missing.

        Args:
            strata: compare only films of the same stratum: what is left of the AUROC when the strata themselves
                cannot help.
        """
        positive, negative = np.flatnonzero(self.labels == 1), np.flatnonzero(self.labels == 0)
        difference = scores[positive, None] - scores[None, negative]
        concordant = (difference > 0) + 0.5 * (difference == 0)
        pairs = np.ones_like(concordant)
        if strata is not None:
            pairs = (strata[positive, None] == strata[None, negative]).astype(np.float64)
        there, absent = self.counts[:, positive], self.counts[:, negative]
        won = ((there @ (concordant * pairs)) * absent).sum(1)
        return _divided(won, ((there @ pairs) * absent).sum(1))

    def mean(self, values: Array, of: Array | None = None) -> Array:
        """Mean of ``values`` over the films ``of`` (bool), ``(B + 1,)``."""
        weights = self.counts if of is None else self.counts * of
        return _divided(weights @ values, weights.sum(1))

    def sensitivity(self, called: Array) -> Array:
        """Sensitivity of each resample, ``(B + 1,)``."""
        return self.mean(called.astype(np.float64), self.labels == 1)

    def specificity(self, called: Array) -> Array:
        """Specificity of each resample, ``(B + 1,)``."""
        return self.mean(1.0 - called, self.labels == 0)

    def brier(self, probabilities: Array) -> Array:
        """Brier score of each resample, ``(B + 1,)``."""
        return self.mean((probabilities - self.labels) ** 2)

    def log_loss(self, scores: Array) -> Array:
        """``scores`` are log-odds."""
        return self.mean(np.logaddexp(0, scores) - self.labels * scores)

    def ece(self, probabilities: Array) -> Array:
        """:func:`ai_for_sudan.statistics.ece`, in the bins of the data as it is."""
        gaps = np.zeros(len(self.counts))
        order = np.argsort(probabilities, kind="stable")
        for part in np.array_split(order, min(BINS, len(order))):
            gaps += np.abs(self.counts[:, part] @ (probabilities[part] - self.labels[part]))
        return gaps / self.counts.sum(1)


def better(new: Array, old: Array, *, lower_is_better: bool = False) -> tuple[Estimate, bool]:
    """The paired difference with its interval, and whether all of it lies on the right side."""
    gain = percentile_interval(old - new if lower_is_better else new - old)
    return gain, bool(gain.low > 0)


def _divided(top: Array, bottom: Array) -> Array:
    return np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)
