"""The checkpoint's own operating point."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import roc_curve


def choose_threshold(truth: np.ndarray, probability: np.ndarray) -> dict[str, Any]:
    """The threshold with the highest balanced accuracy (Youden 1950), in the middle of the gap where it lies.

    Args:
        truth: ``(N,)`` 0, 1, or NaN for films without a label.
        probability: ``(N,)`` of the positive class.
    """
    known = ~np.isnan(np.asarray(truth, dtype=float))
    truth, probability = np.asarray(truth)[known].astype(int), probability[known]
    if not 0 < truth.sum() < len(truth):
        return {"threshold": 0.5, "reason": "one class only in validation: 0.5 is a convention, not a choice"}
    false_positive, true_positive, thresholds = roc_curve(truth, probability, drop_intermediate=False)
    best = int(np.argmax(true_positive - false_positive))
    below = probability[probability < thresholds[best]]
    threshold = (thresholds[best] + below.max()) / 2 if len(below) else thresholds[best]
    return {
        "threshold": float(threshold),
        "reason": "highest balanced accuracy on validation films as they are and disturbed",
        "sensitivity": float(true_positive[best]),
        "specificity": float(1 - false_positive[best]),
        "films": len(truth),
    }
