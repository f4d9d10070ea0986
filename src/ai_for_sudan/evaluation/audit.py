"""Who is served worse: every figure by group, with what the numbers cannot say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ai_for_sudan.statistics import (
    Estimate,
    Resamples,
    age_band,
    auroc_delong,
    holm,
    interval_width,
    link,
    p_of_areas,
    p_of_shares,
    percentile_interval,
    quick_auroc,
    sensitivity,
    smallest_class,
    specificity,
)

COLUMNS = ("sex", "age", "view", "site", "device", "finding")
#: the column that names kinds of the disease, several of a film apart by ``|``: each kind's positive films are measured
#: against all negative ones, as a negative film is of no kind
KINDS = "finding"
#: a group with fewer patients of a class cannot be told from the others
SMALLEST = 20
#: a column whose link with the label is stronger than this (Cramer's V) confounds
CONFOUNDED = 0.1


def groups_of(column: str, values: list[str]) -> np.ndarray:
    """The group of each film: the value itself, age in bands of years; empty where it is not known."""
    return np.array([age_band(value) for value in values] if column == "age" else values)


@dataclass(frozen=True)
class GroupFigures:
    """A reader on some films; every interval is by patient.

    Attributes:
        auroc: NaN where a class has fewer than two patients.
        brier, ece: without bounds (NaN) where patients are too few for an interval.
        note: why the figures say little, or nothing.
    """

    films: int
    positive: int
    patients: int
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
    """A group against the rest; of two groups there is one difference, not two.

    Attributes:
        against: the other group, or ``the rest``.
        figure: ``auroc``, ``sensitivity`` or ``specificity``.
        difference: of the group less the rest.
        p: by patient (:func:`ai_for_sudan.statistics.p_of_areas`, :func:`ai_for_sudan.statistics.p_of_shares`).
        p_corrected: by Holm, over all distinct comparisons of the audit.
    """

    column: str
    group: str
    against: str
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
        patients: whom each film is of ``(N,)`` (default: all of another).
    """
    films = _Films(labels, probability, threshold, np.arange(len(labels)) if patients is None else patients)
    rows: list[Group] = []
    found: list[GroupDifference] = []
    #: the films of both sides, in either order -> the number of this comparison
    distinct: dict[frozenset[bytes], int] = {}
    numbers: list[int] = []
    for name, groups in columns.items():
        members = _members(name, groups, labels)
        rows += [Group(**films.figures(one.inside), column=name, group=one.group) for one in members]
        for one in members[1:] if len(members) == 2 and name != KINDS else members:
            same = distinct.setdefault(frozenset((one.inside.tobytes(), one.outside.tobytes())), len(distinct))
            differences = films.differences(name, one)
            found += differences
            numbers += [same] * len(differences)
    return Audit(
        all=GroupFigures(**films.figures(np.ones(len(labels), bool))),
        groups=rows,
        differences=_corrected(found, numbers),
        confounding=[
            films.confounding(name, groups)
            for name, groups in columns.items()
            if name != KINDS and len(np.unique(groups[groups != ""])) > 1
        ],
    )


def _corrected(found: list[GroupDifference], numbers: list[int]) -> list[GroupDifference]:
    """With p-values by Holm; a comparison that stands under two names (site and device) counts once."""
    keys = [(number, one.figure) for number, one in zip(numbers, found, strict=True)]
    p_values = dict(zip(keys, (one.p for one in found), strict=True))
    corrected = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    return [replace(one, p_corrected=corrected[key]) for one, key in zip(found, keys, strict=True)]


@dataclass(frozen=True)
class _Member:
    """A group, its films and those that it is compared with, bool ``(N,)``."""

    group: str
    against: str
    inside: np.ndarray
    outside: np.ndarray


def _members(name: str, groups: np.ndarray, labels: np.ndarray) -> list[_Member]:
    """The groups of a column."""
    names = [str(group) for group in np.unique(groups) if group]
    if name != KINDS:
        others = dict(zip(names, reversed(names), strict=True)) if len(names) == 2 else {}
        return [
            _Member(group, others.get(group, "the rest"), groups == group, (groups != group) & (groups != ""))
            for group in names
        ]
    kinds = [{kind.strip() for kind in text.split("|")} - {""} for text in groups]
    positive = labels == 1
    found = []
    for kind in sorted(set().union(*(one for one, is_positive in zip(kinds, positive, strict=True) if is_positive))):
        of = np.array([kind in one for one in kinds])
        # Negative films are on one side only: the kinds are compared in what is found of the positive ones.
        others_of = ~of & positive & (groups != "")
        found.append(_Member(kind, "the other positive films", (of & positive) | ~positive, others_of))
    return found


@dataclass(frozen=True)
class _Films:
    """What was said of films whose truth is known, ``(N,)`` each."""

    labels: np.ndarray
    probability: np.ndarray
    threshold: float
    patients: np.ndarray

    def figures(self, rows: np.ndarray) -> dict[str, Any]:
        """The fields of :class:`GroupFigures`, of the films ``rows`` (bool)."""
        labels, probability, patients = self.labels[rows], self.probability[rows], self.patients[rows]
        called = probability >= self.threshold
        smallest = smallest_class(labels, patients)
        note = ""
        if smallest < SMALLEST:
            wide = interval_width(0.9, max(smallest, 1))
            note = f"cannot be told: {smallest} patients of one class (an interval of a share is {wide:.0%} wide)"
        resamples = Resamples.of(labels, patients, count=300)
        return {
            "films": len(labels),
            "positive": int((labels == 1).sum()),
            "patients": len(np.unique(patients)),
            "auroc": auroc_delong(labels, probability, patients) if smallest > 1 else _UNKNOWN,
            "sensitivity": sensitivity(labels, called, patients),
            "specificity": specificity(labels, called, patients),
            "brier": _told(percentile_interval(resamples.brier(probability))),
            "ece": _told(percentile_interval(resamples.ece(probability), biased=True)),
            "note": note,
        }

    def differences(self, column: str, one: _Member) -> list[GroupDifference]:
        """The group against the rest, in every figure for which both have enough patients."""
        found = []
        sides = (one.inside, one.outside)

        def found_of(figure: str, values: list[float], p: float) -> GroupDifference:
            return GroupDifference(column, one.group, one.against, figure, values[0] - values[1], p)

        if all(smallest_class(self.labels[side], self.patients[side]) >= SMALLEST for side in sides):
            areas = [quick_auroc(self.labels[side], self.probability[side]) for side in sides]
            p = p_of_areas(self.labels, self.probability, self.patients, *sides)
            found.append(found_of("auroc", areas, p))
        for figure, label in (("sensitivity", 1), ("specificity", 0)):
            films = [side & (self.labels == label) for side in sides]
            if min(len(np.unique(self.patients[side])) for side in films) < SMALLEST:
                continue
            right = (self.probability >= self.threshold) == bool(label)
            shares = [float(right[side].mean()) for side in films]
            found.append(found_of(figure, shares, p_of_shares(right, self.patients, *films)))
        return found

    def confounding(self, name: str, groups: np.ndarray) -> Confounding:
        """How far the column is linked with the label."""
        known = groups != ""
        found = link(self.labels[known], groups[known], self.patients[known])
        inside, weights = [], []
        for group in found.groups:
            y, p = self.labels[groups == group], self.probability[groups == group]
            if min((y == 1).sum(), (y == 0).sum()) >= 5:
                inside.append(quick_auroc(y, p))
                weights.append((y == 1).sum() * (y == 0).sum())
        overall = quick_auroc(self.labels[known], self.probability[known])
        return Confounding(
            column=name,
            groups=[
                {"group": group, "without": int(counts[0]), "with": int(counts[1])}
                for group, counts in zip(found.groups, found.counts, strict=True)
            ],
            cramers_v=found.cramers_v,
            confounds=found.cramers_v > CONFOUNDED,
            auroc_overall=overall if np.isfinite(overall) else None,
            auroc_within_groups=float(np.average(inside, weights=weights)) if inside else None,
        )


_UNKNOWN = Estimate(float("nan"), float("nan"), float("nan"))


def _told(found: Estimate) -> Estimate:
    """Without bounds where every draw of patients gives the same: one patient tells nothing of others."""
    return found if found.low < found.high else Estimate(found.value, float("nan"), float("nan"))
