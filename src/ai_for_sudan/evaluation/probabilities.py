"""How good probabilities are: calibration and net benefit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ai_for_sudan.statistics import (
    Bin,
    Estimate,
    auroc_delong,
    bootstrap_by_patient,
    calibration_line,
    decision_curve,
    ece,
    ece_bias,
    quick_auroc,
    reliability,
)

#: probabilities at which one might act, for the decision curve
THRESHOLDS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
#: a fit each: more rounds change the interval little
ROUNDS = 200


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit at each of :data:`THRESHOLDS`, of the reader and of calling all films."""

    thresholds: list[float]
    reader: list[float]
    all: list[float]


@dataclass(frozen=True)
class Probabilities:
    """What does not depend on an operating point.

    Attributes:
        auroc_delong: with DeLong's interval, by patient.
        slope, intercept: of the calibration line, by patient; NaN where the classes are apart without overlap.
        ece: biased upward; ``ece_of_a_calibrated_reader`` is what a perfectly calibrated one would show.
        reliability: bins of equal count.
    """

    auroc_delong: Estimate
    slope: Estimate
    intercept: Estimate
    ece: float
    ece_of_a_calibrated_reader: float
    reliability: list[Bin]
    decision_curve: DecisionCurve


def of_probabilities(
    truth: np.ndarray, probability: np.ndarray, patients: np.ndarray, *, rounds: int = 1000, seed: int = 0
) -> Probabilities | None:
    """All that does not depend on an operating point; None where a class has fewer than two films.

    Args:
        truth: 0 or 1 ``(N,)``.
        probability: ``(N,)`` in 0..1.
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
    return Probabilities(
        auroc_delong=auroc_delong(truth, probability, patients),
        slope=fitted["slope"],
        intercept=fitted["intercept"],
        ece=ece(truth, probability),
        ece_of_a_calibrated_reader=ece_bias(probability, seed=seed),
        reliability=reliability(truth, probability),
        decision_curve=DecisionCurve(
            thresholds=list(THRESHOLDS),
            reader=decision_curve(truth, probability, thresholds).tolist(),
            all=decision_curve(truth, np.ones(len(truth)), thresholds).tolist(),
        ),
    )
