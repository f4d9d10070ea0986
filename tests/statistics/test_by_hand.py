"""Figures that can be counted on two hands."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ai_for_sudan.statistics import (
    Calls,
    Predictions,
    Resamples,
    auroc_delong,
    better,
    calibration_line,
    compare,
    delong_paired,
    link,
    mcnemar,
    p_of_areas,
    predictive_values,
    reliability,
    sensitivity,
    specificity,
    wilson,
)
from ai_for_sudan.statistics.comparison import in_words

#: four positive films, of which three are called, and six negative ones, of which one is
LABELS = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
CALLED = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0, 0], bool)


def test_sensitivity_and_specificity() -> None:
    assert sensitivity(LABELS, CALLED) == wilson(3, 4) and specificity(LABELS, CALLED) == wilson(5, 6)
    resamples = Resamples(np.array([np.ones(10), np.r_[2, np.ones(4), 3, np.zeros(4)]]), LABELS)
    assert resamples.sensitivity(CALLED) == pytest.approx([3 / 4, 4 / 5])
    assert resamples.specificity(CALLED) == pytest.approx([5 / 6, 3 / 4])
    assert resamples.mean(CALLED.astype(float)) == pytest.approx([4 / 10, 5 / 9])
    assert resamples.brier(np.full(10, 0.5)) == pytest.approx([0.25, 0.25])


def test_predictive_values_at_another_prevalence() -> None:
    """Of 1000 films 100 are positive: 75 are called, and 150 of the others."""
    assert predictive_values(3 / 4, 5 / 6, 0.1) == pytest.approx((75 / 225, 750 / 775))
    assert np.isnan(predictive_values(0.0, 1.0, 0.1)[0]) and np.isnan(predictive_values(1.0, 0.0, 0.1)[1])


def test_no_film_no_figure() -> None:
    nothing = wilson(0, 0)
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()
    only = link(np.zeros(3), np.array(["b", "a", "b"]))
    assert only.groups == ("a", "b") and only.counts.tolist() == [[1, 0], [2, 0]]
    assert (only.cramers_v, only.p_value) == (0.0, 1.0)


def test_areas_of_two_groups_differ_on_the_logit_scale() -> None:
    """Where every patient has one film, each variance is DeLong's, and they add up."""
    random = np.random.default_rng(0)
    labels, groups = np.arange(200) % 2, np.arange(200) < 100
    scores = labels * np.where(groups, 1.5, 0.5) + random.normal(size=200)
    first, second = (auroc_delong(labels[side], scores[side]) for side in (groups, ~groups))
    # The interval is symmetrical on the logit scale: its half is 1.96 standard errors there.
    at = [np.log(area.value / (1 - area.value)) for area in (first, second)]
    upper = [np.log(area.high / (1 - area.high)) for area in (first, second)]
    errors = [(end - centre) / 1.959964 for end, centre in zip(upper, at, strict=True)]
    expected = 2 * stats.t.sf(abs(at[0] - at[1]) / np.hypot(*errors), 49)
    assert p_of_areas(labels, scores, np.arange(200), groups, ~groups) == pytest.approx(expected) and expected < 0.01
    twice = np.r_[np.arange(100), np.arange(100)]
    assert p_of_areas(labels, np.r_[scores[:100], scores[:100]], twice, groups, ~groups) == 1.0


def test_bins_of_a_reliability_diagram() -> None:
    probabilities = np.r_[np.full(15, 0.8), np.full(15, 0.3)]
    labels = np.r_[np.ones(12), np.zeros(3), np.ones(3), np.zeros(12)]
    low, middle, high = reliability(labels, probabilities)
    assert [one.films for one in (low, middle, high)] == [10, 10, 10]
    assert low.given == pytest.approx(0.3) and middle.given == pytest.approx(0.55) and high.given == pytest.approx(0.8)
    assert low.share == wilson(3, 10) and middle.share == wilson(5, 10) and high.share == wilson(7, 10)
    assert len(reliability(labels[:9], probabilities[:9])) == 1
    many = np.arange(500) / 500
    assert len(reliability((many > 0.5).astype(int), many)) == 10


def test_two_readers_on_the_same_films() -> None:
    first = Calls(np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0]), 0.55)
    second = Calls(np.array([0.9, 0.1, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1]), 0.5)
    found = compare(LABELS, first, second)
    areas = delong_paired(LABELS, first.probabilities, second.probabilities)
    assert found == {
        "films": 10,
        "auroc_difference": areas.estimate.to_list(),
        "auroc_p": areas.p_value,
        "only_first_right": 4,
        "only_second_right": 0,
        "calls_p": pytest.approx(2 * 0.5**4),
    }
    swapped = compare(LABELS, second, first)
    assert (swapped["only_first_right"], swapped["only_second_right"]) == (0, 4)
    assert mcnemar(np.array([1, 0]), np.array([0, 1])) == pytest.approx(1.0)
    assert mcnemar(np.array([1, 1, 1, 0]), np.array([0, 0, 0, 1])) == pytest.approx(2 * 5 / 16)


def test_a_comparison_in_words() -> None:
    found = compare(LABELS, Calls(CALLED * 0.5 + 0.2, 0.5), Calls(LABELS * 0.4 + 0.3, 0.5))
    assert (found["films"], found["only_first_right"], found["only_second_right"]) == (10, 0, 2)
    words = {
        "films": 10, "auroc_difference": [-0.2083, -0.4, 0.01], "auroc_p": 0.1234, "only_first_right": 3,
        "only_second_right": 4, "calls_p": 0.5,
    }  # fmt: skip
    assert in_words(words, "old", "new") == (
        "old minus new on the same 10 films: AUROC -0.2083 (-0.4000 to +0.0100; p 0.123, DeLong); right alone on 3 "
        "films, wrong alone on 4 (p 0.5, McNemar)."
    )


def test_certain_probabilities_have_a_calibration_line_too() -> None:
    labels = np.array([0, 0, 1, 0, 1, 1, 0, 1])
    sure = np.array([0.0, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 1.0])
    nearly = sure.clip(1e-6, 1 - 1e-6)
    assert calibration_line(labels, sure) == pytest.approx(calibration_line(labels, nearly))
    assert all(np.isfinite(calibration_line(labels, sure)))


def test_a_gain_is_a_gain_in_the_right_direction() -> None:
    new, old = np.array([0.7, 0.6, 0.7, 0.8]), np.array([0.5, 0.5, 0.5, 0.5])
    up, is_better = better(new, old)
    assert up.value == pytest.approx(0.2) and up.low > 0 and is_better
    down, is_better = better(new, old, lower_is_better=True)
    assert down.value == pytest.approx(-0.2) and down.high < 0 and not is_better
    assert not better(old, old)[1]


def test_predictions_leave_out_what_nobody_knows() -> None:
    known = Predictions.of(np.array([1.0, np.nan, 0.0]), np.array([0.9, 0.8, 0.1], np.float32))
    assert known.labels.tolist() == [1, 0] and known.labels.dtype == np.int64
    assert known.probabilities.dtype == np.float64 and known.probabilities == pytest.approx([0.9, 0.1])
