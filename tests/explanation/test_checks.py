"""The checks of a heatmap: maps that mean something pass, maps that do not fail."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bright_model import see_brightness
from scipy.stats import spearmanr

from ai_for_sudan.explanation import checks
from ai_for_sudan.models import Architecture, ModelSpec
from ai_for_sudan.models.registry import build

SIDE = 64


def spot_model() -> Architecture:
    """Calls the second class by brightness: every convolution passes it on, the head weighs it."""
    model = build(ModelSpec("custom_cnn", ("normal", "pneumonia"), "pneumonia", "exclusive", SIDE)).eval()
    see_brightness(model, 12.0, -2.0)
    return model


def spots(count: int = 6) -> torch.Tensor:
    """Dark films with one bright square at a place of its own."""
    random = np.random.default_rng(0)
    films = 0.3 * torch.rand(count, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    for film in films:
        y, x = random.integers(4, SIDE - 24, 2)
        film[0, y : y + 20, x : x + 20] = 1.0
    return films


def test_similarity_is_that_of_scipy_and_blank_maps_are_counted() -> None:
    first = torch.rand(3, 7, 7, generator=torch.Generator().manual_seed(1))
    second = first.clone()
    second[1] = torch.rand(7, 7, generator=torch.Generator().manual_seed(2))
    second[2] = 0
    found = checks.similarity(first, second)
    assert found.spearman[0] == pytest.approx(1) and found.ssim[0] == pytest.approx(1, abs=1e-5)
    assert found.spearman[1] == pytest.approx(spearmanr(first[1].flatten(), second[1].flatten()).statistic)
    assert found.ssim[1] < 0.9 and np.isnan(found.spearman[2]) and found.blank == pytest.approx(1 / 3)


def test_the_cascade_goes_from_the_last_layer_to_the_first_and_leaves_the_model_alone() -> None:
    model, films = spot_model(), spots()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    rows = checks.cascade(model, films, 1, draws=2)
    assert rows[0]["stage"] == "classifier.4" and rows[-1]["stage"] == "features.0"
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(row["spearman"][0] is None or -1 <= row["spearman"][0] <= 1 for row in rows)
    assert checks.cascade(model, films, 1, draws=2) == rows


def test_a_random_stage_of_the_cascade_is_normalised_to_the_films() -> None:
    """Its own statistics belong to the weights that it had: with them a random network would be a dead one."""
    model, seen = spot_model(), []
    first = next(module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d))
    first.register_forward_hook(
        lambda module, given, made: None if module.training else seen.append(made.detach().clone())
    )
    checks.cascade(model, spots(), 1, draws=1)
    spread = seen[-1].std((0, 2, 3))
    assert (abs(spread - 1) < 0.1).all()


def test_attribution_follows_the_film() -> None:
    found = checks.stability(spot_model(), spots(), 1)
    assert np.nanmedian(found.spearman) > checks.SIMILAR and len(found.spearman) == 4 * 6


def test_a_head_of_random_labels_replaces_the_last_layer_of_a_copy() -> None:
    model = spot_model()
    labels = np.array([0, 1] * 6)
    other, known = checks.random_label_head(model, torch.cat([spots(), 0.2 * spots()]), labels)
    assert 0.5 <= known <= 1
    assert not torch.equal(other.classifier[-1].weight[1], model.classifier[-1].weight[1])
    assert torch.equal(other.classifier[-1].weight[0], model.classifier[-1].weight[0])
    assert model.classifier[-1].weight[1, 0] == 12.0
