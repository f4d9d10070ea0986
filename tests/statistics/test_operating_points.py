"""Operating points against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from ai_for_sudan.statistics import PROMISES, Predictions, Promise, operating_points, recalibrated, youden_cut

PAIR = {"own": Promise(0.1, 0.1)}


def drawn(count: int, seed: int, apart: float, shift: float = 0.0) -> Predictions:
    random = np.random.default_rng(seed)
    labels = (random.random(count) < 0.4).astype(int)
    return Predictions(labels, expit(random.normal(apart * (labels - 0.5) + shift, 1)))


def of(positives: np.ndarray, negatives: np.ndarray) -> Predictions:
    return Predictions(np.repeat([1, 0], [len(positives), len(negatives)]), np.r_[positives, negatives])


@pytest.mark.parametrize(("promise", "apart"), [((0.02, 0.1), 2.0), ((0.1, 0.02), 2.0), ((0.05, 0.05), 6.0)])
def test_the_promise_is_kept_on_new_films(promise: tuple[float, float], apart: float) -> None:
    """At most the promised rates, on new films, on average over draws; and hardly less, or too many are uncertain."""
    missed, alarms, uncertain = [], [], []
    for seed in range(150):
        point = operating_points([drawn(400, seed, apart)], {"own": Promise(*promise)})["own"]
        new = drawn(400, 1000 + seed, apart)
        missed.append((point.statuses(new.positives) == "not_seen").mean())
        alarms.append((point.statuses(new.negatives) == "suspected").mean())
        uncertain.append((point.statuses(new.probabilities) == "uncertain").mean())
    assert np.mean(missed) <= promise[0] * 1.1 and np.mean(alarms) <= promise[1] * 1.1
    if apart < 3:
        assert np.mean(missed) > promise[0] * 0.6 and np.mean(alarms) > promise[1] * 0.6
    else:  # the classes are so far apart that one cut-off keeps both promises
        assert np.mean(uncertain) == 0


def test_the_set_that_asks_most_decides_on_each_side() -> None:
    """Perturbed positives score lower and another site's negatives higher: no set alone asks for both cut-offs."""
    here, faint, bright = drawn(2000, 0, 3), drawn(2000, 1, 3, -1), drawn(2000, 2, 3, 1)
    points = operating_points([here, faint, bright])
    for name, promise in PROMISES.items():
        for one in (here, faint, bright):
            assert (points[name].statuses(one.positives) == "not_seen").mean() <= promise.missed
            assert (points[name].statuses(one.negatives) == "suspected").mean() <= promise.false_alarms
        alone = [operating_points([one])[name] for one in (faint, bright)]
        assert points[name].not_seen_below == alone[0].not_seen_below
        assert points[name].suspected_from == alone[1].suspected_from


def test_points_differ_in_what_they_promise() -> None:
    points = operating_points([drawn(4000, 3, 2)])
    missed, alarms = ([getattr(points[name], key) for name in PROMISES] for key in ("not_seen_below", "suspected_from"))
    assert missed == sorted(set(missed)) and alarms == sorted(set(alarms))
    assert points["screening"].reason == (
        "at most 2% of positive films are not seen, at most 10% of negative films are suspected"
    )
    assert (points["screening"].missed, points["screening"].false_alarms) == PROMISES["screening"]


def test_the_ranks_by_hand() -> None:
    """Of 19 films a rate of 0.1 allows floor(0.1 * 20) = 2 errors; cut-offs lie between two films."""
    positives, negatives = 0.3 + np.arange(19) / 100, 0.2 + np.arange(19) / 100
    point = operating_points([of(positives, negatives)], PAIR)["own"]
    assert (point.not_seen_below, point.suspected_from) == pytest.approx((0.305, 0.375))
    nine = operating_points([of(positives[:9], negatives[:9])], PAIR)["own"]
    assert (nine.not_seen_below, nine.suspected_from) == pytest.approx((0.29, 0.29), abs=1e-3)  # they cross
    assert (nine.statuses(positives[:9]) != "not_seen").all() and (nine.statuses(negatives[:9]) != "suspected").all()


@pytest.mark.parametrize("films", [9, 12, 18])
def test_the_promise_is_kept_and_used_with_the_fewest_films(films: int) -> None:
    """At rank 1 of n films one future film in n + 1 is missed: neither more, nor far less."""
    random = np.random.default_rng(films)
    missed, alarms = [], []
    for _ in range(1500):
        positives, negatives = (expit(random.normal(at, 1, 2 * films)) for at in (0.5, -0.5))
        point = operating_points([of(np.sort(positives[:films]), np.sort(negatives[:films]))], PAIR)["own"]
        missed.append((point.statuses(positives[films:]) == "not_seen").mean())
        alarms.append((point.statuses(negatives[films:]) == "suspected").mean())
    for share in (missed, alarms):
        assert np.mean(share) == pytest.approx(1 / (films + 1), abs=0.01)


def test_too_few_films_promise_nothing_and_say_so() -> None:
    few, many = of(np.full(8, 0.9), np.full(8, 0.1)), drawn(400, 5, 2)
    point = operating_points([few], PAIR)["own"]
    assert (point.not_seen_below, point.suspected_from) == (0.0, 1.0)
    assert "too few positive films to promise this, at least 9" in point.reason
    assert set(point.statuses(few.probabilities)) == {"uncertain"}
    assert operating_points([few, many], PAIR) == operating_points([many], PAIR)


def test_films_of_one_class_decide_on_their_own_side() -> None:
    """Normal films of another hospital say where suspicion may begin, and nothing of what may be missed."""
    here, normals = drawn(2000, 6, 3), of(np.zeros(0), expit(np.random.default_rng(7).normal(0, 1, 500)))
    alone, both = operating_points([here])["balanced"], operating_points([here, normals])["balanced"]
    assert both.not_seen_below == alone.not_seen_below and both.suspected_from > alone.suspected_from
    assert operating_points([normals])["balanced"].not_seen_below == 0.0


def test_where_the_classes_are_far_apart_one_cut_off_lies_in_the_middle() -> None:
    point = operating_points([of(np.linspace(0.8, 0.99, 100), np.linspace(0.01, 0.2, 100))])["balanced"]
    assert point.not_seen_below == point.suspected_from == pytest.approx(0.5, abs=0.02)


def test_equal_probabilities_stay_on_one_side() -> None:
    """A quantised reader gives many films the same probability: no false alarm is let in by a tie."""
    ties = of(np.repeat([0.5, 0.9], [20, 80]), np.repeat([0.1, 0.5, 0.7], [80, 15, 5]))
    point = operating_points([ties], PAIR)["own"]
    assert (point.statuses(ties.negatives) == "suspected").mean() <= 0.1
    assert (point.statuses(ties.positives) == "not_seen").mean() <= 0.1
    flat = operating_points([of(np.ones(40), np.ones(40))], PAIR)["own"]
    assert 0 <= flat.not_seen_below <= flat.suspected_from <= 1


def test_a_recalibrated_cut_off_parts_the_same_films() -> None:
    scores = np.random.default_rng(0).normal(0, 2, 500)
    after = recalibrated(0.3, 0.4, -1.0)
    np.testing.assert_array_equal(expit(scores) >= 0.3, expit(0.4 * scores - 1.0) >= after)
    assert (recalibrated(0.0, 0.4, 3.0), recalibrated(1.0, 0.4, -3.0)) == (0.0, 1.0), "these part nothing"


def test_the_one_threshold_lies_in_the_gap() -> None:
    films = Predictions.of(np.array([0, 0, 1, 1, np.nan]), np.array([0.1, 0.2, 0.6, 0.9, 0.3]))
    assert youden_cut(films, films) == pytest.approx(0.4)
    assert youden_cut(films, of(np.ones(3), np.zeros(0))) == 0.5, "one class chooses nothing"


def test_the_one_threshold_is_chosen_where_it_is_worst_and_not_on_the_mean() -> None:
    """At 0.25 sensitivity and specificity add up to 2.0 and 1.0; at 0.65 to 1.1 and 1.8: the mean takes the first."""
    a = of(np.r_[np.full(9, 0.3), np.full(1, 0.9)], np.full(10, 0.2))
    b = of(np.r_[np.full(2, 0.1), np.full(8, 0.9)], np.r_[np.full(2, 0.2), np.full(8, 0.4)])
    sums = {cut: [(p.positives >= cut).mean() + (p.negatives < cut).mean() for p in (a, b)] for cut in (0.25, 0.65)}
    assert np.mean(sums[0.25]) > np.mean(sums[0.65]) and min(sums[0.65]) > min(sums[0.25])
    assert youden_cut(a, b) == pytest.approx(0.65)
