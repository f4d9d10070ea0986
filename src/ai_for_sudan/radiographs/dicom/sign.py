"""Step 2, sign: whether the highest stored bit is a sign (Pixel Representation, PS3.3 C.7.6.3.1)."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from ai_for_sudan.radiographs.dicom.elements import word


def with_sign(stored: np.ndarray, bits: int, dataset: Dataset) -> np.ndarray:
    """Return the stored values: two's complement of ``bits`` bits if the header says so.

    Args:
        stored: int64 ``(N,)``, the stored bits.
    """
    if word(dataset, "PixelRepresentation", 0) != 1:
        return stored
    return stored - (stored >> (bits - 1) << bits)
