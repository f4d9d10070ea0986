"""A reader watched over time at one site: weekly counts, drift, and agreement with the clinicians.

The chance of any false alarm within a year is at most what was asked for: it is divided (Bonferroni) over all tests of
52 weeks, and the agreement with clinicians is followed by a confidence sequence, which holds at all times at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from scipy import stats
from scipy.optimize import brentq
from scipy.special import betaln
from sklearn.covariance import LedoitWolf

from ai_for_sudan.contract.reference import Reference, sketch, standardised
from ai_for_sudan.errors import UserError
from ai_for_sudan.reading import STATUSES
from ai_for_sudan.sites.log import Entry, LeftOut
from ai_for_sudan.statistics import wilson

#: Each week is tested alone, for what is sudden, and with the weeks before it, for what is slow.
WINDOWS = (1, 8)
TESTS = ("refusals", "scores", "embeddings")
WEEKS_A_YEAR = 52
#: Fewer films in a window, or in the baseline, are not tested.
FEWEST, FEWEST_IN_BASELINE = 10, 40
#: Weeks without a reading, before which so few readings as no baseline holds are stray dates and no beginning.
LONGEST_GAP = 13


@dataclass(frozen=True)
class Baseline:
    """What the weeks are compared with.

    Attributes:
        text: where it comes from.
        refusals: refused films and all that were decoded; None where it is not known.
        scores: log-odds, ``(n,)``.
        distances: of films that the measure of distance was not fitted on, ``(n,)``; None without embeddings.
        distance: embeddings ``(N, D)`` -> ``(N,)``.
    """

    text: str
    refusals: tuple[int, int] | None
    scores: np.ndarray
    distances: np.ndarray | None
    distance: _Distance | None


@dataclass(frozen=True)
class _Distance:
    """Mahalanobis distance of the sketch of an embedding (Mahalanobis 1936), with a shrunk covariance."""

    mean: np.ndarray
    std: np.ndarray
    covariance: LedoitWolf

    def __call__(self, embeddings: np.ndarray) -> np.ndarray:
        return self.of_sketches(sketch(standardised(embeddings, self.mean, self.std)))

    def of_sketches(self, sketches: np.ndarray) -> np.ndarray:
        return np.sqrt(self.covariance.mahalanobis(sketches))


def monitor(
    entries: Sequence[Entry],
    *,
    baseline_weeks: int = 4,
    reference: Reference | None = None,
    false_alarms: float = 0.05,
    agreement: float = 0.8,
    reader: str | None = None,
) -> dict[str, Any]:
    """Follow one reader through the weeks.

    Args:
        entries: by date (:func:`ai_for_sudan.sites.log.read_log`).
        baseline_weeks: the first weeks of the site, which the later ones are compared with; more of them where these
            hold too few films.
        reference: the reader's own films instead, from its card.
        false_alarms: the chance of any false alarm within a year that is accepted, over all tests together.
        agreement: an alarm is raised when the clinicians' agreement is proven to be below this share.
        reader: name and version; the one of the last entry if not given.

    Returns:
        JSON-ready: ``weeks`` with counts and tests, ``alarms``, ``newest_tested`` (the newest week with enough films
        to be compared, None where nothing was), ``alarm`` (whether that week or the agreement raises one),
        ``agreement``, ``accuracy``, ``notes``, ``left_out`` (lines with stray dates).

    Raises:
        UserError: the options are impossible, or no entry is of this reader.
    """
    if not 0 < false_alarms < 1 or not 0 < agreement < 1:
        raise UserError("the rate of false alarms and the agreement must lie between 0 and 1")
    if baseline_weeks < 1:
        raise UserError(f"{baseline_weeks} weeks are too few for a baseline; give 1 or more")
    chosen = reader or entries[-1].reader
    followed = [entry for entry in entries if entry.reader == chosen]
    if not followed:
        raise UserError(
            f"there is no reading by the reader '{chosen}'; there are: {', '.join(sorted({e.reader for e in entries}))}"
        )
    others = Counter(entry.reader for entry in entries if entry.reader != chosen)
    notes = [f"{count} readings of {name or 'a reader without a name'} are left out." for name, count in others.items()]
    followed, left_out = _without_stray_dates(followed)
    weeks = _by_week(followed)
    first = _first_weeks(weeks, baseline_weeks)
    baseline, more = _baseline(followed, first, reference)
    notes += more
    tested = [] if baseline is None else [week for week in weeks if reference is not None or week not in first]
    # One share of the accepted rate for each kind of weekly test in each window, and one for the agreement.
    level = false_alarms / (len(TESTS) * len(WINDOWS) + 1)
    rows, alarms = [], []
    for week, inside in weeks.items():
        row: dict[str, Any] = {"week": week.isoformat(), "baseline": week not in tested, **_counts(inside), "tests": []}
        if week in tested and baseline is not None:
            row["tests"] = _tests(weeks, tested, week, baseline, level / WEEKS_A_YEAR)
        if baseline is not None and baseline.distance is not None:
            row["distance"] = _median(_distances(inside, baseline.distance))
        alarms += [{"week": row["week"], **test} for test in row["tests"] if test["alarm"]]
        rows.append(row)
    agreed = _agreement(followed, agreement, level)
    # A week that has barely begun says nothing yet: it does not silence the week before it.
    newest = next((row["week"] for row in reversed(rows) if any(test["weeks"] == 1 for test in row["tests"])), None)
    return {
        "reader": chosen,
        "readings": len(followed),
        "baseline": baseline.text if baseline else None,
        "false_alarms_a_year": false_alarms,
        "level_of_each_test": level / WEEKS_A_YEAR,
        "weeks": rows,
        "alarms": alarms,
        "agreement": agreed,
        "accuracy": _accuracy(followed, level),
        "newest_tested": newest,
        "alarm": bool(agreed["alarm"] or (newest and alarms and alarms[-1]["week"] >= newest)),
        "notes": notes,
        "left_out": [{"line": one.line, "reason": one.reason} for one in left_out],
    }


def in_words(result: dict[str, Any]) -> str:
    """What :func:`monitor` found, in a few sentences; never "no alarm" of what was not compared."""
    newest = result["newest_tested"]
    found = []
    now = sorted({alarm["test"] for alarm in result["alarms"] if newest and alarm["week"] >= newest})
    if now:
        found.append(f"ALARM: in the week from {newest} the {' and '.join(now)} differ from the baseline.")
    if result["agreement"]["alarm"]:
        found.append(f"ALARM: clinicians agree with fewer than {result['agreement']['wanted']:.0%} of the readings.")
    earlier = len({alarm["week"] for alarm in result["alarms"] if newest and alarm["week"] < newest})
    if earlier:
        found.append(f"{earlier} earlier week{'s' if earlier > 1 else ''} raised an alarm.")
    if newest is None:
        found.append(
            "Nothing has been compared yet, so this does not show whether all is well: no week after the "
            f"baseline holds {FEWEST} films."
        )
    elif not now and not result["agreement"]["alarm"]:
        found.append(f"No alarm up to the week from {newest}.")
    return " ".join(found)


def confidence_sequence(successes: int, total: int, level: float) -> tuple[float, float]:
    """An interval for a share that may be looked at after every film: the chance that it ever leaves the true share
    out is at most ``level`` (Robbins 1970; uniform mixture, by Ville's inequality).
    """
    if total == 0:
        return 0.0, 1.0
    mixture = betaln(1 + successes, 1 + total - successes)

    def excess(share: float) -> float:
        likelihood = successes * np.log(share) + (total - successes) * np.log1p(-share)
        return float(mixture - likelihood + np.log(level))

    centre, edge = min(max(successes / total, 1e-9), 1 - 1e-9), 1e-12
    low = brentq(excess, edge, centre) if successes and excess(edge) > 0 > excess(centre) else 0.0
    high = brentq(excess, centre, 1 - edge) if successes < total and excess(1 - edge) > 0 > excess(centre) else 1.0
    return float(low), float(high)


def _without_stray_dates(entries: Sequence[Entry]) -> tuple[list[Entry], list[LeftOut]]:
    """Drop what lies long before all else: a few films with wrong or hidden dates are not a site's beginning."""
    begin = 0
    for place in range(1, len(entries)):
        gap = entries[place].week - entries[place - 1].week
        if gap > timedelta(weeks=LONGEST_GAP) and place - begin < FEWEST_IN_BASELINE:
            begin = place
    stray = [
        LeftOut(e.line, f"in the week of {e.week}, {LONGEST_GAP} or more weeks before the other readings")
        for e in entries[:begin]
    ]
    return list(entries[begin:]), stray


def _first_weeks(weeks: dict[date, list[Entry]], wanted: int) -> list[date]:
    """The first weeks of a site: as many as wanted, and so many that they hold a baseline."""
    chosen: list[date] = []
    films = 0
    for week, inside in weeks.items():
        if len(chosen) >= wanted and films >= FEWEST_IN_BASELINE:
            break
        chosen.append(week)
        films += len(_scores(inside))
    return chosen


def _by_week(entries: Sequence[Entry]) -> dict[date, list[Entry]]:
    weeks: dict[date, list[Entry]] = {}
    for entry in entries:
        weeks.setdefault(entry.week, []).append(entry)
    return weeks


def _baseline(
    entries: Sequence[Entry], first: Sequence[date], reference: Reference | None
) -> tuple[Baseline | None, list[str]]:
    if reference is not None:
        distance = _fitted(reference.sketches[::2], reference.mean, reference.std)
        distances = distance.of_sketches(reference.sketches[1::2])
        text = "the reader's own films, as summarised in its card"
        return Baseline(text, None, reference.scores, distances, distance), []
    inside = [entry for entry in entries if entry.week in first]
    scores = _scores(inside)
    text = f"{len(inside)} readings of the weeks from {first[0]} to {first[-1] + timedelta(days=6)}"
    if len(scores) < FEWEST_IN_BASELINE:
        return None, [
            f"Nothing is compared yet: the baseline ({text}) holds {len(scores)} films that were read; "
            f"{FEWEST_IN_BASELINE} are needed."
        ]
    refusals = _refusals(inside)
    embeddings = _embeddings(inside)
    if len(embeddings) < FEWEST_IN_BASELINE:
        note = (
            "Drift of the embeddings is not tested: too few readings of the baseline have one (read --log writes them)."
        )
        return Baseline(text, refusals, scores, None, None), [note]
    # Every other film: the distance is fitted on one half, and the other half shows how far films usually are.
    half = embeddings[::2]
    mean, std = half.mean(0), half.std(0)
    distance = _fitted(sketch(standardised(half, mean, std)), mean, std)
    return Baseline(text, refusals, scores, distance(embeddings[1::2]), distance), []


def _fitted(sketches: np.ndarray, mean: np.ndarray, std: np.ndarray) -> _Distance:
    return _Distance(mean, std, LedoitWolf().fit(sketches))


def _counts(entries: Sequence[Entry]) -> dict[str, Any]:
    counts = Counter(entry.status for entry in entries)
    scores = _scores(entries)
    return {
        "readings": len(entries),
        "statuses": {status: counts[status] for status in STATUSES},
        "refused": wilson(*_refusals(entries)).to_list(),
        "score_quartiles": np.quantile(scores, [0.25, 0.5, 0.75]).tolist() if len(scores) else None,
        "verdicts": dict(Counter(entry.verdict for entry in entries if entry.verdict)),
    }


def _tests(
    weeks: dict[date, list[Entry]], tested: Sequence[date], week: date, baseline: Baseline, level: float
) -> list[dict[str, Any]]:
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
    refused, decoded = _refusals(entries)
    if baseline.refusals and decoded >= FEWEST:
        before = baseline.refusals
        table = [[refused, decoded - refused], [before[0], before[1] - before[0]]]
        values["refusals"] = float(stats.fisher_exact(table).pvalue)
    scores = _scores(entries)
    if len(scores) >= FEWEST:
        values["scores"] = float(stats.ks_2samp(baseline.scores, scores).pvalue)
    if baseline.distance is not None and baseline.distances is not None:
        distances = _distances(entries, baseline.distance)
        if len(distances) >= FEWEST:
            values["embeddings"] = float(stats.ks_2samp(baseline.distances, distances).pvalue)
    return values


def _agreement(entries: Sequence[Entry], wanted: float, level: float) -> dict[str, Any]:
    verdicts = [entry for entry in entries if entry.verdict in ("agree", "disagree")]
    agreed = 0
    course: list[dict[str, Any]] = []
    for count, entry in enumerate(verdicts, start=1):
        agreed += entry.verdict == "agree"
        if count == len(verdicts) or verdicts[count].week != entry.week:
            low, high = confidence_sequence(agreed, count, level)
            course.append({"week": entry.week.isoformat(), "verdicts": count, "share": [agreed / count, low, high]})
    unsure = sum(entry.verdict == "unsure" for entry in entries)
    # The sequence holds at all times at once, so the lowest upper end of all weeks may be used.
    ceiling = min((point["share"][2] for point in course), default=1.0)
    return {
        "wanted": wanted,
        "verdicts": len(verdicts),
        "unsure": unsure,
        "course": course,
        "alarm": bool(ceiling < wanted),
    }


def _accuracy(entries: Sequence[Entry], level: float) -> dict[str, Any]:
    """Against the reference standard, where it is recorded; uncertain and refused films count as neither."""
    called = {"suspected": True, "not_seen": False}
    known = [entry for entry in entries if entry.positive is not None and entry.status in called]
    found: dict[str, Any] = {}
    for name, positive in (("sensitivity", True), ("specificity", False)):
        right = [called[entry.status] == positive for entry in known if entry.positive == positive]
        share = [sum(right) / len(right), *confidence_sequence(sum(right), len(right), level)] if right else None
        found[name] = {"films": len(right), "share": share}
    return found


def _refusals(entries: Sequence[Entry]) -> tuple[int, int]:
    """Films that were refused, and films that were decoded: one that was not says nothing of what is refused."""
    counts = Counter(entry.status for entry in entries)
    return counts["refused"], len(entries) - counts["failed"]


def _scores(entries: Sequence[Entry]) -> np.ndarray:
    return np.array([entry.score for entry in entries if entry.score is not None])


def _embeddings(entries: Sequence[Entry]) -> np.ndarray:
    found = [entry.embedding for entry in entries if entry.embedding is not None]
    # A reader's embeddings have one length; a line that was cut is left out.
    lengths = Counter(len(e) for e in found).most_common(1)
    return np.array([e for e in found if len(e) == lengths[0][0]])


def _distances(entries: Sequence[Entry], distance: _Distance) -> np.ndarray:
    found = [e.embedding for e in entries if e.embedding is not None and len(e.embedding) == len(distance.mean)]
    return distance(np.array(found)) if found else np.zeros(0)


def _median(values: np.ndarray) -> float | None:
    return float(np.median(values)) if len(values) else None
