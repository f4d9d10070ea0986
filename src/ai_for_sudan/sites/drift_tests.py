"""Do the films of a week differ from the baseline: refusals, scores, embeddings?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from scipy import stats

from ai_for_sudan.sites.baseline import Baseline, refusals_of, scores_of
from ai_for_sudan.sites.log import Entry

#: Each week is tested alone, for what is sudden, and with the weeks before it, for what is slow.
WINDOWS = (1, 8)
TESTS = ("refusals", "scores", "embeddings")
#: Fewer films in a window are not tested.
FEWEST = 10


def tests_of(
    weeks: dict[date, list[Entry]], tested: Sequence[date], week: date, baseline: Baseline, level: float
) -> list[dict[str, Any]]:
    """Return every test of a week in each window: its name, the weeks pooled, ``p``, and whether it is an alarm."""
    found = []
    for window in WINDOWS:
        inside = [w for w in tested if week - timedelta(weeks=window) < w <= week]
        entries = [entry for w in inside for entry in weeks[w]]
        if window > 1 and len(inside) < 2:
            continue  # it would be the same test again
        for name, p in _p_values(entries, baseline).items():
            found.append({"test": name, "weeks": window, "p": p, "alarm": bool(p < level)})
    return found


def _p_values(entries: Sequence[Entry], baseline: Baseline) -> dict[str, float]:
    values = {}
    refused, decoded = refusals_of(entries)
    if baseline.refusals and decoded >= FEWEST:
        before = baseline.refusals
        table = [[refused, decoded - refused], [before[0], before[1] - before[0]]]
        values["refusals"] = float(stats.fisher_exact(table).pvalue)
    scores = scores_of(entries)
    if baseline.scores is not None and len(scores) >= FEWEST:
        values["scores"] = float(stats.ks_2samp(baseline.scores, scores).pvalue)
    if baseline.distance is not None and baseline.distances is not None:
        distances = baseline.distance(entries)
        if len(distances) >= FEWEST:
            values["embeddings"] = float(stats.ks_2samp(baseline.distances, distances).pvalue)
    return values
