"""Numbers of a DICOM header as they are written, whatever value representation they were given."""

from __future__ import annotations

import math
import re

import numpy as np
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

#: Decimal String (PS3.5 6.2, VR DS)
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def decimals(dataset: Dataset, keyword: str) -> list[float]:
    """Return the values of a Decimal String (PS3.5 6.2): NaN for each that is no number, none for an empty element."""
    if keyword not in dataset:
        return []
    element = dataset.get_item(keyword)
    value = element.value if element is not None else None
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
    parts = [part.strip(" \0") for part in text.split("\\")]
    return [float(part) if _DECIMAL.fullmatch(part) else math.nan for part in parts] if any(parts) else []


def words(dataset: Dataset, keyword: str) -> np.ndarray:
    """Return the values of a US, SS or OW element as unsigned words, uint16 ``(N,)``; none where it is missing."""
    if keyword not in dataset:
        return np.zeros(0, dtype=np.uint16)
    element = dataset.get_item(keyword)
    if not isinstance(element, RawDataElement):  # pydicom has parsed it already
        values = np.atleast_1d(np.asarray(element.value if element is not None else [], dtype=np.int64))
        return (values & 0xFFFF).astype(np.uint16)
    value = element.value or b""
    order = "<u2" if element.is_little_endian else ">u2"
    return np.frombuffer(value[: len(value) // 2 * 2], dtype=order).astype(np.uint16)


def word(dataset: Dataset, keyword: str, default: int) -> int:
    """Return the first value of a US or SS element as an unsigned word."""
    found = words(dataset, keyword)
    return int(found[0]) if len(found) else default


def code(dataset: Dataset, keyword: str) -> str:
    """Return a Code String (PS3.5 6.2) in upper case; empty where it is missing."""
    return str(dataset.get(keyword) or "").strip(" \0").upper()
