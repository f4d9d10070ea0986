"""All figures of a set of predictions, each with a 95 % interval by patient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, confusion_matrix

from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation.probabilities import PREVALENCES, of_calls, of_probabilities
from ai_for_sudan.statistics import (
    Estimate,
    bootstrap_by_patient,
    brier,
    ece,
    positive_truth,
    predictive_values,
    quick_auroc,
    wilson,
)

Array = np.ndarray

#: figures that are averaged over classes
MACRO = ("auroc", "average_precision", "recall", "precision", "specificity", "f1")


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
        plain JSON: ``operating_points`` (the positive class against the rest at each threshold, ``predictive_values``
        at stated prevalences among it), ``probabilities`` (see
        :func:`ai_for_sudan.evaluation.probabilities.of_probabilities`) and ``loss``; for more than two classes
        ``classes`` (each against the rest), ``macro``, ``accuracy`` and ``confusion_matrix``; for findings
        ``findings`` and ``macro``; every figure is ``[value, low, high]``.

    Raises:
        UserError: probabilities that are no numbers, or no film has a label of the positive class.
    """
    if not np.isfinite(probabilities).all():
        raise UserError("some probabilities are not numbers (NaN): the model cannot be measured")
    index = classes.index(positive)
    result: dict[str, Any] = {
        "films": len(labels),
        "patients": len(np.unique(patients)),
        "intervals": f"95 %, bootstrap of {rounds} rounds over patients, seed {seed}; Wilson's where no draw differs",
        "positive": positive,
        "operating_points": {},
    }
    truth = positive_truth(labels, index)
    for name, value in (("0.5", 0.5), ("own", threshold)):
        found = _one(truth, probabilities[:, index], patients, value, rounds, seed)
        result["operating_points"][name] = {"threshold": float(value), **found}
    known = ~np.isnan(truth)
    result["probabilities"] = of_probabilities(
        truth[known].astype(int), probabilities[known, index], patients[known], rounds=rounds, seed=seed
    )
    findings = labels if labels.ndim == 2 else np.eye(len(classes))[labels]
    result["loss"] = _loss(labels, probabilities, patients, rounds, seed)
    if task == "multilabel" or len(classes) > 2:
        result["findings" if task == "multilabel" else "classes"] = {
            one: _one(findings[:, c], probabilities[:, c], patients, 0.5, rounds, seed) for c, one in enumerate(classes)
        }
        result["macro"] = _macro(findings, probabilities, patients, rounds, seed)
    if task == "exclusive" and len(classes) > 2:
        called = probabilities.argmax(1)
        right = called == labels
        accuracy = bootstrap_by_patient(
            lambda rows: {"a": float(right[rows].mean())}, patients, rounds=rounds, seed=seed
        )
        result["accuracy"] = accuracy["a"].to_list()
        result["confusion_matrix"] = confusion_matrix(labels, called, labels=range(len(classes))).tolist()
    return result


def _loss(labels: Array, probabilities: Array, patients: Array, rounds: int, seed: int) -> list[float | None]:
    """Cross-entropy; of findings the binary one, over the labels that there are."""
    if labels.ndim == 1:
        each = -np.log(probabilities[np.arange(len(labels)), labels].clip(1e-7, 1))
    else:
        right = np.where(labels == 1, probabilities, 1 - probabilities)
        each = np.where(np.isnan(labels), np.nan, -np.log(right.clip(1e-7, 1)))

    def loss(rows: Array) -> dict[str, float]:
        drawn = each[rows]
        return {"loss": float(np.nanmean(drawn)) if np.isfinite(drawn).any() else float("nan")}

    return bootstrap_by_patient(loss, patients, rounds=rounds, seed=seed)["loss"].to_list()


def _macro(
    findings: Array, probabilities: Array, patients: Array, rounds: int, seed: int
) -> dict[str, list[float | None]]:
    """Plain means over the classes, each against the rest at 0.5; without those that a draw left without films."""

    def means(rows: Array) -> dict[str, float]:
        columns: dict[str, list[float]] = {name: [] for name in MACRO}
        for c in range(findings.shape[1]):
            known = rows[~np.isnan(findings[rows, c])]
            if not len(known):
                continue
            probability = probabilities[known, c]
            found = binary_figures(findings[known, c].astype(int), probability, probability >= 0.5)
            for name in MACRO:
                if np.isfinite(found[name]):
                    columns[name].append(found[name])
        return {name: float(np.mean(values)) if values else float("nan") for name, values in columns.items()}

    return {name: e.to_list() for name, e in bootstrap_by_patient(means, patients, rounds=rounds, seed=seed).items()}


def _one(truth: Array, probability: Array, patients: Array, threshold: float, rounds: int, seed: int) -> dict[str, Any]:
    """A class against the rest, films without its label left out."""
    known = ~np.isnan(truth)
    if not known.any():
        raise UserError("one of the findings has no label on any film; leave its column out")
    truth, probability, patients = truth[known].astype(int), probability[known], patients[known]
    called = probability >= threshold

    def figures(rows: Array) -> Mapping[str, float]:
        found = binary_figures(truth[rows], probability[rows], called[rows])
        for prevalence in PREVALENCES:
            pair = predictive_values(found["recall"], found["specificity"], prevalence)
            found |= {f"{name} {prevalence}": value for name, value in zip(("ppv", "npv"), pair, strict=True)}
        return found

    estimates = bootstrap_by_patient(figures, patients, rounds=rounds, seed=seed)
    estimates = _never_certain(estimates, patients, truth == 1, called)
    table = {
        "true_positive": int((called & (truth == 1)).sum()),
        "false_positive": int((called & (truth == 0)).sum()),
        "false_negative": int((~called & (truth == 1)).sum()),
        "true_negative": int((~called & (truth == 0)).sum()),
    }
    values = {name: estimate.to_list() for name, estimate in estimates.items()}
    predictive = [{"prevalence": p, "ppv": values.pop(f"ppv {p}"), "npv": values.pop(f"npv {p}")} for p in PREVALENCES]
    return {
        "films": len(truth),
        "left_out_without_label": int((~known).sum()),
        "confusion": table,
        **values,
        "predictive_values": predictive,
        **of_calls(truth, called),
    }


def _never_certain(
    estimates: dict[str, Estimate], patients: Array, positive: Array, called: Array
) -> dict[str, Estimate]:
    """Intervals for figures without a single error (or success), to which every bootstrap draw gives the same value.

    Shares and AUROC take Wilson's bound on the patients they are of; other figures are left without an interval.
    """

    def count(rows: Array) -> int:
        return len(np.unique(patients[rows]))

    of = {
        "accuracy": len(np.unique(patients)),
        "recall": count(positive),
        "specificity": count(~positive),
        "precision": count(called),
        "auroc": min(count(positive), count(~positive)),
    }
    result = {}
    for name, found in estimates.items():
        bound = found
        if np.isfinite(found.low) and found.low == found.high:
            share = wilson(round(found.value * of[name]), of[name]) if name in of else None
            low, high = (share.low, share.high) if share else (float("nan"), float("nan"))
            bound = Estimate(found.value, low, high)
        result[name] = bound
    return result


def binary_figures(truth: Array, probability: Array, called: Array) -> dict[str, float]:
    """Point values; NaN where a figure has no meaning (no positive film, nothing called)."""

    def share(part: Array, whole: Array) -> float:
        total = whole.sum()
        return float((part & whole).sum() / total) if total else float("nan")

    positive = truth == 1
    recall, precision = share(called, positive), share(positive, called)
    both = recall + precision
    return {
        "accuracy": float((called == positive).mean()),
        "precision": precision,
        "recall": recall,
        "specificity": share(~called, ~positive),
        "f1": 2 * recall * precision / both if both else float("nan"),
        "auroc": quick_auroc(truth, probability),
        "average_precision": float(average_precision_score(truth, probability)) if positive.any() else float("nan"),
        "brier": brier(truth, probability),
        "ece": ece(truth, probability),
    }
