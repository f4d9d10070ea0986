"""Figures over resamples of patients."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from ai_for_sudan.statistics import Resamples, better, bootstrap_by_patient, ece, percentile_interval


def test_figures_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random(150) < 0.4).astype(float)
    scores = np.round(labels + rng.normal(size=150), 1)
    resamples = Resamples.of(labels, np.arange(150) // 3, count=50)
    assert resamples.auroc(scores)[0] == pytest.approx(roc_auc_score(labels, scores))
    assert resamples.brier(expit(scores))[0] == pytest.approx(brier_score_loss(labels, expit(scores)))
    assert resamples.log_loss(scores)[0] == pytest.approx(log_loss(labels, expit(scores)))
    drawn = resamples.counts[7].astype(int)
    again = np.repeat(np.arange(150), drawn)
    assert resamples.auroc(scores)[7] == pytest.approx(roc_auc_score(labels[again], scores[again]))
    assert len({tuple(drawn[i : i + 3]) for i in range(0, 150, 3)} - {(k, k, k) for k in range(10)}) == 0


def test_both_ways_to_resample_draw_alike_and_bin_alike() -> None:
    rng = np.random.default_rng(1)
    probability = rng.random(90)
    labels = (rng.random(90) < probability).astype(float)
    patients = np.arange(90) // 2
    resamples = Resamples.of(labels, patients, count=200, seed=3)
    assert resamples.ece(probability)[0] == pytest.approx(ece(labels, probability))
    by_counts = percentile_interval(resamples.brier(probability))
    by_rows = bootstrap_by_patient(
        lambda rows: {"brier": float(((probability - labels)[rows] ** 2).mean())}, patients, rounds=200, seed=3
    )["brier"]
    assert [*by_counts] == pytest.approx([*by_rows])


def test_a_figure_that_most_draws_lack_has_no_interval() -> None:
    half = percentile_interval(np.array([0.5, 0.4, 0.6, np.nan, np.nan]))
    assert (half.low, half.high) == pytest.approx((0.405, 0.595))
    few = percentile_interval(np.array([0.5, 0.4, np.nan, np.nan]))
    assert few.value == 0.5 and np.isnan(few.low) and few.to_list() == [0.5, None, None]
    assert np.isnan(percentile_interval(np.array([np.nan, 0.4, 0.5])).low)


def test_auroc_within_strata_compares_inside_only() -> None:
    labels = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    strata = np.array(["a", "a", "a", "a", "b", "b", "b", "b"])
    scores = np.array([1, 2, 3, 4, 12, 13, 10, 11.0])
    whole = Resamples(np.ones((1, 8)), labels.astype(float))
    assert whole.auroc(scores, strata)[0] == 0.5  # 1.0 in a, 0.0 in b
    assert whole.auroc(scores)[0] == pytest.approx(0.5)
    assert whole.auroc(scores * (strata == "a"), np.array(["x"] * 8))[0] == whole.auroc(scores * (strata == "a"))[0]


def test_intervals_cover_and_gains_need_to_be_beyond_noise() -> None:
    rng = np.random.default_rng(0)
    covered, called = 0, 0
    for seed in range(60):
        labels = (rng.random(100) < 0.5).astype(float)
        old, new = labels + rng.normal(size=100), labels + rng.normal(size=100)
        resamples = Resamples.of(labels, np.arange(100), count=400, seed=seed)
        _, low, high = percentile_interval(resamples.auroc(old))
        covered += low < 0.7602 < high  # P(N(1, 2) > 0)
        called += better(resamples.auroc(new), resamples.auroc(old))[1]
    assert covered >= 52
    assert called <= 6


def test_the_draws_are_those_of_seed_0_unless_another_is_given() -> None:
    values, patients = np.random.default_rng(2).random(30), np.arange(30)

    def figure(rows: np.ndarray) -> dict[str, float]:
        return {"mean": float(values[rows].mean())}

    drawn = [
        bootstrap_by_patient(figure, patients, rounds=40, **seed)["mean"] for seed in ({}, {"seed": 0}, {"seed": 1})
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_an_interval_of_the_calibration_error_holds_its_estimate() -> None:
    """A resample has duplicates, so that its error is larger: uncorrected, the interval lies above the error."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        probability = rng.random(60)
        labels = (rng.random(60) < probability).astype(float)
        drawn = Resamples.of(labels, np.arange(60), count=200, seed=seed).ece(probability)
        found = percentile_interval(drawn, biased=True)
        assert 0 <= found.low < found.value < found.high
        assert found.high - found.low == pytest.approx(np.subtract(*np.quantile(drawn[1:], (0.975, 0.025))), abs=0.05)
        by_rows = bootstrap_by_patient(
            lambda rows, labels=labels, probability=probability: {"ece": ece(labels[rows], probability[rows])},
            np.arange(60),
            rounds=100,
        )["ece"]
        assert by_rows.low < by_rows.value < by_rows.high
