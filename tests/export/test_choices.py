"""Calibration and operating points against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ai_for_sudan.export.choices import calibrate, cross_calibrated, operating_points
from ai_for_sudan.statistics import PROMISES, Predictions, ece


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


def test_exclusive_classes_share_one_scale_so_that_their_order_stays() -> None:
    """Logits of one class are drawn out: scales of their own would bring it back, and change which class wins."""
    labels, odds = drawn(5000, 4)
    logits = torch.from_numpy(np.stack([np.zeros_like(odds), odds, np.full_like(odds, -3)], 1)).float()
    logits[:, 1] = torch.where(logits[:, 1] > 0, 6 * logits[:, 1], logits[:, 1])
    scale = calibrate(logits, labels, "exclusive").scale
    assert scale.shape == (3,) and len(scale.unique()) == 1


def test_findings_without_a_label_take_no_part() -> None:
    labels, odds = drawn(20_000, 1)
    table = np.stack([labels, np.full(len(labels), np.nan)], 1)
    table[:10, 1] = [0, 1] * 5
    logits = torch.from_numpy(np.stack([odds * 2, odds], 1)).float()
    assert float(calibrate(logits, table, "multilabel").scale[0]) == pytest.approx(0.5, abs=0.03)


def test_each_site_is_a_set_of_its_own_and_is_measured_apart() -> None:
    """At the second site negative films score higher: suspicion begins where it may begin there."""
    sets = {}
    for name, seed, shift in (("here", 2, 0.0), ("there", 3, 1.0)):
        labels, odds = drawn(3000, seed, 3.0)
        sets[name] = Predictions(
            labels, 1 / (1 + np.exp(-odds - shift)), np.array([f"{name} {i}" for i in range(3000)])
        )
    points = operating_points(sets, sets)
    for name, promise in PROMISES.items():
        for measured in points[name].measured.values():
            assert measured["positive"]["shares"]["not_seen"][0] <= promise.missed * 1.3
            assert measured["negative"]["shares"]["suspected"][0] <= promise.false_alarms * 1.3
            assert measured["all"]["films"] == measured["all"]["patients"] == 3000
    alone = operating_points({"here": sets["here"]}, {"here": sets["here"]})
    assert points["balanced"].suspected_from > alone["balanced"].suspected_from


def test_what_is_measured_comes_from_cut_offs_of_other_patients() -> None:
    """Every patient has films of one odd probability: on the films themselves no one is missed, on others many are."""
    patients = np.repeat(np.arange(100), 20)
    labels = np.repeat(np.arange(100) % 2, 20)
    random = np.random.default_rng(5)
    probability = np.repeat(random.random(100), 20)
    films = {"films": Predictions(labels, probability, patients)}
    point = operating_points(films, films)["balanced"]
    here = (point.statuses(probability[labels == 1]) == "not_seen").mean()
    assert point.measured["films"]["positive"]["shares"]["not_seen"][0] != pytest.approx(here)


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
