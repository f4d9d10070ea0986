"""All figures of a set of predictions, each with a 95 % interval by patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, confusion_matrix

from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation.probabilities import Probabilities, of_probabilities
from ai_for_sudan.statistics import (
    Estimate,
    as_json,
    bootstrap_by_patient,
    brier,
    ece,
    interval_width,
    positive_truth,
    predictive_values,
    quick_auroc,
    sensitivity,
    specificity,
    wilson,
)

Array = np.ndarray

#: figures that are averaged over classes
MACRO = ("auroc", "average_precision", "recall", "precision", "specificity", "f1")
#: shares of positive patients at which predictive values are given
PREVALENCES = (0.02, 0.05, 0.1, 0.2, 0.5)
#: films of one class for which the width of an interval is given
FILMS = (30, 60, 120, 250, 500, 1000)


@dataclass(frozen=True)
class Confusion:
    """Films by what they are and what they are called."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @classmethod
    def of(cls, truth: Array, called: Array) -> Confusion:
        """Count films by truth 0 or 1 ``(N,)`` and by what they are called, bool ``(N,)``."""
        negative_right, false_positive, false_negative, right = confusion_matrix(truth, called, labels=(0, 1)).ravel()
        return cls(int(right), int(false_positive), int(false_negative), int(negative_right))


@dataclass(frozen=True)
class PredictiveValues:
    """What a call is worth where so many patients are positive, by Bayes' rule."""

    prevalence: float
    ppv: Estimate
    npv: Estimate


@dataclass(frozen=True)
class Wilson:
    """Sensitivity and specificity with Wilson's interval at the effective number of films of their patients."""

    sensitivity: Estimate
    specificity: Estimate


@dataclass(frozen=True)
class IntervalWidth:
    """How wide the 95 % interval of this sensitivity would be with so many positive films."""

    films: int
    width: float


@dataclass(frozen=True)
class Figures:
    """A class against the rest at a threshold; intervals by patient, NaN what has no meaning.

    Attributes:
        films: with a label.
        recall: sensitivity.
    """

    films: int
    left_out_without_label: int
    confusion: Confusion
    accuracy: Estimate
    precision: Estimate
    recall: Estimate
    specificity: Estimate
    f1: Estimate
    auroc: Estimate
    average_precision: Estimate
    brier: Estimate
    ece: Estimate
    predictive_values: list[PredictiveValues]
    wilson: Wilson
    interval_widths: list[IntervalWidth]


@dataclass(frozen=True)
class PointFigures(Figures):
    """The figures at a threshold that is an operating point."""

    threshold: float


@dataclass(frozen=True)
class Metrics:
    """Everything that ``evaluate`` reports.

    Attributes:
        intervals: how they were found, in words.
        positive: the class that is reported.
        operating_points: that class against the rest at ``"0.5"`` and at the model's ``"own"`` threshold.
        probabilities: of that class; None where a class has fewer than two films.
        loss: cross-entropy; of findings the binary one.
        classes: each against the rest at 0.5, for more than two.
        findings: likewise, where a film may have several.
        left_out: findings of which no films, or films of one class alone, are labelled.
        macro: plain means of :data:`MACRO` over the classes or findings.
        accuracy: over all classes, for more than two.
        confusion_matrix: likewise; a row a true class.
    """

    films: int
    patients: int
    intervals: str
    positive: str
    operating_points: dict[str, PointFigures]
    probabilities: Probabilities | None
    loss: Estimate
    classes: dict[str, Figures] | None = None
    findings: dict[str, Figures] | None = None
    left_out: list[str] | None = None
    macro: dict[str, Estimate] | None = None
    accuracy: Estimate | None = None
    confusion_matrix: list[list[int]] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, without what does not apply to the task; every estimate is ``[value, low, high]``."""
        return {k: as_json(v) for k, v in vars(self).items() if v is not None or k == "probabilities"}


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
) -> Metrics:
    """Measure a set of predictions.

    Args:
        labels: class numbers ``(N,)`` or findings ``(N, C)`` in 0, 1, NaN.
        probabilities: ``(N, C)``.
        threshold: of the positive class; figures are given at it and at 0.5.

    Raises:
        UserError: probabilities that are not numbers, or no film has a label of the positive class.
    """
    if not np.isfinite(probabilities).all():
        raise UserError("some probabilities are not numbers (NaN): the model cannot be measured")
    index = classes.index(positive)
    truth = positive_truth(labels, index)
    known = ~np.isnan(truth)
    several = task == "multilabel" or len(classes) > 2
    findings = labels if labels.ndim == 2 else np.eye(len(classes))[labels]
    there = [c for c in range(len(classes)) if task == "exclusive" or {0, 1} <= set(findings[:, c].tolist())]

    def against_the_rest(column: int, at: float) -> dict[str, Any]:
        return _one(findings[:, column], probabilities[:, column], patients, at, rounds, seed)

    each = {classes[c]: Figures(**against_the_rest(c, 0.5)) for c in there} if several else None
    accuracy = matrix = None
    if task == "exclusive" and several:
        called = probabilities.argmax(1)
        right = called == labels
        accuracy = bootstrap_by_patient(
            lambda rows: {"a": float(right[rows].mean())}, patients, rounds=rounds, seed=seed
        )["a"]
        matrix = confusion_matrix(labels, called, labels=range(len(classes))).tolist()
    return Metrics(
        films=len(labels),
        patients=len(np.unique(patients)),
        intervals=f"95 %, bootstrap of {rounds} rounds over patients, seed {seed}; Wilson's where no draw differs",
        positive=positive,
        operating_points={
            name: PointFigures(**against_the_rest(index, at), threshold=at)
            for name, at in (("0.5", 0.5), ("own", float(threshold)))
        },
        probabilities=of_probabilities(
            truth[known].astype(int), probabilities[known, index], patients[known], rounds=rounds, seed=seed
        ),
        loss=_loss(labels, probabilities, patients, rounds, seed),
        classes=each if task == "exclusive" else None,
        findings=each if task == "multilabel" else None,
        left_out=[name for c, name in enumerate(classes) if c not in there] if task == "multilabel" else None,
        macro=_macro(findings[:, there], probabilities[:, there], patients, rounds, seed) if several else None,
        accuracy=accuracy,
        confusion_matrix=matrix,
    )


def _loss(labels: Array, probabilities: Array, patients: Array, rounds: int, seed: int) -> Estimate:
    """Cross-entropy; of findings the binary one, over the labels that there are."""
    if labels.ndim == 1:
        each = -np.log(probabilities[np.arange(len(labels)), labels].clip(1e-7, 1))
    else:
        right = np.where(labels == 1, probabilities, 1 - probabilities)
        each = np.where(np.isnan(labels), np.nan, -np.log(right.clip(1e-7, 1)))

    def loss(rows: Array) -> dict[str, float]:
        drawn = each[rows]
        return {"loss": float(np.nanmean(drawn)) if np.isfinite(drawn).any() else float("nan")}

    return bootstrap_by_patient(loss, patients, rounds=rounds, seed=seed)["loss"]


def _macro(findings: Array, probabilities: Array, patients: Array, rounds: int, seed: int) -> dict[str, Estimate]:
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

    return bootstrap_by_patient(means, patients, rounds=rounds, seed=seed)


def _one(truth: Array, probability: Array, patients: Array, threshold: float, rounds: int, seed: int) -> dict[str, Any]:
    """The fields of :class:`Figures`, of a class against the rest; films without its label are left out."""
    known = ~np.isnan(truth)
    if not known.any():
        raise UserError("the reported finding has no label on any film; give films that have one")
    truth, probability, patients = truth[known].astype(int), probability[known], patients[known]
    called = probability >= threshold

    def figures(rows: Array) -> Mapping[str, float]:
        found = binary_figures(truth[rows], probability[rows], called[rows])
        for prevalence in PREVALENCES:
            pair = predictive_values(found["recall"], found["specificity"], prevalence)
            found |= {f"{name} {prevalence}": value for name, value in zip(("ppv", "npv"), pair, strict=True)}
        return found

    found = bootstrap_by_patient(figures, patients, rounds=rounds, seed=seed)
    found = _never_certain(found, patients, truth == 1, called)
    by_patient = Wilson(sensitivity(truth, called, patients), specificity(truth, called, patients))
    counts = FILMS if np.isfinite(by_patient.sensitivity.value) else ()
    return {
        "films": len(truth),
        "left_out_without_label": int((~known).sum()),
        "confusion": Confusion.of(truth, called),
        "predictive_values": [PredictiveValues(p, found.pop(f"ppv {p}"), found.pop(f"npv {p}")) for p in PREVALENCES],
        "wilson": by_patient,
        "interval_widths": [IntervalWidth(n, interval_width(by_patient.sensitivity.value, n)) for n in counts],
        **found,
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
