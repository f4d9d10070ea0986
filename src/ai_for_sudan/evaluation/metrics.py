"""All figures of a set of answers, each with a 95 % interval by patient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, confusion_matrix

from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation.statistics import bootstrap_by_patient, brier, ece, quick_auroc

Array = np.ndarray


def measure(
    labels: Array,
    probabilities: Array,
    patients: Array,
    classes: tuple[str, ...],
    positive: str,
    task: str,
    *,
    threshold: float,
    rounds: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Everything that ``evaluate`` reports.

    Args:
        labels: class numbers ``(N,)`` or findings ``(N, C)`` in 0, 1, NaN.
        probabilities: ``(N, C)``.
        threshold: of the positive class; figures are given at it and at 0.5.

    Returns:
        plain JSON: ``positive`` (figures of the positive class against the rest at each threshold), and for more than
        two classes ``classes`` (each against the rest), ``accuracy`` and ``confusion_matrix``; every figure is
        ``[value, low, high]``.
    """
    if not np.isfinite(probabilities).all():
        raise UserError("some probabilities are no numbers (NaN): the model cannot be measured")
    index = classes.index(positive)
    result: dict[str, Any] = {
        "films": len(labels),
        "patients": len(np.unique(patients)),
        "intervals": f"95 %, bootstrap of {rounds} rounds over patients, seed {seed}",
        "positive": positive,
        "operating_points": {},
    }
    truth = labels[:, index] if labels.ndim == 2 else (labels == index).astype(float)
    for name, value in (("0.5", 0.5), ("own", threshold)):
        found = _one(truth, probabilities[:, index], patients, value, rounds, seed)
        result["operating_points"][name] = {"threshold": float(value), **found}
    if task == "multilabel":
        result["findings"] = {
            finding: _one(labels[:, c], probabilities[:, c], patients, 0.5, rounds, seed)
            for c, finding in enumerate(classes)
        }
        return result
    result["loss"] = _loss(labels, probabilities, patients, rounds, seed)
    if len(classes) > 2:
        result["classes"] = {
            one: _one((labels == c).astype(float), probabilities[:, c], patients, 0.5, rounds, seed)
            for c, one in enumerate(classes)
        }
        called = probabilities.argmax(1)
        right = called == labels
        accuracy = bootstrap_by_patient(
            lambda rows: {"a": float(right[rows].mean())}, patients, rounds=rounds, seed=seed
        )
        result["accuracy"] = accuracy["a"].to_list()
        result["confusion_matrix"] = confusion_matrix(labels, called, labels=range(len(classes))).tolist()
    return result


def _loss(labels: Array, probabilities: Array, patients: Array, rounds: int, seed: int) -> list[float | None]:
    each = -np.log(probabilities[np.arange(len(labels)), labels].clip(1e-7, 1))
    found = bootstrap_by_patient(lambda rows: {"loss": float(each[rows].mean())}, patients, rounds=rounds, seed=seed)
    return found["loss"].to_list()


def _one(truth: Array, probability: Array, patients: Array, threshold: float, rounds: int, seed: int) -> dict[str, Any]:
    """A class against the rest, films without its label left out."""
    known = ~np.isnan(truth)
    truth, probability, patients = truth[known].astype(int), probability[known], patients[known]
    called = probability >= threshold

    def figures(rows: Array) -> Mapping[str, float]:
        return binary_figures(truth[rows], probability[rows], called[rows])

    estimates = bootstrap_by_patient(figures, patients, rounds=rounds, seed=seed)
    table = {
        "true_positive": int((called & (truth == 1)).sum()),
        "false_positive": int((called & (truth == 0)).sum()),
        "false_negative": int((~called & (truth == 1)).sum()),
        "true_negative": int((~called & (truth == 0)).sum()),
    }
    return {
        "films": len(truth),
        "left_out_without_label": int((~known).sum()),
        "confusion": table,
        **{name: estimate.to_list() for name, estimate in estimates.items()},
    }


def binary_figures(truth: Array, probability: Array, called: Array) -> dict[str, float]:
    """Point values; NaN where a figure has no meaning (no positive film, nothing called)."""

    def share(part: Array, whole: Array) -> float:
        total = whole.sum()
        return float((part & whole).sum() / total) if total else float("nan")

    sick = truth == 1
    recall, precision = share(called, sick), share(sick, called)
    both = recall + precision
    return {
        "accuracy": float((called == sick).mean()),
        "precision": precision,
        "recall": recall,
        "specificity": share(~called, ~sick),
        "f1": 2 * recall * precision / both if both else float("nan"),
        "auroc": quick_auroc(truth, probability),
        "average_precision": float(average_precision_score(truth, probability)) if sick.any() else float("nan"),
        "brier": brier(truth, probability),
        "ece": ece(truth, probability),
    }
