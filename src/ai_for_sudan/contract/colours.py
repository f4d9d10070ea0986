"""The colours of the heatmap: one table for films, legends, reports and both programs."""

from __future__ import annotations

import numpy as np

from ai_for_sudan.contract.data import load

_TABLE = load("colours")
_STOPS = np.array([stop["share"] for stop in _TABLE["stops"]], dtype=np.float32)
_RGBA = np.array([[*(c / 255 for c in stop["rgb"]), stop["opacity"]] for stop in _TABLE["stops"]], dtype=np.float32)
#: the grey, 0..1, on which a legend is drawn: on black a map that begins clear would seem to begin black
LEGEND_GROUND: float = _TABLE["legend_ground"] / 255
#: of the lungs' outline: red, green, blue in 0..255, and the probability of lung at which it is drawn
OUTLINE: tuple[int, int, int] = tuple(_TABLE["outline"]["rgb"])
OUTLINE_AT: float = _TABLE["outline"]["at"]


def colours(share: np.ndarray) -> np.ndarray:
    """Shares of full attribution, 0..1, ``(...)`` -> RGBA in 0..1 ``(..., 4)``, between the table's stops in a line."""
    channels = [np.interp(share, _STOPS, channel) for channel in _RGBA.T]
    return np.stack(channels, axis=-1).astype(np.float32)


def legend(steps: int) -> np.ndarray:
    """The colours from none to full as they look over the legend's ground: RGB in 0..1 ``(steps, 3)``."""
    shown = colours(np.linspace(0, 1, steps, dtype=np.float32))
    mixed: np.ndarray = shown[:, :3] * shown[:, 3:] + LEGEND_GROUND * (1 - shown[:, 3:])
    return mixed
