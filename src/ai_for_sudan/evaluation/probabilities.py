"""How good probabilities are: calibration, net benefit, and predictive values at other prevalences."""

from __future__ import annotations

from typing import Any

import numpy as np

from ai_for_sudan.statistics import (
    auroc_delong,
    bootstrap_by_patient,
    calibration_line,
    decision_curve,
    ece,
    ece_bias,
    interval_width,
    quick_auroc,
    reliability,
    sensitivity,
    specificity,
)

#: shares of positive patients at which predictive values are given
PREVALENCES = (0.02, 0.05, 0.1, 0.2, 0.5)
#: probabilities at which one might act, for the decision curve
THRESHOLDS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
#: films of one class for which the width of an interval is given
FILMS = (30, 60, 120, 250, 500, 1000)
#: a fit each: more rounds change the interval little
ROUNDS = 200


def of_probabilities(
    truth: np.ndarray, probability: np.ndarray, patients: np.ndarray, *, rounds: int = 1000, seed: int = 0
) -> dict[str, Any] | None:
    """All that does not depend on an operating point; None where a class has fewer than two films.

    Args:
        truth: 0 or 1 ``(N,)``.
        probability: ``(N,)`` in 0..1.

    Returns:
        plain JSON: ``auroc_delong`` ``[value, low, high]``; ``slope`` and ``intercept`` (of the calibration line, the
        same by patient, None where the classes are apart without overlap); ``ece`` and ``ece_of_a_calibrated_reader``;
        ``reliability`` (bins of equal count: ``given``, ``share`` with Wilson's interval, ``films``);
        ``decision_curve`` (``thresholds``, net benefit of the ``reader`` and of calling ``all`` films).
    """
    if min((truth == 1).sum(), (truth == 0).sum()) < 2:
        return None

    def line(rows: np.ndarray) -> dict[str, float]:
        if quick_auroc(truth[rows], probability[rows]) in (0.0, 1.0) or len(np.unique(truth[rows])) < 2:
            return {"slope": float("nan"), "intercept": float("nan")}
        slope, intercept = calibration_line(truth[rows], probability[rows])
        return {"slope": slope, "intercept": intercept}

    fitted = bootstrap_by_patient(line, patients, rounds=min(rounds, ROUNDS), seed=seed)
    thresholds = np.array(THRESHOLDS)
    return {
        "auroc_delong": auroc_delong(truth, probability).to_list(),
        **{name: estimate.to_list() for name, estimate in fitted.items()},
        "ece": ece(truth, probability),
        "ece_of_a_calibrated_reader": ece_bias(probability, seed=seed),
        "reliability": [
            {"given": one.given, "share": one.share.to_list(), "films": one.films}
            for one in reliability(truth, probability)
        ],
        "decision_curve": {
            "thresholds": list(THRESHOLDS),
            "reader": decision_curve(truth, probability, thresholds).tolist(),
            "all": decision_curve(truth, np.ones(len(truth)), thresholds).tolist(),
        },
    }


def of_calls(truth: np.ndarray, called: np.ndarray) -> dict[str, Any]:
    """What depends on an operating point, beyond the figures by patient.

    Args:
        truth: 0 or 1 ``(N,)``.
        called: bool ``(N,)``.

    Returns:
        plain JSON: ``wilson`` (sensitivity and specificity with the interval that counts every film as independent),
        and ``interval_widths``: how wide the 95 % interval of this sensitivity would be with so many positive films.
    """
    found = sensitivity(truth, called)
    counts = FILMS if np.isfinite(found.value) else ()
    return {
        "wilson": {"sensitivity": found.to_list(), "specificity": specificity(truth, called).to_list()},
        "interval_widths": [{"films": n, "width": interval_width(found.value, n)} for n in counts],
    }
