"""Does a column go together with the label, and which of many differences stand?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Link:
    """How strongly groups and the label go together.

    Attributes:
        groups: their names, sorted.
        counts: negative and positive films of each group, int ``(G, 2)``.
        cramers_v: 0 for no link to 1 (Cramer 1946).
        p_value: of the chi-squared test.
    """

    groups: tuple[str, ...]
    counts: np.ndarray
    cramers_v: float
    p_value: float


def link(labels: np.ndarray, groups: np.ndarray) -> Link:
    """Labels 0 or 1 ``(N,)`` against the group of each film, str ``(N,)``."""
    names, number = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), 2), int)
    np.add.at(counts, (number, np.asarray(labels, int)), 1)
    if len(names) < 2 or (counts.sum(0) == 0).any():
        return Link(tuple(map(str, names)), counts, 0.0, 1.0)
    test = stats.chi2_contingency(counts, correction=False)
    # A table of two columns has one degree of freedom on the smaller side.
    return Link(tuple(map(str, names)), counts, float(np.sqrt(test.statistic / counts.sum())), float(test.pvalue))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for many comparisons (Holm 1979)."""
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(np.argsort(p_values)):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - rank)))
        corrected[index] = highest
    return corrected
