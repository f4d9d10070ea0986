"""Columns that may be linked with the label: on tables worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import chi2

from ai_for_sudan.sites import nuisance
from ai_for_sudan.statistics import Resamples, quick_auroc


def table(**cells: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Labels and levels: so many negative and positive films of each level."""
    labels = [label for negative, positive in cells.values() for label in [0.0] * negative + [1.0] * positive]
    levels = [level for level, cell in cells.items() for _ in range(sum(cell))]
    return np.array(labels), np.array(levels)


def levels(column: str, values: Sequence[str]) -> list[str] | None:
    found = nuisance.levels([{column: value} for value in values], column)
    return None if found is None else found.tolist()


def test_levels_of_fewer_than_ten_films_are_put_together() -> None:
    assert levels("device", ["A"] * 10 + ["b"] * 9 + ["c"] * 2) == ["A"] * 10 + ["other"] * 11
    assert levels("device", ["A"] * 12) is None
    assert levels("device", ["A"] * 3 + ["b"] * 9) is None, "all of them are others"


def test_what_is_written_differently_is_one_level() -> None:
    assert levels("view", [" ap ", "AP"] * 10 + ["pa"] * 10) == ["AP"] * 20 + ["PA"] * 10
    assert levels("sex", ["f"] * 10 + [""] * 10) == ["F"] * 10 + ["not given"] * 10
    assert levels("site", ["Omdurman"] * 10 + ["omdurman"] * 10) == ["Omdurman"] * 10 + ["omdurman"] * 10
    assert levels("age", ["3"] * 10 + ["058Y"] * 10 + ["?"] * 5 + [" "] * 5) == (
        ["1 to 5 years"] * 10 + ["40 to 64 years"] * 10 + ["not given"] * 10
    )


def test_a_link_by_hand() -> None:
    label, view = table(PA=(10, 30), AP=(30, 10))
    found = nuisance.linked(label, view)
    # chi squared of a fourfold table: n (ad - bc)^2 / product of its margins
    squared = 80 * (30 * 30 - 10 * 10) ** 2 / 40**4
    assert found["p"] == pytest.approx(chi2.sf(squared, 1)) and found["cramers_v"] == pytest.approx(np.sqrt(20 / 80))
    # A reader that calls PA alone: sensitivity and specificity 3/4, and the area under its one corner is their mean.
    assert found["auroc_alone"] == pytest.approx(0.75)
    assert found["linked"] is True
    assert found["levels"] == {"AP": {"films": 40, "positive": 0.25}, "PA": {"films": 40, "positive": 0.75}}
    label, view = table(PA=(19, 21), AP=(21, 19))
    assert nuisance.linked(label, view)["linked"] is False


def test_weights_give_every_level_the_share_of_positives_of_all() -> None:
    label, view = table(AP=(30, 10), PA=(10, 30))
    weights = nuisance.balancing_weights(label, [view])
    expected = np.where((view == "AP") == (label == 1), 20 / 10, 20 / 30)
    np.testing.assert_allclose(weights, expected)
    np.testing.assert_array_equal(nuisance.balancing_weights(label, []), np.ones(80))


def test_no_film_counts_for_more_than_five_or_less_than_a_fifth() -> None:
    # 15 % of all films are positive. Wanted of A's hundred: 15 positive, of which there are 95, and 85 negative of 5.
    label, level = table(A=(5, 95), B=(845, 55))
    weights = nuisance.balancing_weights(label, [level])
    np.testing.assert_allclose(weights[(level == "A") & (label == 1)], 0.2)
    np.testing.assert_allclose(weights[(level == "A") & (label == 0)], 5.0)
    np.testing.assert_allclose(weights[(level == "B") & (label == 1)], 900 * 0.15 / 55)
    np.testing.assert_allclose(weights[(level == "B") & (label == 0)], 900 * 0.85 / 845)


def test_auroc_within_each_level_and_over_all_pairs_inside_a_level() -> None:
    labels = np.array([0.0, 0, 1, 1, 0, 1])
    level = np.array(["A", "A", "A", "A", "B", "B"])
    old, new = np.array([1.0, 3, 2, 4, 9, 8]), np.array([1.0, 2, 3, 4, 5, 6])
    # Before: of A's four pairs three are in order, B's one is not. Afterwards all are.
    found = nuisance.within(Resamples(np.ones((3, 6)), labels), old, new, level, np.array(["1"] * 6))
    assert (found["before"], found["after"]) == ([3 / 5] * 3, [1.0] * 3)
    assert found["gain"] == pytest.approx([2 / 5] * 3)
    assert list(found["levels"]) == ["A", "B"]
    assert found["levels"]["A"] == {
        "films": 4, "positive": 2, "before": [0.75] * 3, "after": [1.0] * 3, "gain": [0.25] * 3,
    }  # fmt: skip
    assert found["levels"]["B"] == {
        "films": 2, "positive": 1, "before": [0.0] * 3, "after": [1.0] * 3, "gain": [1.0] * 3,
    }  # fmt: skip


def test_ranks_of_different_folds_are_not_compared() -> None:
    """Each fold orders its two films rightly; one fold's log-odds lie higher than the other's."""
    labels, folds = np.array([0.0, 1, 0, 1]), np.array(["1", "1", "2", "2"])
    scores, level = np.array([0.0, 1, 5, 6]), np.array(["A"] * 4)
    found = nuisance.within(Resamples(np.ones((3, 4)), labels), scores, scores, level, folds)
    assert found["before"] == found["levels"]["A"]["after"] == [1.0] * 3


def test_draws_that_left_films_out_leave_them_out_of_each_level() -> None:
    labels, level = np.array([0.0, 1, 0]), np.array(["A", "A", "A"])
    # The second and third row drew the first two films only: the pair in order.
    counts = np.array([[1.0, 1, 1], [1, 1, 0], [1, 1, 0]])
    found = nuisance.within(Resamples(counts, labels), *[np.array([1.0, 2, 3])] * 2, level, np.array(["1"] * 3))
    assert found["levels"]["A"]["before"] == found["before"] == [0.5, 1.0, 1.0]


def test_films_that_look_alike_are_put_into_fifths_from_the_least_to_the_most_suspicious() -> None:
    rng = np.random.default_rng(0)
    label = np.arange(200.0) % 2
    pictures = rng.normal(size=(200, 6))
    pictures[:, 4] += 4 * label  # the scanner of the positive films is sharper
    fifths = nuisance.acquisition_score(pictures, label, np.arange(200))
    names, counts = np.unique(fifths, return_counts=True)
    assert names.tolist() == [f"fifth {n}" for n in (1, 2, 3, 4, 5)] and counts.tolist() == [40] * 5
    shares = [label[fifths == name].mean() for name in names]
    assert max(shares[:2]) < 0.1 and min(shares[3:]) > 0.9


def test_a_film_is_scored_by_what_was_learnt_from_other_patients() -> None:
    """Labels that mean nothing; each patient's films look the same, so that a fit which saw one knows the other."""
    areas = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        patients = np.arange(36) // 3
        label = (rng.permutation(12) % 2).astype(float)[patients]
        fifths = nuisance.acquisition_score(rng.normal(size=(12, 6))[patients], label, patients, seed=seed)
        areas.append(quick_auroc(label, np.array([int(name[-1]) for name in fifths])))
    assert np.mean(areas) < 0.6


def test_two_patients_of_a_class_are_enough_for_two_folds() -> None:
    label = np.array([1.0] * 2 + [0.0] * 8)
    fifths = nuisance.acquisition_score(np.random.default_rng(0).normal(size=(10, 6)), label, np.arange(10))
    assert len(fifths) == 10
