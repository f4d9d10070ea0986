"""Step 5, values of interest: the VOI LUT or the window (PS3.3 C.11.2)."""

from __future__ import annotations

import math

import numpy as np
from pydicom.dataset import Dataset

from ai_for_sudan.contract.codes import Remark, remark
from ai_for_sudan.radiographs.dicom.elements import code, decimals
from ai_for_sudan.radiographs.dicom.lookup_table import looked_up


def of_interest(values: np.ndarray, dataset: Dataset) -> tuple[np.ndarray | None, tuple[Remark, ...]]:
    """Return measured values through the first VOI LUT, or else the first window that is one; float64 ``(N,)``.

    Returns:
        None where the header has neither; ``lut_ignored`` and ``window_ignored`` where it has none that can be used.
    """
    remarks: tuple[Remark, ...] = ()
    for item in (dataset.get("VOILUTSequence") or [])[:1]:
        through = looked_up(values, item)
        if through is not None:
            return through, ()
        remarks = (remark("lut_ignored"),)
    centers, widths = decimals(dataset, "WindowCenter"), decimals(dataset, "WindowWidth")
    function = code(dataset, "VOILUTFunction") or "LINEAR"
    least = math.ulp(0) if function in ("LINEAR_EXACT", "SIGMOID") else 1
    for center, width in zip(centers, widths, strict=False):
        if math.isfinite(center) and least <= width < math.inf:
            return _windowed(values, center, width, function), remarks
    return None, (*remarks, remark("window_ignored")) if centers or widths else remarks


def _windowed(values: np.ndarray, center: float, width: float, function: str) -> np.ndarray:
    """Values in 0..1 (C.11.2.1.2.1, C.11.2.1.3.1, C.11.2.1.3.2)."""
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -700, 700)))
    if function == "LINEAR_EXACT":
        return np.clip((values - center) / width + 0.5, 0, 1)
    if width == 1:
        return (values > center - 0.5).astype(np.float64)
    return np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1)
