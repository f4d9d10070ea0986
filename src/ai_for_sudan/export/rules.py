"""Fit the rules of a gate, and the limits that few good films exceed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from ai_for_sudan.export.samples import Sample

#: of good films, at most this share may be refused by the limits that are chosen
GOOD_REFUSED = 0.005


@dataclass(frozen=True)
class Rules:
    """The rules of all reasons, in NumPy, while they are fitted.

    Attributes:
        weight: ``(R, F)``, of features as they are.
        bias: ``(R,)``.
        patterns: of each reason, the number of its rules, which stand beside each other.
    """

    weight: np.ndarray
    bias: np.ndarray
    patterns: tuple[int, ...]

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """``(N, F)`` -> scores in 0..1 ``(N, G)``, as :class:`Gate` computes them."""
        starts = np.cumsum([0, *self.patterns[:-1]])
        reasons = np.maximum.reduceat(features @ self.weight.T + self.bias, starts, axis=1)
        scores: np.ndarray = expit(reasons) * (reasons >= reasons.max(axis=1, keepdims=True))
        return scores


def patterns_of(sample: Sample, rows: np.ndarray | None = None) -> list[np.ndarray]:
    """Return the features ``(N, F)`` of each pattern, of all rows or of those that are named."""
    chosen = np.ones(len(sample.part), bool) if rows is None else rows
    return [sample.features[chosen & (sample.pattern == number)] for number in range(sample.pattern.max() + 1)]


def fit_rules(good: np.ndarray, bad: list[list[np.ndarray]], mean: np.ndarray, spread: np.ndarray) -> Rules:
    """Fit one rule for each pattern ``(N, F)`` of each reason: its log-odds against a good film.

    All are fitted together, as one multinomial regression, so that each tells its pattern from the others too: the
    reason that is given must be the true one.

    Args:
        good: features of good films ``(N, F)``.
        mean, spread: of the features of good films ``(F,)``.
    """
    patterns = [pattern for reason in bad for pattern in reason]
    features = (np.concatenate([good, *patterns]) - mean) / spread
    kinds = np.repeat(np.arange(1 + len(patterns)), [len(good), *map(len, patterns)])
    fitted = LogisticRegression(C=0.1, class_weight="balanced", max_iter=600).fit(features.clip(-8, 8), kinds)
    weight, bias = (fitted.coef_[1:] - fitted.coef_[0]) / spread, fitted.intercept_[1:] - fitted.intercept_[0]
    return Rules(weight, bias - weight @ mean, tuple(len(reason) for reason in bad))


def limits_of(scores: np.ndarray) -> np.ndarray:
    """Choose one limit a rule, ``(G,)``: together they refuse ``GOOD_REFUSED`` of the good films' scores ``(N, G)``.

    All rules give the same share each, and that share is as large as the whole allows.
    """
    low, high = 0.0, GOOD_REFUSED
    for _ in range(30):
        share = (low + high) / 2
        limits = np.quantile(scores, 1 - share, axis=0)
        low, high = (share, high) if (scores > limits).any(1).mean() <= GOOD_REFUSED else (low, share)
    return np.quantile(scores, 1 - low, axis=0).clip(0.02, 0.999)


def refused(scores: np.ndarray, blank: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Which films are refused: scores ``(N, G)``, blank ``(N,)``, limits ``(G,)`` or a row a film -> bool ``(N,)``."""
    return (scores > limits).any(1) | (blank > 0.5)
