"""Thresholds that films are called by, and the band in between that is left to a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit

from ai_for_sudan.statistics.predictions import Predictions

#: what ``screening`` finds of the positive films, and ``rule-in`` leaves alone of the negative ones
TARGET = 0.95
#: what is asked of the films that they are chosen on: other films are not kinder than these
CHOSEN_AT = 0.98

_CONVENTION = "the films to choose on are all of one class: 0.5 is a convention, not a choice"
REASONS = {
    "screening": f"misses few: sensitivity at least {TARGET}, chosen for {CHOSEN_AT} where it is worst",
    "balanced": "highest balanced accuracy in the worst case",
    "rule-in": f"few false alarms: specificity at least {TARGET}, chosen for {CHOSEN_AT} where it is worst",
}


@dataclass(frozen=True)
class Choice:
    """A threshold and why it was chosen.

    Attributes:
        threshold: probability, 0..1; a film at or above it is called.
        sensitivity, specificity: mean over the sets of films that it was chosen on; None of one class only.
        films: how many those were.
    """

    threshold: float
    reason: str
    sensitivity: float | None
    specificity: float | None
    films: int

    def to_dict(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Band:
    """Probabilities strictly between ``lower`` and ``upper`` are left to a person."""

    lower: float
    upper: float

    def holds(self, probabilities: np.ndarray) -> np.ndarray:
        """Bool ``(N,)``."""
        return (probabilities > self.lower) & (probabilities < self.upper)


def rates_at(predictions: Predictions, cuts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sensitivity and specificity ``(K,)`` of calling every film at or above a cut ``(K,)``."""
    positives, negatives = predictions.positives, predictions.negatives
    return (
        1 - np.searchsorted(positives, cuts) / len(positives),
        np.searchsorted(negatives, cuts) / len(negatives),
    )


def choose(sets: Sequence[Predictions]) -> dict[str, Choice]:
    """``screening``, ``balanced`` and ``rule-in``, each on the set of films where it does worst.

    Over all sets together a point can be bought by one of them: many false alarms on perturbed films for a few more
    finds on films as they are. Thresholds lie between two films, so that none hangs on a film's rounding.

    Args:
        sets: films of the same patients in several states, or of several hospitals.
    """
    films = sum(len(one) for one in sets)
    if any(not 0 < one.labels.sum() < len(one) for one in sets):
        return {name: Choice(0.5, _CONVENTION, None, None, films) for name in REASONS}
    cuts = _between(np.unique(np.concatenate([one.probabilities for one in sets])))
    rates = np.array([rates_at(one, cuts) for one in sets])  # (sets, 2, cuts)
    sensitivity, specificity = rates.min(0)
    balanced = _middle_of_best(rates.sum(1).min(0))
    places = {
        "screening": min(_last(sensitivity >= CHOSEN_AT), balanced),
        "balanced": balanced,
        "rule-in": max(_first(specificity >= CHOSEN_AT), balanced),
    }
    found = {}
    for name, place in places.items():
        mean_sensitivity, mean_specificity = (float(rate) for rate in rates[:, :, place].mean(0))
        found[name] = Choice(float(cuts[place]), REASONS[name], mean_sensitivity, mean_specificity, films)
    return found


def balanced(*sets: Predictions) -> Choice:
    """The threshold with the highest balanced accuracy (Youden 1950) on the set of films where it is worst."""
    return choose(sets)["balanced"]


def abstention_band(predictions: Predictions, error_rate: float) -> Band:
    """Class-conditional split conformal prediction (Vovk 2012): which probabilities are left to a person.

    Of future films like these, at most ``error_rate`` of the positive ones lie at or below the band and at most
    ``error_rate`` of the negative ones at or above it, over repeated draws, whatever the network is. Where the classes
    are well apart the band is the gap between them: a film in it is like those of neither class.

    Args:
        predictions: of films that neither network nor calibration was fitted on.
    """
    positives, negatives = predictions.positives, predictions.negatives
    # The finite-sample ranks of split conformal prediction: floor(alpha (n + 1)).
    below = int(np.floor(error_rate * (len(positives) + 1)))
    above = int(np.floor(error_rate * (len(negatives) + 1)))
    at_least = float(positives[below - 1]) if below >= 1 else 0.0
    at_most = float(negatives[len(negatives) - above]) if above >= 1 else 1.0
    return Band(min(at_least, at_most), max(at_least, at_most))


def recalibrated(threshold: float, scale: float, shift: float) -> float:
    """The threshold that calls the same films after log-odds became ``scale * log-odds + shift``."""
    return float(expit(scale * logit(np.clip(threshold, 1e-6, 1 - 1e-6)) + shift))


def _between(values: np.ndarray) -> np.ndarray:
    """Below, between and above ascending probabilities; not nearer to 0 and 1 than a float32 can tell."""
    edges = np.concatenate([[0.0], values, [1.0]])
    return np.clip((edges[1:] + edges[:-1]) / 2, 1e-6, 1 - 1e-6)


def _middle_of_best(values: np.ndarray) -> int:
    """Of several equally good places the middle one, so that a threshold keeps away from films."""
    best = np.flatnonzero(values >= values.max() - 1e-12)
    return int(best[len(best) // 2])


def _last(good: np.ndarray) -> int:
    return int(np.flatnonzero(good)[-1]) if good.any() else 0


def _first(good: np.ndarray) -> int:
    return int(np.flatnonzero(good)[0]) if good.any() else len(good) - 1
