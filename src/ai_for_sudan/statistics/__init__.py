"""Statistics that a reviewer accepts: plain functions on arrays, by established libraries, each once.

Labels are 0 or 1 ``(N,)``, probabilities and scores float ``(N,)`` (more means more positive), patients any names
``(N,)``. NumPy, SciPy and scikit-learn; nothing of this project but its errors.
"""

from ai_for_sudan.statistics.association import Link, holm, link
from ai_for_sudan.statistics.auroc import Difference, auroc_delong, delong_paired, delong_unpaired, quick_auroc
from ai_for_sudan.statistics.calibration import (
    BINS,
    Bin,
    brier,
    calibration_line,
    decision_curve,
    ece,
    ece_bias,
    reliability,
)
from ai_for_sudan.statistics.comparison import Calls, compare, mcnemar
from ai_for_sudan.statistics.estimates import (
    Estimate,
    as_json,
    interval_width,
    predictive_values,
    sensitivity,
    specificity,
    wilson,
)
from ai_for_sudan.statistics.groups import age_band
from ai_for_sudan.statistics.operating_points import Band, Choice, abstention_band, balanced, choose, recalibrated
from ai_for_sudan.statistics.predictions import Predictions, positive_truth
from ai_for_sudan.statistics.resampling import Resamples, better, bootstrap_by_patient, percentile_interval

__all__ = [
    "BINS",
    "Band",
    "Bin",
    "Calls",
    "Choice",
    "Difference",
    "Estimate",
    "Link",
    "Predictions",
    "Resamples",
    "abstention_band",
    "age_band",
    "as_json",
    "auroc_delong",
    "balanced",
    "better",
    "bootstrap_by_patient",
    "brier",
    "calibration_line",
    "choose",
    "compare",
    "decision_curve",
    "delong_paired",
    "delong_unpaired",
    "ece",
    "ece_bias",
    "holm",
    "interval_width",
    "link",
    "mcnemar",
    "percentile_interval",
    "positive_truth",
    "predictive_values",
    "quick_auroc",
    "recalibrated",
    "reliability",
    "sensitivity",
    "specificity",
    "wilson",
]
