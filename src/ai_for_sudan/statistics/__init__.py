"""Statistics that a reviewer accepts: plain functions on arrays, by established libraries, each once.

Labels are 0 or 1 ``(N,)``, probabilities and scores float ``(N,)`` (more means more positive), patients any names
``(N,)``. NumPy, SciPy and scikit-learn; of this project its errors and the contract's operating point.
"""

from ai_for_sudan.statistics.association import Link, holm, link
from ai_for_sudan.statistics.auroc import (
    Difference,
    auroc_delong,
    delong_paired,
    p_of_areas,
    quick_auroc,
    smallest_class,
)
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
from ai_for_sudan.statistics.estimates import Estimate, as_json
from ai_for_sudan.statistics.groups import age_band
from ai_for_sudan.statistics.operating_points import (
    PROMISES,
    Promise,
    operating_points,
    recalibrated,
    youden_cut,
)
from ai_for_sudan.statistics.predictions import Predictions, positive_truth
from ai_for_sudan.statistics.resampling import Resamples, better, bootstrap_by_patient, percentile_interval
from ai_for_sudan.statistics.shares import (
    design_effect,
    interval_width,
    p_of_shares,
    predictive_values,
    sensitivity,
    share_by_patient,
    specificity,
    wilson,
)
from ai_for_sudan.statistics.statuses import STATUSES, Outcomes, StatusTable, status_table

__all__ = [
    "BINS",
    "PROMISES",
    "STATUSES",
    "Bin",
    "Calls",
    "Difference",
    "Estimate",
    "Link",
    "Outcomes",
    "Predictions",
    "Promise",
    "Resamples",
    "StatusTable",
    "age_band",
    "as_json",
    "auroc_delong",
    "better",
    "bootstrap_by_patient",
    "brier",
    "calibration_line",
    "compare",
    "decision_curve",
    "delong_paired",
    "design_effect",
    "ece",
    "ece_bias",
    "holm",
    "interval_width",
    "link",
    "mcnemar",
    "operating_points",
    "p_of_areas",
    "p_of_shares",
    "percentile_interval",
    "positive_truth",
    "predictive_values",
    "quick_auroc",
    "recalibrated",
    "reliability",
    "sensitivity",
    "share_by_patient",
    "smallest_class",
    "specificity",
    "status_table",
    "wilson",
    "youden_cut",
]
