"""Films with masks: what cannot be used is named, never skipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ai_for_sudan.datasets.masks import load_masked
from ai_for_sudan.errors import UserError


def folder(tmp_path: Path, masks: dict[str, np.ndarray | None]) -> Path:
    random = np.random.default_rng(0)
    lines = ["film,mask"]
    for name, mask in masks.items():
        Image.fromarray(random.integers(0, 256, (60, 80), np.uint8)).save(tmp_path / f"{name}.png")
        lines.append(f"{name}.png,{name}_mask.png")
        if mask is not None:
            Image.fromarray(mask).save(tmp_path / f"{name}_mask.png")
    table = tmp_path / "films.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def drawn(height: int = 60, width: int = 80, value: int = 255) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : height // 2, width // 4 : width // 2] = value
    return mask


def test_films_and_masks_of_any_size_come_squashed(tmp_path: Path) -> None:
    table = folder(tmp_path, {"a": drawn(), "b": drawn(30, 40, 1)})
    found = load_masked(table, tmp_path, tmp_path, 56)
    assert found.pixels.shape == found.masks.shape == (2, 56, 56)
    assert set(np.unique(found.masks)) == {0, 255}
    assert 0.05 < (found.masks > 0).mean() < 0.08
    assert list(found.patient_ids) == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("mask", "reason"),
    [(None, "there is no mask"), (drawn(60, 60), "60 x 60"), (np.zeros((60, 80), np.uint8), "is empty")],
)
def test_a_mask_that_cannot_be_used_is_named(tmp_path: Path, mask: np.ndarray | None, reason: str) -> None:
    table = folder(tmp_path, {"good": drawn(), "bad": mask})
    with pytest.raises(UserError, match="1 of 2 films or masks cannot be used") as caught:
        load_masked(table, tmp_path, tmp_path, 56)
    assert "bad" in str(caught.value) and reason in str(caught.value)
