"""Colour films in grey: the luma of their samples or of their palette (PS3.3 C.7.6.3.1.2, C.7.6.3.1.5)."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs.dicom.elements import code
from ai_for_sudan.radiographs.dicom.lookup_table import looked_up
from ai_for_sudan.radiographs.radiograph import luma, strips


def grey_of_colours(samples: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Return the luma of colour samples ``(H, W, 3 or 4)`` over the whole range of grey, uint8 ``(H, W)``.

    The first sample of YBR_FULL is the luma. JPEG 2000 (YBR_RCT, YBR_ICT) is converted to RGB by its decoder.
    """
    if code(dataset, "PhotometricInterpretation").startswith("YBR_FULL"):
        samples = np.repeat(samples[..., :1], 3, axis=-1)
    ends = [(strip.min(), strip.max()) for strip in (luma(samples[rows]) for rows in strips(*samples.shape[:2]))]
    low, high = float(min(ends)[0]), float(max(end for _, end in ends))
    grey = np.zeros(samples.shape[:2], dtype=np.uint8)
    if high > low:
        for rows in strips(*samples.shape[:2]):
            grey[rows] = (luma(samples[rows]).astype(np.float64) - low) * (255 / (high - low)) + 0.5
    return grey


def through_palette(values: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Return the luma of palette entries, float64 ``(N,)``.

    Raises:
        UnreadableFilm: a palette is missing or cut short.
    """
    grey = np.zeros(len(values))
    for name, weight in (("Red", 0.299), ("Green", 0.587), ("Blue", 0.114)):
        colour = looked_up(values.astype(np.float64), dataset, f"{name}PaletteColorLookupTable")
        if colour is None:
            raise UnreadableFilm("truncated", "the film's palette is missing or cut short")
        grey += weight * colour
    return grey
