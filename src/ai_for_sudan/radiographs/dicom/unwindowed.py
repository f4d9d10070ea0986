"""A film's values before the window that its header chose: what the picture clips is still in them."""

from __future__ import annotations

import math

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut

from ai_for_sudan.radiographs.dicom.picture import looked_up
from ai_for_sudan.radiographs.radiograph import FullRange, strips

#: of larger films only every second or third pixel and row is kept, as a browser has to hold them; the largest
#: detectors have 15 million
MOST_PIXELS = 1 << 24


def before_window(stored: np.ndarray, shown: np.ndarray, dataset: Dataset) -> FullRange | None:
    """The values after rescale or modality LUT (PS3.3 C.11.1), the right way round, with the window that was applied.

    Which values are shown black and white, and which way round they are, is taken from the picture itself: whatever
    window, table or polarity made it, both then agree.

    Args:
        stored: stored values, ``(H, W)`` or with colours.
        shown: uint8 ``(H, W)``, bone white, what was made of them.

    Returns:
        None for colour, palettes, floats and values that span more than 16 bits, of which there is only the picture,
        and for a film of one value.
    """
    palette = str(dataset.get("PhotometricInterpretation")).strip().upper() == "PALETTE COLOR"
    if stored.ndim != 2 or stored.dtype.kind not in "iu" or palette:
        return None
    step = math.ceil(math.sqrt(stored.size / MOST_PIXELS))
    stored, shown = stored[::step, ::step], shown[::step, ::step]
    low, high = int(stored.min()), int(stored.max())
    if not 0 < high - low < 1 << 16:
        return None
    occurs, grey = np.zeros(high - low + 1, dtype=bool), np.zeros(high - low + 1, dtype=np.uint8)
    for rows in strips(*stored.shape):
        places = stored[rows].astype(np.int64) - low
        occurs[places], grey[places] = True, shown[rows]
    present = np.flatnonzero(occurs)
    grey = grey[present]
    measured = _measured((present + low).astype(stored.dtype), dataset)
    if grey[measured.argmax()] < grey[measured.argmin()]:
        measured = -measured
    span = float(np.ptp(measured))
    if not 0 < span < math.inf:
        return None
    table = np.zeros(high - low + 1, dtype=np.uint16)
    table[present] = np.rint((measured - measured.min()) * ((high - low) / span))
    black = int(table[present][grey == 0].max(initial=0))
    white = int(table[present][grey == 255].min(initial=high - low))
    values = looked_up(stored, low, table)
    # A window beside all values makes a picture of one grey: then all of them are the window.
    return FullRange(values, (black, white) if black < white else (0, high - low))


def _measured(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    try:
        return np.asarray(apply_modality_lut(stored, dataset), dtype=np.float64)
    except Exception:  # a rescale that is nonsense: the picture, too, is made of the stored values
        return stored.astype(np.float64)
