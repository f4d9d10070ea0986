"""The plain surround of a film: what collimation, a scanner or a page leaves around it, and what lies inside.

A reader looks at what is inside. So a small child in a large frame is read like any other, and no black edge changes an
answer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ai_for_sudan.contract.data import load
from ai_for_sudan.contract.limits import SMALLEST_SIDE

_RULE = load("surround")


class Field(NamedTuple):
    """The exposed field: rows ``top`` to ``bottom`` and columns ``left`` to ``right`` of a film, the ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    def of(self, film: np.ndarray) -> np.ndarray:
        """Return this part of a film ``(H, W)``."""
        return film[self.top : self.bottom, self.left : self.right]

    def box(self, box: np.ndarray, film: tuple[int, int]) -> np.ndarray:
        """Return a box in shares of this part, x0 y0 x1 y1, in shares of the film ``(height, width)``."""
        height, width = film
        x = (self.left + box[0::2] * (self.right - self.left)) / width
        y = (self.top + box[1::2] * (self.bottom - self.top)) / height
        return np.stack([x, y], 1).ravel().astype(box.dtype)

    def map(self, values: np.ndarray, film: tuple[int, int]) -> np.ndarray:
        """Return a map of this part ``(..., h, w)`` in the frame of the film: as fine as it was, and 0 around it."""
        (top, bottom), (left, right) = (
            (round(low * scale), round(low * scale) + cells)
            for low, cells, scale in (
                (self.top, values.shape[-2], values.shape[-2] / (self.bottom - self.top)),
                (self.left, values.shape[-1], values.shape[-1] / (self.right - self.left)),
            )
        )
        rows = max(bottom, round(film[0] * values.shape[-2] / (self.bottom - self.top)))
        columns = max(right, round(film[1] * values.shape[-1] / (self.right - self.left)))
        placed = np.zeros((*values.shape[:-2], rows, columns), values.dtype)
        placed[..., top:bottom, left:right] = values
        return placed


def exposed_field(film: np.ndarray) -> Field | None:
    """Return the field inside a plain surround of a film, uint8 ``(H, W)``; ``None`` where there is no surround.

    A surround is plain where nine tenths of the film's edge have one grey. The field reaches from the first row and
    column of which one pixel in twenty has another grey to the last. A field below 128 pixels a side or a fifth of the
    film is left to the gate, which calls it small.
    """
    steps = [max(1, side // _RULE["most_samples"]) for side in film.shape]
    sample = film[:: steps[0], :: steps[1]].astype(np.int16)
    edge = np.concatenate([sample[0], sample[-1], sample[1:-1, 0], sample[1:-1, -1]])
    grey = np.sort(edge)[len(edge) // 2]
    if np.mean(np.abs(edge - grey) <= _RULE["same_grey"]) < _RULE["plain_edge"]:
        return None
    other = np.abs(sample - grey) > _RULE["same_grey"]
    ends = []
    for axis, (side, step) in enumerate(zip(film.shape, steps, strict=True)):
        found = np.flatnonzero(other.mean(axis=1 - axis) > _RULE["content"])
        if not len(found):
            return None
        ends.append((int(found[0]) * step, min(side, (int(found[-1]) + 1) * step)))
    (top, bottom), (left, right) = ends
    sides = (bottom - top, right - left)
    shares = [part / side for part, side in zip(sides, film.shape, strict=True)]
    if min(shares) >= _RULE["largest"] or min(shares) < _RULE["smallest"] or min(sides) < SMALLEST_SIDE:
        return None
    return Field(top, bottom, left, right)
