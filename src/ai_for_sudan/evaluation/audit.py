"""Who is served worse: every figure by group, with what the numbers cannot say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from ai_for_sudan.statistics import (
    Estimate,
    Predictions,
    age_band,
    auroc_delong,
    bootstrap_by_patient,
    brier,
    delong_unpaired,
    ece,
    holm,
    interval_width,
    link,
    sensitivity,
    specificity,
)

COLUMNS = ("sex", "age", "view", "site", "device", "finding")
#: the column that names kinds of the disease, several of a film apart by ``|``: each kind's positive films are measured
#: against all negative ones, as a negative film is of no kind
KINDS = "finding"
#: a group with fewer films of a class cannot be distinguished from the others
SMALLEST = 20
#: a column whose link with the label is stronger than this (Cramer's V) confounds
CONFOUNDED = 0.1


def groups_of(column: str, values: list[str]) -> np.ndarray:
    """The group of each film: the value itself, age in bands of years; empty where it is not known."""
    return np.array([age_band(value) for value in values] if column == "age" else values)


@dataclass(frozen=True)
class GroupFigures:
    """A reader on some films.

    Attributes:
        auroc: DeLong's interval; NaN where a class has fewer than two films.
        sensitivity, specificity: Wilson's interval.
        brier, ece: by patient.
        note: why the figures say little, or nothing.
    """

    films: int
    positive: int
    auroc: Estimate
    sensitivity: Estimate
    specificity: Estimate
    brier: Estimate
    ece: Estimate
    note: str


@dataclass(frozen=True)
class Group(GroupFigures):
    """A reader on the films of one group of a column."""

    column: str
    group: str


@dataclass(frozen=True)
class GroupDifference:
    """A group against the rest.

    Attributes:
        figure: ``auroc`` (by DeLong's variances), ``sensitivity`` or ``specificity`` (Fisher's exact test).
        p_corrected: by Holm, over all differences of the audit.
    """

    column: str
    group: str
    figure: str
    difference: float
    p: float
    p_corrected: float = float("nan")


@dataclass(frozen=True)
class Confounding:
    """How far a column is linked with the label, and what is left of the AUROC inside its groups.

    Attributes:
        groups: their names (``group``), with how many films ``without`` and ``with`` the disease.
        confounds: the link is stronger than :data:`CONFOUNDED`.
        auroc_overall, auroc_within_groups: None where there are too few films.
    """

    column: str
    groups: list[dict[str, Any]]
    cramers_v: float
    confounds: bool
    auroc_overall: float | None
    auroc_within_groups: float | None


@dataclass(frozen=True)
class Audit:
    """Figures over all films and by group."""

    all: GroupFigures
    groups: list[Group]
    differences: list[GroupDifference]
    confounding: list[Confounding]


def audit(
    labels: np.ndarray,
    probability: np.ndarray,
    threshold: float,
    columns: dict[str, np.ndarray],
    patients: np.ndarray | None = None,
) -> Audit:
    """Measure a reader over all films and by group.

    Args:
        labels: 0 or 1 ``(N,)``.
        probability: of the positive class ``(N,)``.
        columns: name -> group of each film ``(N,)``, empty where it is not known.
        patients: whom each film is of ``(N,)``, for the intervals of Brier score and ECE (default: all of another).
    """
    patient_ids = np.arange(len(labels)) if patients is None else patients

    def figures(rows: np.ndarray) -> dict[str, Any]:
        return _figures(labels[rows], probability[rows], threshold, patient_ids[rows])

    rows, differences, confounding = [], [], []
    for name, groups in columns.items():
        for group, inside, outside in _members(name, groups, labels):
            rows.append(Group(**figures(inside), column=name, group=group))
            if outside.any():
                sides = [Predictions(labels[films], probability[films]) for films in (inside, outside)]
                differences += _differences(name, group, sides[0], sides[1], threshold)
        if name != KINDS and len(np.unique(groups[groups != ""])) > 1:
            confounding.append(_confounding(name, groups, labels, probability))
    corrected = holm([difference.p for difference in differences])
    return Audit(
        all=GroupFigures(**figures(np.ones(len(labels), bool))),
        groups=rows,
        differences=[replace(d, p_corrected=p) for d, p in zip(differences, corrected, strict=True)],
        confounding=confounding,
    )


def _members(name: str, groups: np.ndarray, labels: np.ndarray) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Each group of a column with its films and those that it is compared with, bool ``(N,)``."""
    if name != KINDS:
        return [(str(g), groups == g, (groups != g) & (groups != "")) for g in np.unique(groups) if g]
    kinds = [{kind.strip() for kind in text.split("|")} - {""} for text in groups]
    positive = labels == 1
    found = []
    for kind in sorted(set().union(*(one for one, is_positive in zip(kinds, positive, strict=True) if is_positive))):
        of = np.array([kind in one for one in kinds])
        # Negative films are on one side only: the kinds are compared in what is found of the positive ones.
        found.append((kind, (of & positive) | ~positive, ~of & positive & (groups != "")))
    return found


def _figures(labels: np.ndarray, probability: np.ndarray, threshold: float, patient_ids: np.ndarray) -> dict[str, Any]:
    """The fields of :class:`GroupFigures`."""
    called = probability >= threshold
    positive, negative = int((labels == 1).sum()), int((labels == 0).sum())
    smallest = min(positive, negative)
    note = ""
    if smallest < SMALLEST:
        wide = interval_width(0.9, max(smallest, 1))
        note = f"too few to say: {smallest} films of one class (an interval of a share is {wide:.0%} wide)"

    def errors(rows: np.ndarray) -> dict[str, float]:
        return {"brier": brier(labels[rows], probability[rows]), "ece": ece(labels[rows], probability[rows])}

    return {
        "films": len(labels),
        "positive": positive,
        "auroc": auroc_delong(labels, probability) if smallest > 1 else Estimate(np.nan, np.nan, np.nan),
        "sensitivity": sensitivity(labels, called),
        "specificity": specificity(labels, called),
        **bootstrap_by_patient(errors, patient_ids, rounds=300),
        "note": note,
    }


def _differences(
    column: str, group: str, inside: Predictions, outside: Predictions, threshold: float
) -> list[GroupDifference]:
    found = []
    sides = (inside, outside)
    if all(min(len(side.positives), len(side.negatives)) >= SMALLEST for side in sides):
        area = delong_unpaired(inside, outside)
        found.append(GroupDifference(column, group, "auroc", area.estimate.value, area.p_value))
    for figure, label in (("sensitivity", 1), ("specificity", 0)):
        table = []
        for side in sides:
            right = (side.probabilities[side.labels == label] >= threshold) == bool(label)
            table.append([int(right.sum()), int((~right).sum())])
        if min(sum(row) for row in table) < SMALLEST:
            continue
        shares = [row[0] / sum(row) for row in table]
        p = float(stats.fisher_exact(table).pvalue)
        found.append(GroupDifference(column, group, figure, shares[0] - shares[1], p))
    return found


def _confounding(name: str, groups: np.ndarray, labels: np.ndarray, probability: np.ndarray) -> Confounding:
    known = groups != ""
    found = link(labels[known], groups[known])
    inside, weights = [], []
    for group in found.groups:
        y, p = labels[groups == group], probability[groups == group]
        if min((y == 1).sum(), (y == 0).sum()) >= 5:
            inside.append(auroc_delong(y, p).value)
            weights.append((y == 1).sum() * (y == 0).sum())
    overall = auroc_delong(labels[known], probability[known]).value if len(np.unique(labels[known])) > 1 else None
    return Confounding(
        column=name,
        groups=[
            {"group": group, "without": int(counts[0]), "with": int(counts[1])}
            for group, counts in zip(found.groups, found.counts, strict=True)
        ],
        cramers_v=found.cramers_v,
        confounds=found.cramers_v > CONFOUNDED,
        auroc_overall=overall,
        auroc_within_groups=float(np.average(inside, weights=weights)) if inside else None,
    )
