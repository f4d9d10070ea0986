"""How unlike all known films a film is, with no example of what it might be instead."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

CODE = "unfamiliar"
#: principal directions that known films may vary along
DIRECTIONS = 32
#: of good films, at most this share is left to a person for it
GOOD_UNFAMILIAR = 0.005


class Familiarity(nn.Module):
    """What the principal directions of known films leave over of an embedding: the Q statistic (Jackson 1979).

    The distance along those directions says nothing of use: the clearest films lie farthest out along them.
    """

    def __init__(self, mean: Tensor, directions: Tensor, limit: float = 1.0) -> None:
        """``(D,)``, orthonormal ``(D, K)``."""
        super().__init__()
        self.mean, self.directions = nn.Parameter(mean), nn.Parameter(directions)
        self.limit = limit

    def left_over(self, embedding: Tensor) -> Tensor:
        """``(B, D)`` -> squared length ``(B,)``."""
        centred = embedding - self.mean
        along = centred @ self.directions
        return (centred**2).sum(1) - (along**2).sum(1)

    def forward(self, embedding: Tensor) -> Tensor:
        """``(B, D)`` -> a score in 0..1, ``(B, 1)``; 0.5 at the limit."""
        return torch.sigmoid((self.left_over(embedding) / self.limit - 1) * 4)[:, None]


def fit_familiarity(known: np.ndarray, held_out: np.ndarray) -> Familiarity:
    """Directions of ``known`` embeddings ``(N, D)``, and a limit that ``GOOD_UNFAMILIAR`` of ``held_out`` exceed."""
    mean = known.mean(0)
    count = min(DIRECTIONS, known.shape[1] // 2, len(known) // 2)
    directions = np.linalg.svd(known - mean, full_matrices=False)[2][:count].T.copy()
    found = Familiarity(torch.from_numpy(mean).float(), torch.from_numpy(directions).float())
    found.limit = limit_of(left_over(found, held_out))
    return found


def left_over(familiarity: Familiarity, embedding: np.ndarray) -> np.ndarray:
    """What it compares with its limit, of ``(N, D)``: float32 ``(N,)``."""
    with torch.no_grad():
        left: np.ndarray = familiarity.left_over(torch.from_numpy(embedding).float()).numpy()
    return left


def limit_of(left: np.ndarray) -> float:
    """The limit that ``GOOD_UNFAMILIAR`` of good films exceed by what is left over of them, ``(N,)``."""
    return max(float(np.quantile(left, 1 - GOOD_UNFAMILIAR)), 1e-6)
