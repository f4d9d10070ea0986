"""What is known of films and what was predicted of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def positive_truth(labels: np.ndarray, positive: int) -> np.ndarray:
    """Is each film of the positive class? Float64 ``(N,)``: 1 yes, 0 no, NaN where no label tells.

    Args:
        labels: class numbers ``(N,)``, a negative one for a film without a label; or findings ``(N, C)`` in 0, 1, NaN.
        positive: the class number, or the column, of the positive class.
    """
    labels = np.asarray(labels)
    if labels.ndim == 2:
        return labels[:, positive].astype(np.float64)
    return np.where(labels < 0, np.nan, labels == positive).astype(np.float64)


@dataclass(frozen=True)
class Predictions:
    """Films with a label, and the probability that was predicted of each.

    Attributes:
        labels: 0 or 1, int64 ``(N,)``.
        probabilities: of the positive class, 0..1, float64 ``(N,)``.
        patients: whom each film is of ``(N,)``; None where nobody knows.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    patients: np.ndarray | None = None

    @classmethod
    def of(cls, truth: np.ndarray, probabilities: np.ndarray, patients: np.ndarray | None = None) -> Predictions:
        """Keep the films whose truth (:func:`positive_truth`) is known."""
        truth = np.asarray(truth, np.float64)
        known = ~np.isnan(truth)
        return cls(
            truth[known].astype(np.int64),
            np.asarray(probabilities, np.float64)[known],
            None if patients is None else np.asarray(patients)[known],
        )

    def take(self, rows: np.ndarray) -> Predictions:
        """Keep the films ``rows``: numbers, or bool ``(N,)``."""
        patients = None if self.patients is None else self.patients[rows]
        return Predictions(self.labels[rows], self.probabilities[rows], patients)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def positives(self) -> np.ndarray:
        """Probabilities of the positive films, ascending."""
        return np.sort(self.probabilities[self.labels == 1])

    @property
    def negatives(self) -> np.ndarray:
        """Probabilities of the negative films, ascending."""
        return np.sort(self.probabilities[self.labels == 0])
