"""Calibration, operating points and abstention against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ai_for_sudan.export.choices import abstention, calibrate, cross_calibrated, operating_points
from ai_for_sudan.statistics import Predictions, ece


def drawn(count: int, seed: int, spread: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and log-odds that are right on the average."""
    random = np.random.default_rng(seed)
    odds = random.normal(0, spread, count)
    return (random.random(count) < 1 / (1 + np.exp(-odds))).astype(int), odds


def test_calibration_undoes_an_overconfident_network() -> None:
    labels, odds = drawn(20_000, 0)
    logits = torch.from_numpy(np.stack([np.zeros_like(odds), odds * 3 + 1.5], 1)).float()
    calibration = calibrate(logits, labels, "exclusive")
    with torch.inference_mode():
        found = calibration(logits).numpy()[:, 1]
    assert ece(labels, logits.softmax(1)[:, 1].numpy()) > 0.08
    assert ece(labels, found) < 0.02
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-odds)), atol=0.02)


def test_findings_without_a_label_take_no_part() -> None:
    labels, odds = drawn(20_000, 1)
    table = np.stack([labels, np.full(len(labels), np.nan)], 1)
    table[:10, 1] = [0, 1] * 5
    logits = torch.from_numpy(np.stack([odds * 2, odds], 1)).float()
    assert float(calibrate(logits, table, "multilabel").scale[0]) == pytest.approx(0.5, abs=0.03)


def test_operating_points_keep_their_promise() -> None:
    (labels, odds), (perturbed_labels, perturbed) = drawn(4000, 2, 5.0), drawn(4000, 3, 4.0)
    clean = Predictions(labels, 1 / (1 + np.exp(-odds)))
    points = operating_points(clean, Predictions(perturbed_labels, 1 / (1 + np.exp(-perturbed))))
    assert points["screening"]["perturbed"]["sensitivity"][0] >= 0.95
    assert points["rule-in"]["perturbed"]["specificity"][0] >= 0.95
    assert points["screening"]["threshold"] <= points["balanced"]["threshold"] <= points["rule-in"]["threshold"]


def test_the_figures_of_a_calibration_are_of_films_that_it_was_not_fitted_on() -> None:
    random = np.random.default_rng(4)
    patients = np.repeat(np.arange(10), 3)
    labels = np.repeat(np.tile([0, 1], 5), 3)
    logits = torch.from_numpy(random.normal(0, 1, (30, 2)) + np.eye(2)[labels] * 2).float()
    found = cross_calibrated(logits, labels, patients, "exclusive")
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)
    first = np.flatnonzero(patients == 0)
    # Patient 0 shares its part with one other patient: the calibration must be one that saw neither of them.
    without = [(patients != 0) & (patients != other) for other in range(1, 10)]
    fits = [calibrate(logits[keep], labels[keep], "exclusive")(logits[first]).detach().numpy() for keep in without]
    assert any(np.allclose(found[first], one, atol=1e-4) for one in fits)
    own = calibrate(logits, labels, "exclusive")(logits).detach().numpy()
    assert not np.allclose(found, own, atol=1e-3)


def test_the_card_tells_how_much_the_band_leaves_to_a_person() -> None:
    films = Predictions(np.repeat([0, 1], 100), np.r_[np.linspace(0, 0.6, 100), np.linspace(0.4, 1, 100)])
    band = abstention(films, films, 0.02)
    inside = (films.probabilities > band["lower"]) & (films.probabilities < band["upper"])
    assert 0 < band["share"]["clean"] == band["share"]["perturbed"] == inside.mean() < 0.6
    assert 0.39 < band["lower"] < 0.43 < 0.57 < band["upper"] < 0.61
