"""The threshold that a checkpoint, and the balanced operating point of a reader, call films by."""

from __future__ import annotations

from typing import Any

import numpy as np

from ai_for_sudan.evaluation.statistics import middle_of_best, rates_at

Answers = tuple[np.ndarray, np.ndarray]


def choose_threshold(clean: Answers, disturbed: Answers) -> dict[str, Any]:
    """The threshold whose balanced accuracy is highest where it is worse: on films as they are, or disturbed.

    The best one over both together (Youden 1950) can be bought by one of them: many false alarms on disturbed films
    for a few more finds on films as they are. The middle of the gap between two films is taken.

    Args:
        clean, disturbed: truth ``(N,)`` 0, 1, or NaN for films without a label; probability of the positive class
            ``(N,)``.
    """
    sets = [_known(*answers) for answers in (clean, disturbed)]
    films = sum(len(truth) for truth, _ in sets)
    if any(not 0 < truth.sum() < len(truth) for truth, _ in sets):
        return {"threshold": 0.5, "reason": "one class only in validation: 0.5 is a convention, not a choice"}
    values = np.unique(np.concatenate([probability for _, probability in sets]))
    cuts = (values[1:] + values[:-1]) / 2 if len(values) > 1 else values
    rates = [rates_at(truth, probability, cuts) for truth, probability in sets]
    worst = np.min([sensitivity + specificity for sensitivity, specificity in rates], axis=0)
    place = middle_of_best(worst)
    return {
        "threshold": float(cuts[place]),
        "reason": "highest balanced accuracy on the worse of two: validation films as they are, and disturbed",
        "sensitivity": float(np.mean([sensitivity[place] for sensitivity, _ in rates])),
        "specificity": float(np.mean([specificity[place] for _, specificity in rates])),
        "films": films,
    }


def _known(truth: np.ndarray, probability: np.ndarray) -> Answers:
    known = ~np.isnan(np.asarray(truth, dtype=float))
    return np.asarray(truth)[known].astype(int), np.asarray(probability)[known]
