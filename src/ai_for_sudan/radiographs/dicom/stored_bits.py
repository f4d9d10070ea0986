"""Step 1, stored bits: which bits of a pixel cell hold its value (PS3.5 8.1.1, PS3.3 C.7.6.3.1)."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from ai_for_sudan.contract.codes import Remark, remark
from ai_for_sudan.radiographs.dicom.elements import word


def stored_bits(cells: np.ndarray, allocated: int, dataset: Dataset) -> tuple[np.ndarray, int, tuple[Remark, ...]]:
    """Return the bits that hold a pixel's value; overlays and whatever else lies around them are left out.

    Args:
        cells: int64 ``(N,)``, not negative.
        allocated: bits of a cell.

    Returns:
        the bits, int64 ``(N,)``; how many they are; ``bits_ignored`` where the header names bits that a cell lacks:
        then they are all taken.
    """
    bits = word(dataset, "BitsStored", allocated)
    high = word(dataset, "HighBit", bits - 1)
    if not 0 < bits <= high + 1 <= allocated:
        return cells, allocated, (remark("bits_ignored"),)
    return cells >> (high + 1 - bits) & (1 << bits) - 1, bits, ()
