"""Who is served worse: every figure by group, with what the numbers cannot say."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from ai_for_sudan.statistics import (
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


def audit(
    labels: np.ndarray,
    probability: np.ndarray,
    threshold: float,
    columns: dict[str, np.ndarray],
    patients: np.ndarray | None = None,
) -> dict[str, Any]:
    """Figures over all films and by group.

    Args:
        labels: 0 or 1 ``(N,)``.
        probability: of the positive class ``(N,)``.
        columns: name -> group of each film ``(N,)``, empty where it is not known.
        patients: whom each film is of ``(N,)``, for the intervals of Brier score and ECE (default: all of another).

    Returns:
        ``all``, ``groups`` (rows), ``differences`` (each group against the rest, p-values corrected by Holm over all
        of them), and ``confounding`` (for each column its link with the label, and the AUROC within groups).
    """
    patient_ids = np.arange(len(labels)) if patients is None else patients

    def figures(rows: np.ndarray) -> dict[str, Any]:
        return _figures(labels[rows], probability[rows], threshold, patient_ids[rows])

    rows, differences, confounding = [], [], []
    for name, groups in columns.items():
        for group, inside, outside in _members(name, groups, labels):
            rows.append({"column": name, "group": group, **figures(inside)})
            if outside.any():
                differences += _differences(name, group, labels, probability, threshold, inside, outside)
        if name != KINDS and len(np.unique(groups[groups != ""])) > 1:
            confounding.append(_confounding(name, groups, labels, probability))
    for difference, corrected in zip(differences, holm([d["p"] for d in differences]), strict=True):
        difference["p_corrected"] = corrected
    return {
        "all": figures(np.ones(len(labels), bool)),
        "groups": rows,
        "differences": differences,
        "confounding": confounding,
    }


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
    called = probability >= threshold
    positive, negative = int((labels == 1).sum()), int((labels == 0).sum())
    both = positive > 1 and negative > 1
    smallest = min(positive, negative)
    note = ""
    if smallest < SMALLEST:
        wide = interval_width(0.9, max(smallest, 1))
        note = f"too few to say: {smallest} films of one class (an interval of a share is {wide:.0%} wide)"

    def errors(rows: np.ndarray) -> dict[str, float]:
        return {"brier": brier(labels[rows], probability[rows]), "ece": ece(labels[rows], probability[rows])}

    bootstrapped = bootstrap_by_patient(errors, patient_ids, rounds=300)
    return {
        "films": len(labels),
        "positive": positive,
        "auroc": auroc_delong(labels, probability).to_list() if both else [None, None, None],
        "sensitivity": sensitivity(labels, called).to_list(),
        "specificity": specificity(labels, called).to_list(),
        "brier": bootstrapped["brier"].to_list(),
        "ece": bootstrapped["ece"].to_list(),
        "note": note,
    }


def _differences(
    column: str,
    group: str,
    labels: np.ndarray,
    probability: np.ndarray,
    threshold: float,
    inside: np.ndarray,
    outside: np.ndarray,
) -> list[dict[str, Any]]:
    """A group against the rest: AUROC by DeLong's variances, sensitivity and specificity by Fisher's exact test."""
    found = []
    parts = [(labels[rows], probability[rows]) for rows in (inside, outside)]
    if all(min((y == 1).sum(), (y == 0).sum()) >= SMALLEST for y, _ in parts):
        area = delong_unpaired(*parts[0], *parts[1])
        found.append(
            {
                "column": column,
                "group": group,
                "figure": "auroc",
                "difference": area.estimate.value,
                "p": area.p_value,
            }
        )
    for figure, label in (("sensitivity", 1), ("specificity", 0)):
        table = []
        for y, p_ in parts:
            right = (p_[y == label] >= threshold) == bool(label)
            table.append([int(right.sum()), int((~right).sum())])
        if min(sum(row) for row in table) < SMALLEST:
            continue
        shares = [row[0] / sum(row) for row in table]
        found.append(
            {
                "column": column,
                "group": group,
                "figure": figure,
                "difference": shares[0] - shares[1],
                "p": float(stats.fisher_exact(table).pvalue),
            }
        )
    return found


def _confounding(name: str, groups: np.ndarray, labels: np.ndarray, probability: np.ndarray) -> dict[str, Any]:
    """How far a column is linked with the label, and what is left of the AUROC inside its groups."""
    known = groups != ""
    found = link(labels[known], groups[known])
    inside, weights = [], []
    for group in found.groups:
        y, p = labels[groups == group], probability[groups == group]
        if min((y == 1).sum(), (y == 0).sum()) >= 5:
            inside.append(auroc_delong(y, p).value)
            weights.append((y == 1).sum() * (y == 0).sum())
    overall = auroc_delong(labels[known], probability[known]).value if len(np.unique(labels[known])) > 1 else None
    within = float(np.average(inside, weights=weights)) if inside else None
    return {
        "column": name,
        "groups": [
            {"group": group, "without": int(counts[0]), "with": int(counts[1])}
            for group, counts in zip(found.groups, found.counts, strict=True)
        ],
        "cramers_v": found.cramers_v,
        "confounds": found.cramers_v > CONFOUNDED,
        "auroc_overall": overall,
        "auroc_within_groups": within,
    }
