"""Step 4, modality: from stored values to what the device measured (PS3.3 C.11.1)."""

from __future__ import annotations

import math

import numpy as np
from pydicom.dataset import Dataset

from ai_for_sudan.contract.codes import Remark, remark
from ai_for_sudan.radiographs.dicom.elements import decimals
from ai_for_sudan.radiographs.dicom.lookup_table import looked_up


def measured(values: np.ndarray, dataset: Dataset) -> tuple[np.ndarray, tuple[Remark, ...]]:
    """Return stored values through the Modality LUT or the rescale, float64 ``(N,)``.

    A rescale with an empty slope or intercept is none. ``lut_ignored`` and ``rescale_ignored`` tell of a table that is
    damaged, and of a slope that is 0 or no number: the step is left out.
    """
    values = values.astype(np.float64)
    remarks: tuple[Remark, ...] = ()
    for item in (dataset.get("ModalityLUTSequence") or [])[:1]:
        through = looked_up(values, item)
        if through is not None:
            return through, ()
        remarks = (remark("lut_ignored"),)
    slopes, intercepts = decimals(dataset, "RescaleSlope"), decimals(dataset, "RescaleIntercept")
    if not slopes or not intercepts:
        return values, remarks
    slope, intercept = slopes[0], intercepts[0]
    if slope == 0 or not math.isfinite(slope) or not math.isfinite(intercept):
        return values, (*remarks, remark("rescale_ignored"))
    return values * slope + intercept, remarks
