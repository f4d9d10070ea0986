"""Step 3, padding: values that fill up the picture and are no part of the film (PS3.3 C.7.5.1.1.2)."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from ai_for_sudan.contract.codes import Remark, remark
from ai_for_sudan.radiographs.dicom.elements import word, words
from ai_for_sudan.radiographs.dicom.sign import with_sign


def padding(
    cells: np.ndarray, values: np.ndarray, present: np.ndarray, bits: int, dataset: Dataset
) -> tuple[np.ndarray, tuple[Remark, ...]]:
    """Return which values are padding: they take no contrast and are shown black.

    Args:
        cells: int64 ``(N,)``, as they are stored with all their bits.
        values: int64 ``(N,)``, the stored values of these cells.
        present: bool ``(N,)``, which of them occur in the film.
        bits: how many bits a stored value has.

    Returns:
        bool ``(N,)``; ``padding_ignored`` where the header would take the whole film for padding.
    """
    value = words(dataset, "PixelPaddingValue")[:1].astype(np.int64)
    if len(value) == 0:
        return np.zeros(len(cells), dtype=bool), ()
    ends = np.append(value, words(dataset, "PixelPaddingRangeLimit")[:1].astype(np.int64))
    among = values
    if (ends < 1 << bits).all() or word(dataset, "PixelRepresentation", 0) == 1:
        ends = with_sign(ends & (1 << bits) - 1, bits, dataset)
    else:  # more bits than are stored: devices then write the whole cell
        among = cells
    padded = (among >= ends.min()) & (among <= ends.max())
    if (present & ~padded).sum() < 2:
        return np.zeros(len(cells), dtype=bool), (remark("padding_ignored"),)
    return padded, ()
