"""What the weeks of a site are compared with: its first weeks, or the reader's own films."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from sklearn.covariance import LedoitWolf

from ai_for_sudan.contract.reference import Reference, sketch, standardised
from ai_for_sudan.sites.log import Entry, LeftOut

#: Fewer films are no baseline.
FEWEST_IN_BASELINE = 40
#: Weeks without a reading, before which so few readings as no baseline holds are stray dates and no beginning.
LONGEST_GAP = 13


@dataclass(frozen=True)
class Distance:
    """Mahalanobis distance of the sketch of an embedding (Mahalanobis 1936), with a shrunk covariance."""

    mean: np.ndarray
    std: np.ndarray
    covariance: LedoitWolf

    @classmethod
    def fitted(cls, sketches: np.ndarray, mean: np.ndarray, std: np.ndarray) -> Distance:
        """Fit it on sketches ``(n, 32)`` of embeddings with this mean and standard deviation ``(D,)``."""
        return cls(mean, std, LedoitWolf().fit(sketches))

    def __call__(self, entries: Iterable[Entry]) -> np.ndarray:
        """The distances of the entries that have an embedding of the right length, ``(n,)``."""
        found = [e.embedding for e in entries if e.embedding is not None and len(e.embedding) == len(self.mean)]
        return self.of_sketches(sketch(standardised(np.array(found), self.mean, self.std))) if found else np.zeros(0)

    def of_sketches(self, sketches: np.ndarray) -> np.ndarray:
        """``(n, 32)`` -> ``(n,)``."""
        return np.sqrt(self.covariance.mahalanobis(sketches))


@dataclass(frozen=True)
class Baseline:
    """What the weeks are compared with.

    Attributes:
        text: where it comes from.
        refusals: refused films and all that were decoded; None where it is not known.
        scores: log-odds, ``(n,)``; None where those of the reader's own films are another reader's.
        distances: of films that the measure of distance was not fitted on, ``(n,)``; None without embeddings.
        distance: how far embeddings are.
        notes: what cannot be compared, and why.
    """

    text: str
    refusals: tuple[int, int] | None
    scores: np.ndarray | None
    distances: np.ndarray | None
    distance: Distance | None
    notes: tuple[str, ...] = ()


def of_reference(reference: Reference) -> Baseline:
    """Return the reader's own films as the baseline."""
    distance = Distance.fitted(reference.sketches[::2], reference.mean, reference.std)
    notes: tuple[str, ...] = ()
    if reference.scores_of:
        notes = (
            f"Scores are not compared: the card holds those of {reference.scores_of}, and the head was refitted since.",
        )
    return Baseline(
        text="the reader's own films, as summarised in its card",
        refusals=None,
        scores=None if reference.scores_of else reference.scores,
        distances=distance.of_sketches(reference.sketches[1::2]),
        distance=distance,
        notes=notes,
    )


def of_weeks(entries: Sequence[Entry], weeks: Sequence[date]) -> tuple[Baseline | None, str]:
    """Return the first weeks of a site as the baseline; or None, and why these are not enough."""
    inside = [entry for entry in entries if entry.week in weeks]
    scores = scores_of(inside)
    text = f"{len(inside)} readings of the weeks from {weeks[0]} to {weeks[-1] + timedelta(days=6)}"
    if len(scores) < FEWEST_IN_BASELINE:
        return None, (
            f"Nothing is compared yet: the baseline ({text}) holds {len(scores)} films that were read; "
            f"{FEWEST_IN_BASELINE} are needed."
        )
    embeddings = _embeddings(inside)
    if len(embeddings) < FEWEST_IN_BASELINE:
        note = (
            "Drift of the embeddings is not tested: too few readings of the baseline have one (read --log writes them)."
        )
        return Baseline(text, refusals_of(inside), scores, None, None, (note,)), ""
    # Every other film: the distance is fitted on one half, and the other half shows how far films usually are.
    half = embeddings[::2]
    mean, std = half.mean(0), half.std(0)
    distance = Distance.fitted(sketch(standardised(half, mean, std)), mean, std)
    others = distance.of_sketches(sketch(standardised(embeddings[1::2], mean, std)))
    return Baseline(text, refusals_of(inside), scores, others, distance), ""


def first_weeks(weeks: dict[date, list[Entry]], wanted: int) -> list[date]:
    """Return the first weeks of a site: as many as wanted, and so many that they hold a baseline."""
    chosen: list[date] = []
    films = 0
    for week, inside in weeks.items():
        if len(chosen) >= wanted and films >= FEWEST_IN_BASELINE:
            break
        chosen.append(week)
        films += len(scores_of(inside))
    return chosen


def without_stray_dates(entries: Sequence[Entry]) -> tuple[list[Entry], list[LeftOut]]:
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


def refusals_of(entries: Sequence[Entry]) -> tuple[int, int]:
    """Films that were refused, and films that were decoded: one that was not says nothing of what is refused."""
    counts = Counter(entry.status for entry in entries)
    return counts["refused"], len(entries) - counts["failed"]


def scores_of(entries: Sequence[Entry]) -> np.ndarray:
    """Log-odds of the films that were read, ``(n,)``."""
    return np.array([entry.score for entry in entries if entry.score is not None])


def _embeddings(entries: Sequence[Entry]) -> np.ndarray:
    found = [entry.embedding for entry in entries if entry.embedding is not None]
    # A reader's embeddings have one length; a line that was cut is left out.
    lengths = Counter(len(e) for e in found).most_common(1)
    return np.array([e for e in found if len(e) == lengths[0][0]])
