"""Small films and small models, drawn and built in a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from bright_model import see_brightness
from PIL import Image

from ai_for_sudan.models import CheckpointState, ModelSpec, save_checkpoint
from ai_for_sudan.models.registry import build

SIDE = 64


def draw(folder: Path, name: str, brightness: int, seed: int) -> Path:
    """A noisy film of a given brightness."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(-20, 20, (SIDE, SIDE))
    path = folder / name
    Image.fromarray((brightness + noise).clip(0, 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """``val/{normal,pneumonia}``: ten films of five patients each; pneumonia is brighter, but two films lie."""
    for index in range(10):
        draw(tmp_path / "data/val/normal", f"n{index // 2}_{index}.png", 60 if index else 190, index)
        draw(tmp_path / "data/val/pneumonia", f"p{index // 2}_{index}.png", 180 if index else 70, 50 + index)
    return tmp_path / "data"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[..., Path]:
    """Writes a network that calls the second class by brightness, with its operating point at 0.6."""

    def write(
        name: str = "best_model.pth",
        *,
        classes: tuple[str, ...] = ("normal", "pneumonia"),
        positive: str = "pneumonia",
        task: str = "exclusive",
        gain: float = 12.0,
        model_type: str = "custom_cnn",
        **state: object,
    ) -> Path:
        torch.manual_seed(0)
        channels = 3 if model_type == "mobilenet_v2" else 1
        spec = ModelSpec(
            model_type, classes, positive, task, SIDE, channels, mean=(0.5,) * channels, std=(0.25,) * channels
        )
        model = build(spec).eval()
        if model_type == "custom_cnn":
            see_brightness(model, gain, -gain / 2)
        path = tmp_path / "run/checkpoints" / name
        own = {"operating_point": {"threshold": 0.6, "reason": "by hand"}} | state
        save_checkpoint(path, model, CheckpointState.from_facts(own))
        return path

    return write


@pytest.fixture
def reader_file(tiny: Path) -> Path:
    return tiny
