"""Thresholds and the abstention band against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from ai_for_sudan.statistics import Predictions, abstention_band, balanced, choose, recalibrated


def drawn(count: int, seed: int, apart: float) -> Predictions:
    random = np.random.default_rng(seed)
    labels = (random.random(count) < 0.4).astype(int)
    return Predictions(labels, expit(random.normal(apart * (labels - 0.5), 1)))


def test_the_threshold_lies_in_the_gap() -> None:
    films = Predictions.of(np.array([0, 0, 1, 1, np.nan]), np.array([0.1, 0.2, 0.6, 0.9, 0.3]))
    point = balanced(films, films)
    assert point.threshold == pytest.approx(0.4) and point.films == 8
    assert point.sensitivity == point.specificity == 1.0


def test_one_class_chooses_nothing() -> None:
    one_class = Predictions(np.ones(3, int), np.ones(3))
    for point in choose([one_class, drawn(50, 0, 2)]).values():
        assert point.threshold == 0.5 and "convention" in point.reason and "sensitivity" not in point.to_dict()


def test_the_threshold_is_not_bought_by_films_as_they_are() -> None:
    """Perturbed negative films score higher; the best cut over both together would call half of them positive."""
    truth = np.repeat([0, 1], 4)
    clean = Predictions(truth, np.array([0.1, 0.1, 0.1, 0.1, 0.3, 0.3, 0.3, 0.9]))
    perturbed = Predictions(truth, np.array([0.1, 0.1, 0.4, 0.4, 0.5, 0.5, 0.9, 0.9]))
    # At 0.2: 1 and 1 for clean films, 1 and 0.5 for perturbed ones. At 0.45: 0.25 and 1, 1 and 1.
    assert balanced(clean, perturbed).threshold == pytest.approx(0.2)
    few = Predictions(truth, np.array([0.1, 0.1, 0.1, 0.1, 0.3, 0.9, 0.9, 0.9]))
    assert balanced(few, perturbed).threshold == pytest.approx(0.45)


def test_the_worst_set_decides_and_not_the_mean() -> None:
    """At 0.25 sensitivity and specificity add up to 2.0 and 1.0; at 0.65 to 1.1 and 1.8: the mean takes the first."""
    truth = np.repeat([0, 1], 10)
    a = Predictions(truth, np.r_[np.full(10, 0.2), np.full(9, 0.3), np.full(1, 0.9)])
    b = Predictions(truth, np.r_[np.full(2, 0.2), np.full(8, 0.4), np.full(2, 0.1), np.full(8, 0.9)])
    sums = {cut: [(p[10:] >= cut).mean() + (p[:10] < cut).mean() for p in (a.probabilities, b.probabilities)]
            for cut in (0.25, 0.65)}  # fmt: skip
    assert np.mean(sums[0.25]) > np.mean(sums[0.65]) and min(sums[0.65]) > min(sums[0.25])
    assert balanced(a, b).threshold == pytest.approx(0.65)


def test_screening_and_rule_in_hold_on_the_harder_films() -> None:
    """Perturbed positives score lower, perturbed negatives higher: points chosen on clean films would not hold."""
    random = np.random.default_rng(0)
    truth = np.repeat([0, 1], 500)
    clean = Predictions(truth, np.r_[random.uniform(0, 0.2, 500), random.uniform(0.8, 1, 500)])
    perturbed = Predictions(truth, np.r_[random.uniform(0, 0.45, 500), random.uniform(0.4, 1, 500)])
    points = choose([clean, perturbed])
    assert (perturbed.positives >= points["screening"].threshold).mean() >= 0.98
    assert (perturbed.negatives < points["rule-in"].threshold).mean() >= 0.98
    assert points["screening"].threshold <= points["balanced"].threshold <= points["rule-in"].threshold
    alone = choose([clean])
    assert (perturbed.positives >= alone["screening"].threshold).mean() < 0.98


def test_points_are_as_far_from_their_promise_as_the_films_allow() -> None:
    labels = np.repeat([0, 1], 100)
    probabilities = np.r_[np.arange(100), np.arange(60, 160)] / 200
    points = choose([Predictions(labels, probabilities)])
    positives, negatives = probabilities[100:], probabilities[:100]
    assert (positives >= points["screening"].threshold).mean() == 0.98
    assert (negatives < points["rule-in"].threshold).mean() == 0.98
    best = max((positives >= cut).mean() + (negatives < cut).mean() for cut in np.arange(0, 0.8, 0.0025))
    found = points["balanced"]
    assert (found.sensitivity or 0) + (found.specificity or 0) == pytest.approx(best)
    assert found.sensitivity == (positives >= found.threshold).mean()


def test_saturated_probabilities_leave_a_threshold_that_a_card_can_hold() -> None:
    flat = Predictions(np.array([0, 1] * 20), np.ones(40))
    for point in choose([flat]).values():
        assert 0 < point.threshold < 1


def test_a_recalibrated_threshold_calls_the_same_films() -> None:
    scores = np.random.default_rng(0).normal(0, 2, 500)
    after = recalibrated(0.3, 0.4, -1.0)
    np.testing.assert_array_equal(expit(scores) >= 0.3, expit(0.4 * scores - 1.0) >= after)


@pytest.mark.parametrize(("rate", "apart"), [(0.02, 2.0), (0.1, 2.0), (0.1, 6.0)])
def test_outside_the_band_few_of_each_class_are_wrong(rate: float, apart: float) -> None:
    """The promise of conformal prediction: at most the error rate of each class, on new films, on average."""
    missed, alarmed = [], []
    for seed in range(150):
        band = abstention_band(drawn(400, seed, apart), rate)
        new = drawn(400, 1000 + seed, apart)
        missed.append((new.positives <= band.lower).mean())
        alarmed.append((new.negatives >= band.upper).mean())
    assert np.mean(missed) <= rate * 1.1 and np.mean(alarmed) <= rate * 1.1
    if apart < 3:  # nor is more left to a person than the promise needs
        assert np.mean(missed) > rate * 0.7 and np.mean(alarmed) > rate * 0.7


def test_the_ranks_of_the_band_by_hand() -> None:
    """Of 19 films a rate of 0.1 allows floor(0.1 * 20) = 2 errors, the second lowest and the second highest."""
    positives, negatives = 0.3 + np.arange(19) / 100, 0.2 + np.arange(19) / 100
    band = abstention_band(Predictions(np.repeat([1, 0], 19), np.r_[positives, negatives]), 0.1)
    assert (band.lower, band.upper) == pytest.approx((0.31, 0.37))
    assert band.holds(np.array([0.31, 0.32, 0.36, 0.37])).tolist() == [False, True, True, False]
    few = abstention_band(Predictions(np.repeat([1, 0], 8), np.r_[positives[:8], negatives[:8]]), 0.1)
    assert (few.lower, few.upper) == (0.0, 1.0)  # so few films promise nothing: all are left to a person


def test_between_classes_that_are_well_apart_lies_the_band() -> None:
    """A film in the gap is like those of neither class: it is left to a person, at every site alike."""
    probabilities = np.r_[np.linspace(0.01, 0.2, 100), np.linspace(0.8, 0.99, 100)]
    band = abstention_band(Predictions(np.repeat([0, 1], 100), probabilities), 0.02)
    assert 0.19 < band.lower <= 0.2 and 0.8 <= band.upper < 0.81
    assert band.holds(np.array([0.5]))[0]
