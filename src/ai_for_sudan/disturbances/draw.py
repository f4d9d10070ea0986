"""Random numbers from one seeded CPU generator, so that every device draws the same."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(like: Tensor, generator: torch.Generator | None, low: float = 0.0, high: float = 1.0) -> Tensor:
    """One number a film, ``(B,)``, on the device of ``like`` ``(B, ...)``."""
    return (torch.rand(len(like), generator=generator) * (high - low) + low).to(like.device)


def sign(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """-1 or 1 for each film, ``(B,)``."""
    return uniform(like, generator).round() * 2 - 1


def column(values: Tensor) -> Tensor:
    """``(B,)`` -> ``(B, 1, 1, 1)``, to multiply films with."""
    return values.view(-1, 1, 1, 1)
