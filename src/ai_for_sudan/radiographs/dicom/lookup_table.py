"""A lookup table of a DICOM header: its descriptor and data (PS3.3 C.11.1.1.1, C.11.2.1.1, C.7.6.3.1.5)."""

from __future__ import annotations

import numpy as np
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from ai_for_sudan.radiographs.dicom.elements import words


def looked_up(values: np.ndarray, dataset: Dataset, prefix: str = "LUT") -> np.ndarray | None:
    """Return what a table holds of each value; values beyond its ends get its first or last entry.

    Args:
        values: float64 ``(N,)``, all that can occur: where some are negative, the table's first value has a sign too
            (C.11.1.1.1), however the file declares it; and where none would reach it otherwise.
        dataset: a sequence's item, or a header with a palette.
        prefix: ``LUT``, or ``RedPaletteColorLookupTable`` and its like.

    Returns:
        float64 ``(N,)``; None where there is no table, or not as many entries as its descriptor promises.
    """
    descriptor = words(dataset, f"{prefix}Descriptor").astype(int)
    if len(descriptor) != 3:
        return None
    count, first, _ = descriptor
    count = int(count) or 1 << 16
    entries = _entries(dataset, f"{prefix}Data", count)
    if entries is None:
        return None
    if first >= 1 << 15 and (values.min() < 0 or first > values.max()):
        first -= 1 << 16
    return entries[np.clip(np.floor(values + 0.5).astype(np.int64) - first, 0, count - 1)].astype(np.float64)


def _entries(dataset: Dataset, keyword: str, count: int) -> np.ndarray | None:
    """In words, or two in a word, the lower byte first."""
    found = words(dataset, keyword)
    if len(found) >= count:
        return found[:count]
    element = dataset.get_item(keyword) if keyword in dataset else None
    data = element.value if isinstance(element, RawDataElement) else found.astype("<u2").tobytes()
    packed = np.frombuffer(data or b"", dtype=np.uint8)
    if len(packed) < count:
        return None
    if isinstance(element, RawDataElement) and not element.is_little_endian:
        packed = found.astype("<u2").view(np.uint8)
    return packed[:count] if len(packed) >= count else None
