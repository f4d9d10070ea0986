"""The heatmap over its film: a fixed scale, so that a weak map looks weak."""

from __future__ import annotations

import numpy as np
from PIL import Image

#: heat at which the picture is fully coloured; below it fades in from clear
_OPAQUE = 0.85


def colours(heat: np.ndarray) -> np.ndarray:
    """Heat in 0..1 ``(...)`` -> RGBA in 0..1 ``(..., 4)``: clear, yellow, red."""
    heat = heat.clip(0, 1)
    return np.stack(
        [np.ones_like(heat), 0.88 * (1 - heat), 0.16 * (1 - heat), _OPAQUE * np.minimum(1, heat * 1.6)], axis=-1
    )


def enlarge(heatmap: np.ndarray, height: int, width: int) -> np.ndarray:
    """``(h, w)`` -> ``(height, width)``, bilinear."""
    picture = Image.fromarray(heatmap.astype(np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def overlay(pixels: np.ndarray, heatmap: np.ndarray, reference: float, *, largest_side: int = 1024) -> Image.Image:
    """The film in grey with the heatmap over it.

    Args:
        pixels: uint8 ``(H, W)``.
        heatmap: float32 ``(h, w)``, not negative, in the units of ``reference``.
        reference: what is drawn at full colour; the map is not stretched to its own maximum.
        largest_side: larger films are reduced to it.
    """
    film = Image.fromarray(pixels)
    film.thumbnail((largest_side, largest_side), Image.Resampling.BILINEAR)
    grey = np.asarray(film, dtype=np.float32)[..., None] / 255
    heat = colours(enlarge(heatmap / reference, *grey.shape[:2]))
    mixed = grey * (1 - heat[..., 3:]) + heat[..., :3] * heat[..., 3:]
    return Image.fromarray((mixed * 255 + 0.5).astype(np.uint8))
