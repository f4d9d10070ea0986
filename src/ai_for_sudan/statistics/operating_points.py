"""Operating points: two promised error rates, and the cut-offs under which films like these keep them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from ai_for_sudan.contract import OperatingPoint
from ai_for_sudan.statistics.predictions import Predictions


class Promise(NamedTuple):
    """Two error rates, 0..1: of positive films that are not seen, and of negative films that are suspected."""

    missed: float
    false_alarms: float

    def __str__(self) -> str:
        return (
            f"at most {self.missed:.0%} of positive films are not seen, "
            f"at most {self.false_alarms:.0%} of negative films are suspected"
        )


#: what the points of a shipped reader promise
PROMISES = {"screening": Promise(0.02, 0.10), "balanced": Promise(0.05, 0.05), "rule-in": Promise(0.10, 0.02)}


def operating_points(
    sets: Sequence[Predictions], promises: Mapping[str, Promise] = PROMISES
) -> dict[str, OperatingPoint]:
    """Choose the cut-offs of operating points by class-conditional split conformal prediction (Vovk 2012).

    Each promise has its own cut-off: a low quantile of the positive films, a high one of the negative films, with the
    ranks that hold for finite samples. The promise holds for future films like those of any one set, over repeated
    draws, whatever the network is: the set that asks most decides. A set with too few films of a class to promise
    anything does not decide on its cut-off. Where no set has enough, the cut-off is 0 or 1, such films are left to a
    person, and the reason says so.

    Where the classes are so far apart that the cut-offs cross, one cut-off lies in the middle, in log-odds: it keeps
    both promises, and no film is left to a person.

    Args:
        sets: of films that neither network nor calibration was fitted on: one set a hospital, films as they are and
            perturbed ones apart.
    """
    return {name: _point(sets, name, promise) for name, promise in promises.items()}


def _point(sets: Sequence[Predictions], name: str, promise: Promise) -> OperatingPoint:
    below = [_below(one.positives, promise.missed) for one in sets]
    above = [_above(one.negatives, promise.false_alarms) for one in sets]
    not_seen_below = min((cut for cut in below if cut is not None), default=0.0)
    suspected_from = max((cut for cut in above if cut is not None), default=1.0)
    reason = str(promise)
    for cuts, rate, kind in ((below, promise.missed, "positive"), (above, promise.false_alarms, "negative")):
        if not any(cut is not None for cut in cuts):
            reason += (
                f"; there are too few {kind} films to promise this, at least {int(np.ceil(1 / rate)) - 1} are needed"
            )
    if suspected_from < not_seen_below:
        not_seen_below = suspected_from = _middle(suspected_from, not_seen_below)
    return OperatingPoint(
        name=name,
        missed=promise.missed,
        false_alarms=promise.false_alarms,
        not_seen_below=not_seen_below,
        suspected_from=suspected_from,
        reason=reason,
    )


def _below(positives: np.ndarray, rate: float) -> float | None:
    """The highest cut-off under which at most ``rate`` of positive films lie; None where there are too few.

    It lies between two films where it can, so that it does not hang on the rounding of one.

    Args:
        positives: probabilities, ascending.
    """
    rank = _rank(len(positives), rate)
    if rank < 1:
        return None
    # At rank 1 the lowest film is the cut-off itself: halfway to 0 would leave films to a person for no promise.
    return float((positives[max(rank - 2, 0)] + positives[rank - 1]) / 2)


def _above(negatives: np.ndarray, rate: float) -> float | None:
    """The lowest cut-off that at most ``rate`` of negative films reach; None where there are too few."""
    rank = _rank(len(negatives), rate)
    if rank < 1:
        return None
    at = negatives[len(negatives) - rank]
    # Films of the same probability lie on the same side, whatever their number.
    higher = negatives[np.searchsorted(negatives, at, side="right") :]
    return float((at + higher[0]) / 2 if len(higher) else min(np.nextafter(at, 1), 1.0))


def _rank(films: int, rate: float) -> int:
    """The rank of split conformal prediction in a finite sample: floor(rate (n + 1)), safe against rounding."""
    return int(np.floor(rate * (films + 1) + 1e-9))


def _middle(low: float, high: float) -> float:
    return float(expit(logit(np.clip([low, high], 1e-6, 1 - 1e-6)).mean()))


def youden_cut(*sets: Predictions) -> float:
    """Choose the one threshold with the highest balanced accuracy (Youden 1950) on the set of films where it is worst.

    It calls a class where somebody wants one for each film; 0.5 where a set has films of one class only.
    """
    if any(not 0 < one.labels.sum() < len(one) for one in sets):
        return 0.5
    values = np.unique(np.concatenate([one.probabilities for one in sets]))
    edges = np.concatenate([[0.0], values, [1.0]])
    cuts = np.clip((edges[1:] + edges[:-1]) / 2, 1e-6, 1 - 1e-6)
    worst = np.min([_balanced_accuracy(one, cuts) for one in sets], axis=0)
    # The middle one of several equally good places keeps away from films.
    best = np.flatnonzero(worst >= worst.max() - 1e-12)
    return float(cuts[best[len(best) // 2]])


def _balanced_accuracy(predictions: Predictions, cuts: np.ndarray) -> np.ndarray:
    positives, negatives = predictions.positives, predictions.negatives
    missed = np.searchsorted(positives, cuts) / len(positives)
    return (1 - missed + np.searchsorted(negatives, cuts) / len(negatives)) / 2


def recalibrated(cut_off: float, scale: float, shift: float) -> float:
    """Move a cut-off so that it parts the same films after log-odds became ``scale * log-odds + shift``.

    0 and 1, which part nothing, stay.
    """
    if not 0 < cut_off < 1:
        return cut_off
    return float(expit(scale * logit(np.clip(cut_off, 1e-6, 1 - 1e-6)) + shift))
