"""A film in a plain frame, as collimation, a scanner or a page leaves around it."""

from __future__ import annotations

import numpy as np


def in_frame(film: np.ndarray, grey: int, share: float, noise: float = 0.0) -> np.ndarray:
    """Place a film, uint8 ``(H, W)``, in a frame of which it fills a share of each side: a quarter down, half across.

    Args:
        noise: standard deviation of the frame's greys.
    """
    height, width = (round(side / share) for side in film.shape)
    frame = np.full((height, width), grey, float) + noise * np.random.default_rng(0).normal(size=(height, width))
    top, left = (height - film.shape[0]) // 4, (width - film.shape[1]) // 2
    frame[top : top + film.shape[0], left : left + film.shape[1]] = film
    return frame.clip(0, 255).astype(np.uint8)
