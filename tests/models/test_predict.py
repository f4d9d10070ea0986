"""What a network predicts for many films."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ai_for_sudan.lungs import LungFinder, box_of
from ai_for_sudan.models import as_batch, create, folded, logits, names


@pytest.mark.parametrize("name", names())
def test_folding_keeps_every_prediction(name: str) -> None:
    torch.manual_seed(0)
    model = create(name, ["normal", "pneumonia"])
    films = torch.rand(4, 1, 224, 224)
    model.train()(films)  # running statistics that are not those of a new network
    model.eval()
    quick = folded(model)
    with torch.no_grad():
        torch.testing.assert_close(quick(films), model(films), atol=1e-4, rtol=1e-4)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in quick.modules())
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in model.modules())


def test_mixed_precision_stays_near_and_keeps_the_mode() -> None:
    torch.manual_seed(0)
    model = create("custom_cnn", ["normal", "pneumonia"]).train()
    films = np.random.default_rng(0).integers(0, 256, (5, 224, 224), dtype=np.uint8)
    near = logits(model, films, mixed_precision=True)
    assert model.training
    torch.testing.assert_close(near, logits(model, films), atol=0.05, rtol=0.05)


def test_lungs_that_people_drew_frame_the_film_and_show_through() -> None:
    torch.manual_seed(0)
    model = create("custom_cnn", ["normal", "pneumonia"], finder=LungFinder()).eval()
    films = np.random.default_rng(0).integers(0, 256, (2, 112, 112), dtype=np.uint8)
    drawn = np.zeros((2, 112, 112), np.uint8)
    drawn[:, 50:90, 10:50] = 255
    pixels, lungs = as_batch(films), as_batch(drawn)
    assert model.view is not None
    with torch.no_grad():
        box = box_of(lungs)
        expected = model(model.view.look(pixels, lungs, box).pixels)
        elsewhere = model(model.view.look(pixels, lungs, box_of(model.view.find(pixels))).pixels)
    found = logits(model, films, lungs=drawn)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)
    assert not torch.allclose(found, elsewhere, atol=1e-3)
