"""The figures of cross-validation, by fold and pooled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ai_for_sudan.evaluation.metrics import Metrics, measure
from ai_for_sudan.models import ModelSpec
from ai_for_sudan.statistics import Calls, Predictions, as_json, compare, operating_points, positive_truth, status_table

#: figures whose mean and spread over the folds are reported
FIGURES = ("auroc", "accuracy", "recall", "specificity", "f1", "brier", "ece")


def pooled(
    spec: ModelSpec,
    labels: np.ndarray,
    patients: np.ndarray,
    parts: Sequence[np.ndarray],
    predicted: np.ndarray,
    *,
    against: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Figures of each fold, and of all together.

    Args:
        labels: class numbers ``(N,)`` or findings ``(N, C)``.
        patients: ``(N,)``.
        parts: film numbers of the test side of each fold.
        predicted: probabilities ``(N, C)``, each film by the model of its fold.
        against: those of another cross-validation of the same folds, to compare with.

    Returns:
        plain JSON: ``folds`` (:class:`ai_for_sudan.evaluation.metrics.Metrics` of each), ``mean`` and ``spread`` of
        them (None where no fold has the figure), ``pooled`` (the same of all predictions), and with ``against``
        ``comparison`` (:func:`ai_for_sudan.statistics.compare`). ``statuses`` is what a clinic would experience
        (:class:`ai_for_sudan.statistics.StatusTable`), see :func:`statuses_apart`.
    """
    taken = np.sort(np.concatenate([np.asarray(part) for part in parts]))

    def figures(rows: np.ndarray, rounds: int, column: slice = slice(None)) -> Metrics:
        return measure(
            labels[rows, column] if labels.ndim == 2 else labels[rows],
            predicted[rows, column],
            patients[rows],
            spec.classes[column],
            spec.positive,
            spec.task,
            threshold=0.5,
            rounds=rounds,
            seed=seed,
        )

    # Of several findings the folds report one: a rare other one may have no film in a fold.
    column = slice(spec.positive_index, spec.positive_index + 1) if spec.task == "multilabel" else slice(None)
    each = [figures(np.asarray(part), 200, column) for part in parts]
    points = [fold.operating_points["0.5"] for fold in each]
    found = {name: [v for point in points if np.isfinite(v := getattr(point, name).value)] for name in FIGURES}
    truth = positive_truth(labels, spec.positive_index)
    statuses = statuses_apart(truth, predicted[:, spec.positive_index], parts)
    result = {
        "statuses": as_json(status_table(truth[taken], statuses[taken], patients[taken])),
        "folds": [fold.to_dict() for fold in each],
        "mean": {name: float(np.mean(values)) if values else None for name, values in found.items()},
        "spread": {name: float(np.std(values, ddof=1)) if len(values) > 1 else None for name, values in found.items()},
        "pooled": figures(taken, 1000).to_dict(),
    }
    if against is not None:
        index = spec.positive_index
        both = taken[~np.isnan(truth[taken])]
        result["comparison"] = compare(
            truth[both], Calls(predicted[both, index], 0.5), Calls(against[both, index], 0.5)
        )
    return result


def statuses_apart(truth: np.ndarray, probability: np.ndarray, parts: Sequence[np.ndarray]) -> np.ndarray:
    """Judge each film by the operating point ``balanced`` that the other folds' films choose, texts ``(N,)``.

    Each fold has another model, so that the others are sets of their own and the one that asks most decides.

    Args:
        truth: 1, 0 or NaN ``(N,)``.
        probability: of the positive class ``(N,)``.
    """
    found = np.full(len(truth), "", object)
    for part in parts:
        others = [Predictions.of(truth[other], probability[other]) for other in parts if other is not part]
        found[part] = operating_points(others)["balanced"].statuses(probability[part])
    return found
