"""What so many labels buy: heads fitted on a draw of patients, measured on all others."""

from __future__ import annotations

from typing import Any

import numpy as np

from ai_for_sudan.sites.head import Rows, fit_chosen_head
from ai_for_sudan.sites.labelled import Judge
from ai_for_sudan.statistics import Resamples

#: labelled films of a draw
COUNTS = (40, 100, 200)


def learning_curve(judge: Judge, repeats: int) -> list[dict[str, Any]]:
    """AUROC before and after, over all films and within each column, for each of :data:`COUNTS`.

    Args:
        repeats: draws of each count.
    """
    rows, rng = judge.rows, np.random.default_rng(judge.seed)
    curve = []
    for count in COUNTS:
        if count > 0.75 * len(rows):
            continue
        judge.say(f"learning curve: {repeats} draws of {count} labelled films")
        found: dict[str, list[list[float]]] = {}
        for _ in range(repeats):
            index, others = draw_films(rows, count, rng)
            if index is None or others is None:
                continue
            fitted = judge.with_source(judge.balanced(rows.take(index), index))
            head = fit_chosen_head(fitted, repeats=1, seed=judge.seed)
            rest = rows.take(others)
            whole = Resamples(np.ones((1, len(rest))), rest.labels)
            new, old = head.scores(rest), rest.scores
            for name, level in [("all films", None), *judge.levels.items()]:
                strata = None if level is None else level[others]
                pair = [float(whole.auroc(old, strata)[0]), float(whole.auroc(new, strata)[0])]
                found.setdefault(name, []).append(pair)
        if found:
            curve.append(
                {
                    "labels": count,
                    "draws": len(found["all films"]),
                    "auroc": {name: summary(pairs) for name, pairs in found.items()},
                }
            )
    return curve


def draw_films(rows: Rows, count: int, rng: np.random.Generator) -> tuple[np.ndarray | None, np.ndarray | None]:
    """About ``count`` films of whole patients, and all other films; None where a class has too few patients."""
    people = rng.permutation(np.unique(rows.patients))
    sizes = np.array([(rows.patients == person).sum() for person in people])
    chosen = np.isin(rows.patients, people[: int(np.searchsorted(np.cumsum(sizes), count)) + 1])
    for side in (chosen, ~chosen):
        if min(len(np.unique(rows.patients[side & (rows.labels == label)])) for label in (0, 1)) < 3:
            return None, None
    return np.flatnonzero(chosen), np.flatnonzero(~chosen)


def summary(pairs: list[list[float]]) -> dict[str, list[float]]:
    """Mean and the central 95 % of the draws, of before, after and the difference."""
    before, after = np.array(pairs).T
    return {
        name: [float(np.nanmean(v)), *(float(q) for q in np.nanquantile(v, [0.025, 0.975]))]
        for name, v in (("before", before), ("after", after), ("gain", after - before))
    }
