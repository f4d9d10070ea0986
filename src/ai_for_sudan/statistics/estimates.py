"""A figure with its interval, and what labels and scores must be.

Labels are 0 or 1 ``(N,)``, scores float ``(N,)`` (more means more positive), patients any names ``(N,)``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from typing import Any

import numpy as np

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
