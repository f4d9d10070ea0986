"""Shares and areas where a patient has several films."""

from __future__ import annotations

import numpy as np
import pytest

from ai_for_sudan.statistics import (
    auroc_delong,
    delong_paired,
    design_effect,
    link,
    mcnemar,
    p_of_shares,
    sensitivity,
    share_by_patient,
    specificity,
    wilson,
)


def test_films_of_different_patients_are_all_counted() -> None:
    hits = np.arange(40) % 4 > 0
    assert (
        share_by_patient(hits) == share_by_patient(hits, np.arange(40)) == wilson(30, 40)
        and design_effect(hits, np.arange(40)) == 1
    )
    labels = np.arange(40) % 2
    assert sensitivity(labels, hits) == wilson(20, 20) and specificity(labels, hits) == wilson(10, 20)
    assert np.isnan(share_by_patient(hits[:0]).value)


def test_ten_equal_films_of_a_patient_are_one() -> None:
    hits, patients = np.repeat(np.arange(60) % 3 > 0, 10), np.repeat(np.arange(60), 10)
    assert design_effect(hits, patients) == pytest.approx(10, rel=0.1)
    one = wilson(40, 60)
    assert [*share_by_patient(hits, patients)] == pytest.approx([*one], abs=0.01)
    # Films of a patient that have nothing to do with each other are worth nearly as many patients.
    random = np.random.default_rng(0)
    assert design_effect(random.random(600) < 0.5, patients) < 1.3


def test_no_error_is_no_certainty() -> None:
    patients = np.repeat(np.arange(5), 20)
    found = share_by_patient(np.ones(100, bool), patients)
    assert found.value == 1 and found.low < wilson(5, 5).low < wilson(100, 100).low
    alone = share_by_patient(np.ones(30, bool), np.zeros(30))
    assert alone.low < 0.3 and alone.high == 1


def test_intervals_of_clustered_films_cover() -> None:
    random = np.random.default_rng(1)
    patients = np.repeat(np.arange(40), 6)
    covered = {"by patient": 0, "by film": 0}
    for _ in range(200):
        hits = random.random(240) < random.beta(2.4, 0.6, 40)[patients]
        for name, whose in (("by patient", patients), ("by film", None)):
            found = share_by_patient(hits, whose)
            covered[name] += found.low <= 0.8 <= found.high
    assert covered["by patient"] >= 182 and covered["by film"] < 170


def test_two_groups_of_children_alike_seldom_differ() -> None:
    random = np.random.default_rng(2)
    patients = np.repeat(np.arange(60), 8)
    inside = patients < 30
    marked = 0
    for _ in range(150):
        hits = random.random(480) < random.beta(2.4, 0.6, 60)[patients]
        marked += p_of_shares(hits, patients, inside, ~inside) < 0.05
    assert marked <= 12
    different = np.random.default_rng(3).random(480) < np.where(inside, 0.9, 0.5)
    assert p_of_shares(different, patients, inside, ~inside) < 0.001


def test_the_area_of_copied_films_has_the_interval_of_the_films() -> None:
    """Obuchowski 1997: with every film three times, nothing more is known than of the films once."""
    random = np.random.default_rng(0)
    labels = np.arange(90) % 2
    scores, other = (labels + random.normal(size=90) for _ in range(2))
    patients = np.arange(90)
    once, thrice = auroc_delong(labels, scores), auroc_delong(*(np.tile(x, 3) for x in (labels, scores, patients)))
    assert [*thrice] == pytest.approx([*once], abs=1e-3)
    assert [*auroc_delong(labels, scores, patients)] == pytest.approx([*once])
    too_sure = auroc_delong(np.tile(labels, 3), np.tile(scores, 3))
    assert too_sure.high - too_sure.low < 0.7 * (once.high - once.low)
    paired = delong_paired(*(np.tile(x, 3) for x in (labels, scores, other, patients)))
    assert paired.p_value == pytest.approx(delong_paired(labels, scores, other).p_value, abs=0.01)


def test_a_patient_with_films_of_both_classes() -> None:
    """The variance by the formula of Obuchowski (1997), pair by pair, with its covariance of both classes."""
    random = np.random.default_rng(4)
    patients, labels = np.repeat(np.arange(12), 4), np.tile([1, 0, 0, 1], 12)
    scores = labels + random.normal(size=12)[patients] + random.normal(size=48)
    positive, negative = scores[labels == 1], scores[labels == 0]
    psi = (positive[:, None] > negative).astype(float)
    area = psi.mean()
    sums = [
        np.array([(placed - area)[whose == p].sum() for p in range(12)])
        for placed, whose in ((psi.mean(1), patients[labels == 1]), (psi.mean(0), patients[labels == 0]))
    ]
    s10, s01, s11 = ((one * two).sum() * 12 / 11 / 24 for one, two in ((sums[0],) * 2, (sums[1],) * 2, sums))
    variance = s10 / 24 + s01 / 24 + 2 * s11 / 24
    found = delong_paired(labels, scores, np.zeros(48), patients).estimate
    assert (found.high - found.value) / 1.959964 == pytest.approx(np.sqrt(variance), rel=1e-5)


def test_a_patient_votes_once_between_two_readers() -> None:
    first, second = np.ones(12, bool), np.r_[np.zeros(10, bool), np.ones(2, bool)]
    patients = np.repeat([0, 1], [10, 2])
    assert mcnemar(first, second) == pytest.approx(2 * 0.5**10) and mcnemar(first, second, patients) == 1.0


def test_a_link_of_few_patients_is_weak() -> None:
    labels = np.repeat([0, 0, 1, 1, 1, 0], 20)
    views, patients = np.repeat(["AP", "AP", "PA", "PA", "PA", "PA"], 20), np.repeat(np.arange(6), 20)
    assert link(labels, views).p_value < 1e-6 < 0.05 < link(labels, views, patients).p_value
    assert link(labels, views).cramers_v == link(labels, views, patients).cramers_v
