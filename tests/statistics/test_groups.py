"""Ages, links of a column with the label, and the truth of a class."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ai_for_sudan.statistics import Predictions, age_band, link, positive_truth


@pytest.mark.parametrize(
    ("text", "band"),
    [
        ("5", "1 to 5 years"), ("6", "6 to 17 years"), ("0.5", "under 1"), ("058Y", "40 to 64 years"),
        ("006M", "under 1"), ("018M", "1 to 5 years"), ("003W", "under 1"), ("400D", "1 to 5 years"),
        ("1", "1 to 5 years"), ("65", "65 years and over"), ("17.9", "6 to 17 years"), (" 18 y ", "18 to 39 years"),
        ("39", "18 to 39 years"), ("40", "40 to 64 years"), ("149", "65 years and over"),
        ("150", ""), ("-4", ""), ("old", ""), ("", ""), ("nan", ""), ("Y", ""),
    ],
)  # fmt: skip
def test_an_age_is_in_one_band(text: str, band: str) -> None:
    assert age_band(text) == band


def test_a_link_by_hand() -> None:
    labels = np.array([1, 1, 1, 0, 0, 0, 0, 1])
    views = np.array(["PA", "PA", "PA", "AP", "AP", "AP", "PA", "AP"])
    found = link(labels, views)
    assert found.groups == ("AP", "PA") and found.counts.tolist() == [[3, 1], [1, 3]]
    # chi-squared 8 * (3 * 3 - 1)^2 / 4^4 = 2; V = sqrt(2 / 8)
    assert found.cramers_v == pytest.approx(0.5) and found.p_value == pytest.approx(stats.chi2.sf(2, 1))
    assert link(labels, np.where(labels == 1, "x", "y")).cramers_v == pytest.approx(1)
    for nothing in (link(labels, np.full(8, "x")), link(np.ones(8, int), views)):
        assert (nothing.cramers_v, nothing.p_value) == (0, 1)


def test_a_film_without_a_label_is_neither_positive_nor_negative() -> None:
    np.testing.assert_array_equal(positive_truth(np.array([0, 1, 2, -1]), 1), [0, 1, 0, np.nan])
    findings = np.array([[1, 0], [np.nan, 1], [0, np.nan]], np.float32)
    np.testing.assert_array_equal(positive_truth(findings, 1), [0, 1, np.nan])
    known = Predictions.of(positive_truth(np.array([0, -1, 1]), 1), np.array([0.2, 0.9, 0.7]))
    assert known.labels.tolist() == [0, 1] and known.probabilities.tolist() == [0.2, 0.7] and len(known) == 2
