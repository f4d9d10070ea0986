"""The share of positives of another place, on simulated films whose share is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from ai_for_sudan.statistics.label_shift import log_odds_shift, p_of_shift, prevalence_em

SOURCE = 0.6


def scores(count: int, prevalence: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and log-odds that are calibrated at the share ``SOURCE``: the log ratio of two normal densities."""
    random = np.random.default_rng(seed)
    labels = (random.random(count) < prevalence).astype(int)
    x = random.normal(2.0 * labels, 1.0)
    return labels, 2.0 * x - 2.0 + logit(SOURCE)


@pytest.mark.parametrize("prevalence", [0.05, 0.2, 0.6, 0.9])
def test_the_share_is_found(prevalence: float) -> None:
    odds = scores(5000, prevalence, 1)[1]
    assert prevalence_em(expit(odds), SOURCE) == pytest.approx(prevalence, abs=0.02)


def test_from_thirty_films_it_is_right_on_average() -> None:
    found = [prevalence_em(expit(scores(30, 0.15, seed)[1]), SOURCE) for seed in range(200)]
    assert np.mean(found) == pytest.approx(0.15, abs=0.02) and np.std(found) < 0.12


def test_corrected_probabilities_are_calibrated_there() -> None:
    labels, odds = scores(40_000, 0.1, 3)
    after = expit(odds + log_odds_shift(SOURCE, prevalence_em(expit(odds), SOURCE)))
    assert expit(odds).mean() > 0.15 and after.mean() == pytest.approx(labels.mean(), abs=0.01)
    for low, high in ((0.05, 0.2), (0.4, 0.6), (0.8, 0.95)):
        inside = (after > low) & (after < high)
        assert labels[inside].mean() == pytest.approx(after[inside].mean(), abs=0.05)


def test_edges() -> None:
    assert prevalence_em(np.zeros(50), 0.5) < 0.001 and prevalence_em(np.ones(50), 0.5) > 0.999
    assert prevalence_em(np.full(50, 0.5), 0.5) == pytest.approx(0.5)
    assert log_odds_shift(0.5, 0.5) == 0 and log_odds_shift(0.5, expit(1)) == pytest.approx(1)
    assert np.isfinite(log_odds_shift(0.5, 0.0))


def test_another_share_fits_and_scores_of_another_kind_do_not() -> None:
    """A reader that has lost its certainty is told apart from another share; scores that are only displaced are not."""
    known = scores(256, SOURCE, 4)[1]
    p_values: dict[str, list[float]] = {"same": [], "unsure": []}
    for seed in range(20):
        for name, scale in (("same", 1.0), ("unsure", 0.3)):
            there = scale * scores(120, 0.2, 100 + seed)[1]
            share = prevalence_em(expit(there), SOURCE)
            p_values[name].append(p_of_shift(there, known, SOURCE, share, rounds=100, seed=seed))
    assert np.mean(np.array(p_values["same"]) < 0.05) <= 0.2
    assert np.mean(np.array(p_values["unsure"]) < 0.05) >= 0.8


def test_a_place_that_is_the_same_film_by_film_fits_perfectly() -> None:
    known = np.array([-2.0, -1.0, -1.0, 0.5, 0.5, 0.5, 3.0])
    assert p_of_shift(known, known, SOURCE, SOURCE, rounds=50) == 1.0


def test_the_p_value_is_that_of_the_test_as_it_is_written() -> None:
    """Kolmogorov and Smirnov's distance by counting, in the same draws."""
    known, there = np.round(scores(40, SOURCE, 6)[1], 1), np.round(scores(25, 0.3, 7)[1], 1)
    chance = expit(known)
    weights = chance * 0.3 / SOURCE + (1 - chance) * 0.7 / (1 - SOURCE)
    weights /= weights.sum()

    def distance(found: np.ndarray, here: np.ndarray, share: np.ndarray) -> float:
        return max(abs((found <= at).mean() - share[here <= at].sum()) for at in [*found, *here])

    random, drawn = np.random.default_rng(5), []
    for _ in range(60):
        again = random.integers(0, 40, 40)
        sample = known[random.choice(40, 25, p=weights)]
        drawn.append(distance(sample, known[again], weights[again] / weights[again].sum()))
    above = sum(one >= distance(there, known, weights) - 1e-9 for one in drawn)
    assert p_of_shift(there, known, SOURCE, 0.3, rounds=60, seed=5) == pytest.approx((above + 1) / 61)
