"""Does a column go together with the label, and which of many differences stand?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ai_for_sudan.statistics.shares import design_effect


@dataclass(frozen=True)
class Link:
    """How strongly groups and the label go together.

    Attributes:
        groups: their names, sorted.
        counts: negative and positive films of each group, int ``(G, 2)``.
        cramers_v: 0 for no link to 1 (Cramer 1946).
        p_value: of the chi-squared test, by patient.
    """

    groups: tuple[str, ...]
    counts: np.ndarray
    cramers_v: float
    p_value: float


def link(labels: np.ndarray, groups: np.ndarray, patients: np.ndarray | None = None) -> Link:
    """Return how labels 0 or 1 ``(N,)`` go with the group of each film, str ``(N,)``.

    Args:
        patients: whom each film is of ``(N,)`` (default: all of another); the chi-squared statistic is divided by the
            design effect of the label (Rao and Scott 1981).
    """
    names, number = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), 2), int)
    np.add.at(counts, (number, np.asarray(labels, int)), 1)
    if len(names) < 2 or (counts.sum(0) == 0).any():
        return Link(tuple(map(str, names)), counts, 0.0, 1.0)
    test = stats.chi2_contingency(counts, correction=False)
    effect = 1.0 if patients is None else design_effect(np.asarray(labels) == 1, patients)
    p_value = float(stats.chi2.sf(test.statistic / effect, test.dof))
    # A table of two columns has one degree of freedom on the smaller side.
    return Link(tuple(map(str, names)), counts, float(np.sqrt(test.statistic / counts.sum())), p_value)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for many comparisons (Holm 1979)."""
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(np.argsort(p_values)):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - rank)))
        corrected[index] = highest
    return corrected
