"""What a network predicts for many films."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ai_for_sudan.models import create, folded, logits, names


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
