"""Statistics against published worked examples, brute force and the libraries."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import brier_score_loss, roc_auc_score

from ai_for_sudan.errors import UserError
from ai_for_sudan.statistics import (
    auroc_delong,
    bootstrap_by_patient,
    brier,
    calibration_line,
    decision_curve,
    delong_paired,
    ece,
    ece_bias,
    holm,
    interval_width,
    mcnemar,
    predictive_values,
    quick_auroc,
    sensitivity,
    specificity,
    wilson,
)


def sample(count: int = 60, seed: int = 0, ties: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3 == 0
    first, second = (labels * 0.8 + random.normal(size=count) for _ in range(2))
    return labels.astype(int), np.round(first, 1) if ties else first, second


def by_definition(labels: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[float, float, float]:
    """DeLong 1988, equations 3 to 5, pair by pair: two areas and the variance of their difference."""

    def placements(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        positive, negative = scores[labels == 1], scores[labels == 0]
        psi = (positive[:, None] > negative).astype(float) + 0.5 * (positive[:, None] == negative)
        return psi.mean(1), psi.mean(0)

    (x, a), (y, b) = placements(first), placements(second)
    return x.mean(), y.mean(), (x - y).var(ddof=1) / len(x) + (a - b).var(ddof=1) / len(a)


def test_auroc_of_hanley_and_mcneil() -> None:
    """Hanley and McNeil 1982, table I: 109 CT images rated 1 to 5; the area is 0.893, their standard error 0.032."""
    normal, abnormal = (33, 6, 6, 11, 2), (3, 2, 2, 11, 33)
    scores = np.concatenate([np.repeat(np.arange(1, 6), counts) for counts in (normal, abnormal)])
    labels = np.repeat([0, 1], [58, 51])
    found = auroc_delong(labels, scores)
    assert found.value == pytest.approx(0.893, abs=5e-4)
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(0.032, abs=3e-3)
    assert found.low < 0.893 < found.high < 1


@pytest.mark.parametrize("seed", range(3))
def test_delong_by_its_definition(seed: int) -> None:
    labels, first, second = sample(seed=seed)
    area, other, variance = by_definition(labels, first, second)
    assert auroc_delong(labels, first).value == pytest.approx(area) == pytest.approx(roc_auc_score(labels, first))
    found = delong_paired(labels, first, second)
    assert found.estimate.value == pytest.approx(area - other)
    assert found.estimate.high - found.estimate.value == pytest.approx(1.959964 * np.sqrt(variance), rel=1e-5)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(area - other) / np.sqrt(variance)))


def test_an_area_of_one_is_no_certainty() -> None:
    found = auroc_delong(np.array([0, 0, 0, 1, 1, 1]), np.arange(6.0))
    assert found.value == 1 and found.low == pytest.approx(wilson(3, 3).low) and found.low < 0.5


def test_a_reader_against_itself() -> None:
    labels, first, _ = sample()
    found = delong_paired(labels, first, first)
    assert found.p_value == 1 and found.estimate.value == found.estimate.low == 0


def test_wilson_of_newcombe() -> None:
    """Newcombe 1998, table I, method 3 (score without continuity correction)."""
    for successes, total, low, high in (
        (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)
    ):  # fmt: skip
        found = wilson(successes, total)
        assert found.low == pytest.approx(low, abs=6e-5) and found.high == pytest.approx(high, abs=6e-5)
    assert np.isnan(wilson(0, 0).value)


def test_mcnemar_by_the_binomial() -> None:
    """Ten films only the first reader got right and two only the second: 2 * P(X <= 2), X ~ B(12, 1/2)."""
    first = np.repeat([True, False, True, False], [10, 2, 30, 5])
    second = np.repeat([False, True, True, False], [10, 2, 30, 5])
    assert mcnemar(first, second) == pytest.approx(2 * (1 + 12 + 66) / 4096) == mcnemar(second, first)
    assert mcnemar(first, first) == 1


def test_sensitivity_and_specificity_count_their_own_class() -> None:
    labels, called = np.array([1, 1, 1, 1, 0, 0]), np.array([1, 1, 1, 0, 1, 0])
    assert sensitivity(labels, called).value == 0.75 and specificity(labels, called).value == 0.5


def test_predictive_values_by_bayes() -> None:
    """Of 1,000 at a prevalence of 1 %: 9 of 10 positive and 89 of 990 negative are called: PPV is 9 / (9 + 89.1)."""
    ppv, npv = predictive_values(0.9, 0.91, 0.01)
    assert ppv == pytest.approx(9 / (9 + 89.1)) and npv == pytest.approx(900.9 / (900.9 + 1))
    assert np.isnan(predictive_values(0.0, 1.0, 0.5)[0])


def test_calibration() -> None:
    random = np.random.default_rng(0)
    logit = random.normal(0, 2, 40_000)
    labels = (random.random(40_000) < 1 / (1 + np.exp(-logit))).astype(int)
    right, bold = (1 / (1 + np.exp(-scale * logit)) for scale in (1.0, 2.0))
    assert calibration_line(labels, right) == pytest.approx((1, 0), abs=0.05)
    assert calibration_line(labels, bold)[0] == pytest.approx(0.5, abs=0.03)  # too bold by two
    assert ece(labels, right) < 0.01 < 0.05 < ece(labels, bold)
    assert brier(labels, right) == pytest.approx(brier_score_loss(labels, right))
    few = right[:200]
    assert ece_bias(few) == pytest.approx(np.mean([ece(random.random(200) < few, few) for _ in range(400)]), rel=0.1)


def test_ece_by_hand() -> None:
    assert ece(np.array([0, 1, 1, 1]), np.array([0.2, 0.4, 0.9, 0.9]), bins=2) == pytest.approx((0.4 + 0.2) / 4)


def test_net_benefit_by_hand() -> None:
    labels, probability = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.3, 0.6, 0.2, 0.1])
    found = decision_curve(labels, probability, np.array([0.05, 0.25, 0.5]))
    everyone = 2 / 5 - 3 / 5 * 0.05 / 0.95
    assert found == pytest.approx([everyone, 2 / 5 - 1 / 5 / 3, 1 / 5 - 1 / 5])


def test_whole_patients_are_drawn() -> None:
    """100 patients of 10 equal films are as good as 100 films, not as 1,000."""
    values = np.random.default_rng(0).random(100) < 0.5
    films, patients = np.repeat(values, 10), np.repeat(np.arange(100), 10)
    by_patient = bootstrap_by_patient(lambda rows: {"share": films[rows].mean()}, patients, rounds=800)["share"]
    by_film = bootstrap_by_patient(lambda rows: {"share": films[rows].mean()}, np.arange(1000), rounds=800)["share"]
    ratio = (by_patient.high - by_patient.low) / (by_film.high - by_film.low)
    assert ratio == pytest.approx(np.sqrt(10), rel=0.2)
    again = bootstrap_by_patient(lambda rows: {"share": films[rows].mean()}, patients, rounds=800)["share"]
    assert again == by_patient


def test_bootstrap_and_delong_agree() -> None:
    labels, scores, _ = sample(400, ties=False)
    drawn = bootstrap_by_patient(
        lambda rows: {"auroc": quick_auroc(labels[rows], scores[rows])}, np.arange(400), rounds=1500
    )["auroc"]
    closed = auroc_delong(labels, scores)
    assert drawn.value == pytest.approx(closed.value)
    assert (drawn.low, drawn.high) == pytest.approx((closed.low, closed.high), abs=0.015)


def test_quick_auroc() -> None:
    labels, scores, _ = sample()
    assert quick_auroc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
    assert np.isnan(quick_auroc(np.ones(3, int), np.arange(3.0)))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    for order in itertools.permutations([0.2, 0.01, 0.6]):
        assert dict(zip(order, holm(list(order)), strict=True)) == pytest.approx({0.01: 0.03, 0.2: 0.4, 0.6: 0.6})


def test_more_films_make_it_narrower() -> None:
    assert interval_width(0.9, 120) == pytest.approx(wilson(108, 120).high - wilson(108, 120).low)
    assert interval_width(0.9, 1200) < interval_width(0.9, 120) < interval_width(0.9, 12)


@pytest.mark.parametrize(
    ("labels", "scores", "complaint"),
    [
        ([1, 1, 1], [0.1, 0.2, 0.3], "all 3 films have the same label"),
        ([0, 1], [0.1, np.nan], "1 of 2 scores are not numbers"),
        ([0, 2], [0.1, 0.2], "must be 0 or 1"),
        ([0, 1, 1], [0.1, 0.2], "3 labels but 2 scores"),
    ],
)
def test_bad_input_is_reported(labels: list[int], scores: list[float], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        auroc_delong(np.array(labels), np.array(scores))


def test_constant_scores_are_a_coin() -> None:
    found = auroc_delong(np.array([0, 1] * 10), np.full(20, 0.4))
    assert found.value == 0.5 and found.low < 0.3 < 0.7 < found.high
