"""What the tests of a week can see: the smallest change that this site's number of films would show."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from ai_for_sudan.sites.agreement import confidence_sequence
from ai_for_sudan.sites.baseline import Baseline
from ai_for_sudan.sites.drift_tests import FEWEST, WINDOWS

#: how often a change of the stated size is found
POWER = 0.8
#: shifts of the scores that are tried, in standard deviations of the baseline
SHIFTS = np.arange(0.1, 4.05, 0.1)
#: shares of agreement that are asked about
AGREEMENTS = (0.7, 0.6, 0.5)
#: Beyond so many weeks nobody waits.
LONGEST = 104


def detectable(
    baseline: Baseline, films: float, verdicts: float, level: float, wanted: float, agreement_level: float
) -> dict[str, Any]:
    """Return the smallest changes that are found with a chance of :data:`POWER`, at this number of films a week.

    Args:
        films: decoded films in a usual week.
        verdicts: agreements and disagreements in a usual week.
        level: p-value below which a weekly test alarms.
        wanted, agreement_level: the share of agreement below which an alarm is raised, and its level.

    Returns:
        JSON-ready: ``windows``, one a window of weeks: ``weeks``, ``films``, ``shift`` of the scores (in standard
        deviations of the baseline) and ``refused`` (share), each None where no such change would be found; and
        ``agreement``, for each of :data:`AGREEMENTS` the ``weeks`` until it is found, None where that takes over
        :data:`LONGEST`.
    """
    windows = []
    for weeks in WINDOWS:
        count = int(films * weeks)
        windows.append(
            {
                "weeks": weeks,
                "films": count,
                "shift": None if baseline.scores is None else _shift(baseline.scores, count, level),
                "refused": None if baseline.refusals is None else _refused(baseline.refusals, count, level),
            }
        )
    return {
        "power": POWER,
        "films_a_week": films,
        "verdicts_a_week": verdicts,
        "windows": windows,
        "agreement": [
            {"share": share, "weeks": _weeks_of_verdicts(share, verdicts, wanted, agreement_level)}
            for share in AGREEMENTS
            if share < wanted
        ],
    }


def _shift(scores: np.ndarray, films: int, level: float, rounds: int = 100) -> float | None:
    """The smallest of :data:`SHIFTS` that a Kolmogorov-Smirnov test finds, by drawing both samples anew."""
    spread = float(scores.std())
    if films < FEWEST or spread == 0:
        return None
    random = np.random.default_rng(0)
    before = [np.sort(random.choice(scores, len(scores))) for _ in range(rounds)]
    after = [np.sort(random.choice(scores, films)) for _ in range(rounds)]
    # The distance at which the test alarms (Smirnov's limit): its p-value, without computing it for every draw.
    alarm = float(np.sqrt(-np.log(level / 2) / 2 * (1 / len(scores) + 1 / films)))

    def power(shift: float) -> float:
        return float(
            np.mean([_distance(one, other + shift * spread) > alarm for one, other in zip(before, after, strict=True)])
        )

    low, high = 0, len(SHIFTS)
    while low < high:  # a larger shift is found more often
        middle = (low + high) // 2
        low, high = (low, middle) if power(SHIFTS[middle]) >= POWER else (middle + 1, high)
    return float(SHIFTS[low].round(1)) if low < len(SHIFTS) else None


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """The largest distance between the distribution functions of two samples, each ascending."""
    both = np.concatenate([one, other])
    shares = [np.searchsorted(sample, both, side="right") / len(sample) for sample in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def _refused(before: tuple[int, int], films: int, level: float) -> float | None:
    """The smallest share of refused films, above that of the baseline, that Fisher's exact test finds."""
    usual = before[0] / before[1]
    if films < FEWEST:
        return None

    def alarms(count: int) -> bool:
        table = [[count, films - count], [before[0], before[1] - before[0]]]
        return count / films > usual and bool(stats.fisher_exact(table).pvalue < level)

    fewest, most = 0, films + 1
    while fewest < most:  # more refusals alarm the sooner
        middle = (fewest + most) // 2
        fewest, most = (fewest, middle) if middle > films or alarms(middle) else (middle + 1, most)
    if fewest > films:
        return None
    shares = np.arange(0.01, 1.005, 0.01)
    enough = stats.binom.sf(fewest - 1, films, shares) >= POWER
    return float(shares[np.argmax(enough)].round(2)) if enough.any() else None


def _weeks_of_verdicts(share: float, verdicts: float, wanted: float, level: float) -> int | None:
    """Weeks until verdicts that agree in this share of films prove that fewer than ``wanted`` do."""
    for weeks in range(1, LONGEST + 1):
        total = int(verdicts * weeks)
        if total and confidence_sequence(round(share * total), total, level)[1] < wanted:
            return weeks
    return None
