"""Columns that have nothing to do with the lungs but may be linked with the label: view, sex, age, device, site."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ai_for_sudan.statistics import Resamples, age_band, link, percentile_interval, quick_auroc

COLUMNS = ("view", "sex", "age", "device", "site")
#: The name under which :func:`acquisition_score` stands beside the columns.
ACQUISITION = "acquisition score"
#: Levels with fewer films are put together.
_FEWEST = 10
#: Below this p-value a column counts as linked with the label.
_LINKED = 0.05


def levels(facts: Sequence[dict[str, str]], column: str) -> np.ndarray | None:
    """The level of each film, str ``(N,)``; None where the column says nothing: absent, or one level only."""
    values = [_level(column, film.get(column, "")) for film in facts]
    counts = Counter(values)
    values = [value if counts[value] >= _FEWEST else "other" for value in values]
    return np.array(values) if len(set(values)) > 1 else None


def acquisition_score(pictures: np.ndarray, label: np.ndarray, patients: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Films that look alike, str ``(N,)``: fifths of what grey levels and sharpness alone say of the label.

    A logistic regression on :data:`ai_for_sudan.contract.reference.PICTURE` (``(N, 6)``), each film scored by one that
    was fitted without its patient. Where it predicts the label well, so can a head that never looks at the lungs:
    another scanner, exposure or export of the positive films.
    """
    model = make_pipeline(StandardScaler(), LogisticRegression())
    fewest = min(len(np.unique(patients[label == value])) for value in (0, 1))
    folds = StratifiedGroupKFold(max(2, min(5, fewest)), shuffle=True, random_state=seed)
    scores = cross_val_predict(model, pictures, label, groups=patients, cv=folds, method="decision_function")
    fifths = np.searchsorted(np.quantile(scores, [0.2, 0.4, 0.6, 0.8]), scores)
    return np.array([f"fifth {number + 1}" for number in fifths])


def linked(label: np.ndarray, level: np.ndarray, patients: np.ndarray | None = None) -> dict[str, Any]:
    """Return how strongly a column and the label go together; by patient, where ``patients`` ``(N,)`` are given.

    Returns:
        ``p`` of the chi-squared test, ``cramers_v``, ``auroc_alone`` (of the share of positives of each level, as if
        the column were a reader), ``linked``, and for each level the films and the positive share.
    """
    found = link(label, level, patients)
    shares = found.counts[:, 1] / found.counts.sum(1)
    return {
        "p": found.p_value,
        "cramers_v": found.cramers_v,
        "auroc_alone": quick_auroc(label, shares[np.searchsorted(found.groups, level)]),
        "linked": found.p_value < _LINKED,
        "levels": {
            name: {"films": int(counts.sum()), "positive": float(share)}
            for name, counts, share in zip(found.groups, found.counts, shares, strict=True)
        },
    }


def balancing_weights(label: np.ndarray, columns: Sequence[np.ndarray]) -> np.ndarray:
    """Weights ``(N,)`` under which no column predicts the label: raking, capped at 5 so that no film rules the fit.

    A head fitted with them gains nothing by learning, say, the view instead of the lungs.
    """
    weights = np.ones(len(label))
    for _ in range(20):
        for level in columns:
            for name in np.unique(level):
                for value in (0, 1):
                    cell = (level == name) & (label == value)
                    if cell.any():
                        expected = (level == name).sum() * (label == value).mean()
                        weights[cell] *= expected / weights[cell].sum()
    return np.clip(weights, 0.2, 5.0)


def within(
    resamples: Resamples, old: np.ndarray, new: np.ndarray, level: np.ndarray, folds: np.ndarray
) -> dict[str, Any]:
    """Return the AUROC before and after in each level, and over all pairs inside a level.

    Args:
        folds: only films of the same fold are compared, as each fold has scores of its own, str ``(N,)``.
    """

    def figures(part: Resamples, rows: np.ndarray, strata: np.ndarray) -> dict[str, Any]:
        before, after = part.auroc(old[rows], strata[rows]), part.auroc(new[rows], strata[rows])
        return {
            "before": [*percentile_interval(before)],
            "after": [*percentile_interval(after)],
            "gain": [*percentile_interval(after - before)],
        }

    found = {**figures(resamples, np.ones(len(level), bool), np.char.add(level, folds)), "levels": {}}
    for name in np.unique(level):
        inside = level == name
        part = Resamples(resamples.counts[:, inside], resamples.labels[inside])
        counts = {"films": int(inside.sum()), "positive": int(part.labels.sum())}
        found["levels"][str(name)] = {**counts, **figures(part, inside, folds)}
    return found


def _level(column: str, value: str) -> str:
    value = value.strip()
    if column != "age" or not value:
        return value.upper() if column in ("view", "sex") and value else value or "not given"
    return age_band(value) or "not given"
