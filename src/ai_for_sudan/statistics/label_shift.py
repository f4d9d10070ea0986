"""How many are ill where nobody was labelled: the share of positives of another place, from predictions alone.

Holds where only that share differs and films of one class look alike in both places (label shift); see
:func:`p_of_shift` for whether that can be so.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

_EDGE = 1e-6


def prevalence_em(probabilities: np.ndarray, prevalence: float, *, rounds: int = 1000) -> float:
    """Maximum likelihood by expectation maximisation (Saerens 2002).

    Args:
        probabilities: calibrated where ``prevalence`` is the share of positives, of films of the other place ``(N,)``.
    """
    scores = logit(np.clip(probabilities, _EDGE, 1 - _EDGE)) - logit(prevalence)
    share = prevalence
    for _ in range(rounds):
        before, share = share, float(np.clip(expit(scores + logit(share)).mean(), _EDGE, 1 - _EDGE))
        if abs(share - before) < 1e-9:
            break
    return share


def log_odds_shift(prevalence: float, other: float) -> float:
    """What must be added to calibrated log-odds where the share of positives is ``other`` instead of ``prevalence``."""
    ends = np.clip([other, prevalence], _EDGE, 1 - _EDGE)
    return float(logit(ends[0]) - logit(ends[1]))


def p_of_shift(
    scores: np.ndarray, known: np.ndarray, prevalence: float, other: float, *, rounds: int = 500, seed: int = 0
) -> float:
    """Can the scores of another place be those of the known place with another share of positives?

    The largest distance (Kolmogorov-Smirnov) between the scores there and the known ones, weighted to the share
    ``other``, against what it is in bootstrap samples of such a mixture.

    Args:
        scores: log-odds of films of the other place ``(N,)``.
        known: calibrated log-odds of films of the known place ``(M,)``; they need no labels.

    Scores that are merely displaced look like another share to this test: what was estimated without labels must be
    checked with labels before anyone relies on it.

    Returns:
        the p-value; small where more than the share differs.
    """
    random = np.random.default_rng(seed)
    positive = expit(known)
    weights = positive * other / prevalence + (1 - positive) * (1 - other) / (1 - prevalence)
    weights = weights / weights.sum()

    def distance(there: np.ndarray, here: np.ndarray, share: np.ndarray) -> float:
        order = np.argsort(here, kind="stable")
        places = np.concatenate([there, here])
        cumulative = np.concatenate([[0.0], np.cumsum(share[order])])
        known_below = cumulative[np.searchsorted(here[order], places, side="right")]
        return float(np.abs(np.searchsorted(np.sort(there), places, side="right") / len(there) - known_below).max())

    found = distance(scores, known, weights)
    drawn = []
    for _ in range(rounds):
        # Both sides are samples: the known films are resampled as well.
        again = random.integers(0, len(known), len(known))
        share = weights[again] / weights[again].sum()
        sample = known[random.choice(len(known), len(scores), p=weights)]
        drawn.append(distance(sample, known[again], share))
    return float((np.sum(np.array(drawn) >= found - 1e-12) + 1) / (rounds + 1))
