"""Films as files hold them and as networks see them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def as_batch(pixels: np.ndarray | Tensor, where: str | torch.device = "cpu") -> Tensor:
    """Films uint8 ``(N, S, S)``, also of a memory map -> float32 ``(N, 1, S, S)`` in 0..1 on the device ``where``."""
    films = pixels if isinstance(pixels, Tensor) else torch.from_numpy(np.array(pixels))
    return films.to(where).unsqueeze(1).float() / 255


def as_pixels(batch: Tensor) -> np.ndarray:
    """Films ``(N, 1, S, S)`` in 0..1 -> uint8 ``(N, S, S)``: the 256 grey levels that a file would hold."""
    pixels: np.ndarray = (batch[:, 0] * 255).round().byte().cpu().numpy()
    return pixels
