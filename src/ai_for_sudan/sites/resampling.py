"""Bootstrap by patient for several readers on the same films at once: figures, their intervals, and differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Interval = list[float]


@dataclass(frozen=True)
class Resamples:
    """How often each film is in each resample of the patients; the first row is the data as it is.

    Attributes:
        counts: float64 ``(B + 1, N)``.
        labels: 0 or 1, ``(N,)``.
    """

    counts: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, patients: np.ndarray, *, count: int = 2000, seed: int = 0) -> Resamples:
        owners = np.unique(patients, return_inverse=True)[1]
        people = int(owners.max()) + 1
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(people, np.full(people, 1 / people), size=count)[:, owners]
        return cls(np.concatenate([np.ones((1, len(labels))), drawn]), np.asarray(labels, np.float64))

    def auroc(self, scores: np.ndarray, strata: np.ndarray | None = None) -> np.ndarray:
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

    def mean(self, values: np.ndarray, of: np.ndarray | None = None) -> np.ndarray:
        """Mean of ``values`` over the films ``of`` (bool), ``(B + 1,)``."""
        weights = self.counts if of is None else self.counts * of
        return _divided(weights @ values, weights.sum(1))

    def sensitivity(self, called: np.ndarray) -> np.ndarray:
        return self.mean(called.astype(np.float64), self.labels == 1)

    def specificity(self, called: np.ndarray) -> np.ndarray:
        return self.mean(1.0 - called, self.labels == 0)

    def brier(self, probabilities: np.ndarray) -> np.ndarray:
        return self.mean((probabilities - self.labels) ** 2)

    def log_loss(self, scores: np.ndarray) -> np.ndarray:
        """``scores`` are log-odds."""
        return self.mean(np.logaddexp(0, scores) - self.labels * scores)

    def calibration_error(self, probabilities: np.ndarray, bins: int = 10) -> np.ndarray:
        """Expected calibration error in bins of equal size; biased upward with few films."""
        order = np.argsort(probabilities, kind="stable")
        gaps = np.zeros(len(self.counts))
        for part in np.array_split(order, min(bins, len(order))):
            weight = self.counts[:, part]
            gaps += np.abs(weight @ (probabilities[part] - self.labels[part]))
        return gaps / self.counts.sum(1)


def interval(values: np.ndarray, level: float = 0.95) -> Interval:
    """``[estimate, low, high]``: the first value, and percentiles of the others."""
    rest = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or not len(rest):
        return [float("nan")] * 3
    low, high = np.quantile(rest, [(1 - level) / 2, (1 + level) / 2])
    return [float(values[0]), float(low), float(high)]


def better(new: np.ndarray, old: np.ndarray, *, lower_is_better: bool = False) -> tuple[Interval, bool]:
    """The paired difference with its interval, and whether it lies beyond noise on the right side."""
    gain = interval(old - new if lower_is_better else new - old)
    return gain, bool(gain[1] > 0)


def _divided(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)
