"""Step 7, eight bits: the values of a film over the whole range of grey (PS3.4 N.2.5)."""

from __future__ import annotations

import numpy as np

#: share of a film's range that a burnt-in label leaves empty between itself and the film
GAP = 7 / 8
#: values that a film has at least
LEAST = 16


def eight_bits(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return grey levels, uint8 ``(N,)``: the lowest of the values ``among`` the film 0, the highest 255.

    Args:
        values: float64 ``(N,)``.
        among: bool ``(N,)``, which of them count; the others are cut to these.
    """
    low, high = values[among].min(), values[among].max()
    if not high > low:
        return np.zeros(len(values), dtype=np.uint8)
    return ((values.clip(low, high) - low) * (255 / (high - low)) + 0.5).astype(np.uint8)


def without_label(values: np.ndarray, film: np.ndarray) -> np.ndarray:
    """Return which values the greys are spread over: all but a burnt-in label, one value far above all others.

    Args:
        values: float64 ``(N,)``.
        film: bool ``(N,)``, which of them occur.

    Returns:
        bool ``(N,)``: ``film`` itself where it has no such label.
    """
    found = np.unique(values[film])
    if len(found) <= LEAST or found[-1] - found[-2] < GAP * (found[-1] - found[0]):
        return film
    return film & (values < found[-1])
