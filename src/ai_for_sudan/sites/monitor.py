"""A reader watched over time at one site: weekly counts, drift, and agreement with the clinicians.

The chance of any false alarm within a year is at most what was asked for: it is divided (Bonferroni) over all tests of
52 weeks, and the agreement with clinicians is followed by a confidence sequence, which holds at all times at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from ai_for_sudan.contract.reference import Reference
from ai_for_sudan.errors import UserError
from ai_for_sudan.reading import STATUSES
from ai_for_sudan.sites.agreement import accuracy
from ai_for_sudan.sites.agreement import agreement as agreement_of
from ai_for_sudan.sites.baseline import (
    Baseline,
    first_weeks,
    of_reference,
    of_weeks,
    refusals_of,
    scores_of,
    without_stray_dates,
)
from ai_for_sudan.sites.drift_tests import FEWEST, TESTS, WINDOWS, tests_of
from ai_for_sudan.sites.log import Entry
from ai_for_sudan.sites.power import detectable
from ai_for_sudan.statistics import wilson

WEEKS_A_YEAR = 52


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

    A film counts once, however often it was read: its last reading, in the week of its first one.

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
        ``detectable`` (:func:`ai_for_sudan.sites.power.detectable`; None where nothing was compared), ``agreement``,
        ``accuracy``, ``notes``, ``left_out`` (lines with stray dates).

    Raises:
        UserError: the options are impossible, or no entry is of this reader.
    """
    if not 0 < false_alarms < 1 or not 0 < agreement < 1:
        raise UserError("the rate of false alarms and the agreement must lie between 0 and 1")
    if baseline_weeks < 1:
        raise UserError(f"{baseline_weeks} weeks are too few for a baseline; give 1 or more")
    chosen = reader or entries[-1].reader
    followed, notes = _of_reader(entries, chosen)
    followed, again = _once(followed)
    if again:
        notes.append(f"{again} readings are of films that were read again later; each film counts once.")
    followed, left_out = without_stray_dates(followed)
    weeks = _by_week(followed)
    first = first_weeks(weeks, baseline_weeks)
    baseline, why = (of_reference(reference), "") if reference is not None else of_weeks(followed, first)
    notes += [why] if baseline is None else baseline.notes
    tested = [] if baseline is None else [week for week in weeks if reference is not None or week not in first]
    # One share of the accepted rate for each kind of weekly test in each window, and one for the agreement.
    level = false_alarms / (len(TESTS) * len(WINDOWS) + 1)
    rows = [_row(weeks, week, tested, baseline, level / WEEKS_A_YEAR) for week in weeks]
    alarms = [{"week": row["week"], **test} for row in rows for test in row["tests"] if test["alarm"]]
    agreed = agreement_of(followed, agreement, level)
    # A week that has barely begun says nothing yet: it does not silence the week before it.
    newest = next((row["week"] for row in reversed(rows) if any(test["weeks"] == 1 for test in row["tests"])), None)
    seen = None
    if baseline is not None and tested:
        films, verdicts = (float(np.median(counts)) for counts in _usual(weeks, tested))
        seen = detectable(baseline, films, verdicts, level / WEEKS_A_YEAR, agreement, level)
    return {
        "reader": chosen,
        "readings": len(followed),
        "baseline": baseline.text if baseline else None,
        "false_alarms_a_year": false_alarms,
        "level_of_each_test": level / WEEKS_A_YEAR,
        "weeks": rows,
        "alarms": alarms,
        "agreement": agreed,
        "accuracy": accuracy(followed, level),
        "detectable": seen,
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


def power_in_words(seen: dict[str, Any]) -> list[str]:
    """What ``detectable`` says, in sentences: what no alarm does and does not mean at this site."""
    found = [f"A usual week has {seen['films_a_week']:.0f} films and {seen['verdicts_a_week']:.0f} verdicts here."]
    for window in seen["windows"]:
        weeks = "one week" if window["weeks"] == 1 else f"{window['weeks']} weeks together"
        changes = []
        if window["shift"] is not None:
            changes.append(f"scores that move by {window['shift']:.1f} of their standard deviation")
        if window["refused"] is not None:
            changes.append(f"refusals that rise to {window['refused']:.0%}")
        chance = f"in {seen['power']:.0%} of cases"
        found.append(
            f"From {weeks} ({window['films']} films) an alarm follows {chance} for {' or '.join(changes)}."
            if changes
            else f"From {weeks} ({window['films']} films) no change can be told."
        )
    for one in seen["agreement"]:
        found.append(
            f"If clinicians came to agree with {one['share']:.0%}, "
            + (
                f"about {one['weeks']} weeks of verdicts would show it."
                if one["weeks"]
                else "too few verdicts are given to show it within two years."
            )
        )
    found.append(
        "A reader can become less accurate while its scores keep their distribution: only verdicts or a reference "
        "standard show that. No alarm does not prove that the reader is right."
    )
    return found


def _of_reader(entries: Sequence[Entry], chosen: str) -> tuple[list[Entry], list[str]]:
    """The entries of one reader, and how many there are of others."""
    followed = [entry for entry in entries if entry.reader == chosen]
    if not followed:
        raise UserError(
            f"there is no reading by the reader '{chosen}'; there are: {', '.join(sorted({e.reader for e in entries}))}"
        )
    others = Counter(entry.reader for entry in entries if entry.reader != chosen)
    return followed, [
        f"{count} readings of {name or 'a reader without a name'} are left out." for name, count in others.items()
    ]


def _once(entries: Sequence[Entry]) -> tuple[list[Entry], int]:
    """Each film once, and how many readings fall away: its last reading in the week of its first one.

    What a person said of an earlier reading stays, unless the last one has a verdict of its own.
    """
    films: dict[str, Entry] = {}
    for number, entry in enumerate(entries):
        key = entry.film or f"unknown {number}"
        if (before := films.get(key)) is not None:
            positive = before.positive if entry.positive is None else entry.positive
            entry = replace(entry, week=before.week, verdict=entry.verdict or before.verdict, positive=positive)
        films[key] = entry
    return list(films.values()), len(entries) - len(films)


def _by_week(entries: Sequence[Entry]) -> dict[date, list[Entry]]:
    weeks: dict[date, list[Entry]] = {}
    for entry in entries:
        weeks.setdefault(entry.week, []).append(entry)
    return weeks


def _usual(weeks: dict[date, list[Entry]], tested: Sequence[date]) -> tuple[list[int], list[int]]:
    """Decoded films, and verdicts, of each week that is tested."""
    films = [refusals_of(weeks[week])[1] for week in tested]
    return films, [sum(entry.verdict in ("agree", "disagree") for entry in weeks[week]) for week in tested]


def _row(
    weeks: dict[date, list[Entry]], week: date, tested: Sequence[date], baseline: Baseline | None, level: float
) -> dict[str, Any]:
    """A week: its counts, and its tests where it is compared with a baseline."""
    inside = weeks[week]
    counts, scores = Counter(entry.status for entry in inside), scores_of(inside)
    row: dict[str, Any] = {
        "week": week.isoformat(),
        "baseline": week not in tested,
        "readings": len(inside),
        "statuses": {status: counts[status] for status in STATUSES},
        "refused": wilson(*refusals_of(inside)).to_list(),
        "score_quartiles": np.quantile(scores, [0.25, 0.5, 0.75]).tolist() if len(scores) else None,
        "verdicts": dict(Counter(entry.verdict for entry in inside if entry.verdict)),
        "tests": [],
    }
    if baseline is not None:
        if week in tested:
            row["tests"] = tests_of(weeks, tested, week, baseline, level)
        if baseline.distance is not None:
            distances = baseline.distance(inside)
            row["distance"] = float(np.median(distances)) if len(distances) else None
    return row
