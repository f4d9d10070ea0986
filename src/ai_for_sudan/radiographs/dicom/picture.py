"""From stored values to the picture that a workstation shows (PS3.3 C.11), in grey."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut

from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs.radiograph import luma, strips


def grey_values(values: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Grey values as they are to be shown, uint8 ``(H, W)``, not yet bone white."""
    photometric = str(dataset.get("PhotometricInterpretation", "MONOCHROME2")).strip().upper()
    if values.ndim == 3 and values.shape[2] in (3, 4):
        # YBR_FULL: its first sample is the luma. JPEG 2000 (YBR_RCT, YBR_ICT) is converted to RGB by its decoder.
        if photometric.startswith("YBR_FULL"):
            return _stretched(values[..., 0])
        return _stretched(values, luma)
    if values.ndim != 2:
        raise UnreadableFilm("shape", f"the DICOM file has pixels of shape {values.shape}; a film has two dimensions")
    if photometric == "PALETTE COLOR":
        return _through_table(values, lambda stored: luma(apply_color_lut(stored[None], dataset))[0])
    return _through_table(values, lambda stored: _windowed(stored, dataset))


def _windowed(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    """``stored``: values of one film, ``(N,)``."""
    try:
        measured = apply_modality_lut(stored, dataset)
        shown = np.asarray(apply_voi_lut(measured, dataset), dtype=np.float32)
    except Exception:  # a window that is nonsense (width 0, a text): the stored values are shown over their whole range
        return stored.astype(np.float32)
    # A window never shows a higher value darker (PS3.3 C.11.2.1.2), but pydicom's does after a negative rescale slope.
    if not dataset.get("VOILUTSequence") and shown[measured.argmax()] < shown[measured.argmin()]:
        return -shown
    return shown


def _through_table(values: np.ndarray, shown: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """``shown`` is computed once for each stored value, not once for each pixel: faster, and a film stays small."""
    low, high = int(values.min()), int(values.max())
    if values.dtype.kind == "f" or high - low > 1 << 17:
        return _stretched(values)  # 32 bits (dose maps and the like): over their whole range
    counts = np.zeros(high - low + 1, dtype=bool)
    for rows in strips(*values.shape):
        counts[values[rows].astype(np.int64) - low] = True
    stored = np.flatnonzero(counts) + low
    table = np.zeros(len(counts), dtype=np.uint8)
    kind = values.dtype if values.dtype.kind in "iu" else np.int64
    table[stored - low] = _stretched(shown(stored.astype(kind))[None])[0]
    return looked_up(values, low, table)


def looked_up(values: np.ndarray, low: int, table: np.ndarray) -> np.ndarray:
    """What a table ``(K,)`` holds of each value ``(H, W)``, the lowest of which is ``low``: of the table's type."""
    found = np.empty(values.shape, dtype=table.dtype)
    for rows in strips(*values.shape):
        found[rows] = table[values[rows].astype(np.int64) - low]
    return found


def _stretched(values: np.ndarray, to_grey: Callable[[np.ndarray], np.ndarray] | None = None) -> np.ndarray:
    """Values of any range ``(H, W)`` (or what ``to_grey`` makes of them) -> uint8 over 0..255."""
    low, high = np.inf, -np.inf
    for rows in strips(*values.shape[:2]):
        strip = to_grey(values[rows]) if to_grey else values[rows]
        low, high = min(low, float(strip.min())), max(high, float(strip.max()))
    if not np.isfinite([low, high]).all():
        raise UnreadableFilm("not_finite", "the film contains values that are not numbers (NaN or infinite)")
    grey = np.zeros(values.shape[:2], dtype=np.uint8)
    if high > low:
        for rows in strips(*values.shape[:2]):
            strip = to_grey(values[rows]) if to_grey else values[rows]
            grey[rows] = (strip.astype(np.float64) - low) * (255 / (high - low)) + 0.5
    return grey
