"""Films with masks: what cannot be used is named, never skipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ai_for_sudan.datasets import Film
from ai_for_sudan.datasets.masks import load_lungs, load_masked
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
    [
        (None, "there is no mask"),
        (drawn(60, 60), "60 x 60"),
        (np.zeros((60, 80), np.uint8), "is empty"),
        (np.eye(60, 80, dtype=np.uint8) * 255, "marks 1.2% of the film"),
        (255 - drawn(), "whole edge"),
        (np.full((60, 80), 255, np.uint8), "whole edge"),
    ],
)
def test_a_mask_that_cannot_be_used_is_named(tmp_path: Path, mask: np.ndarray | None, reason: str) -> None:
    table = folder(tmp_path, {"good": drawn(), "bad": mask})
    with pytest.raises(UserError, match="1 of 2 films or masks cannot be used") as caught:
        load_masked(table, tmp_path, tmp_path, 56)
    assert "bad" in str(caught.value) and reason in str(caught.value)


def films_of(folder: Path, *names: str) -> list[Film]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((60, 80), 90, np.uint8)).save(folder / name)
    return [Film(str(folder / name), 0) for name in names]


def keep(path: Path, mask: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)


def test_masks_are_named_like_films_with_or_without_their_folders(tmp_path: Path) -> None:
    films = films_of(tmp_path / "films", "positive/a.png", "negative/a.png", "negative/1.2.840.png")
    low = np.roll(drawn(), 30, axis=0)
    for name, mask in (("positive/a.png", drawn()), ("negative/a.png", low), ("1.2.840.png", low)):
        keep(tmp_path / "masks" / name, mask)
    found = load_lungs(films, tmp_path / "masks", 56)
    assert found.shape == (3, 56, 56) and set(np.unique(found)) == {0, 255}
    assert found[0, :28].any() and not found[0, 28:].any()
    assert not found[1, :28].any() and np.array_equal(found[1], found[2])


def test_a_table_names_masks_of_any_name(tmp_path: Path) -> None:
    films = films_of(tmp_path / "films", "positive/a.png", "b.png")
    keep(tmp_path / "drawn/1.png", drawn())
    keep(tmp_path / "drawn/2.png", np.roll(drawn(), 30, axis=0))
    table = tmp_path / "films.csv"
    table.write_text("film,mask\npositive/a.png,drawn/1.png\nb.png,drawn/2.png\nother.png,drawn/3.png\n")
    found = load_lungs(films, table, 56)
    assert found[0, :28].any() and found[1, 28:].any() and not found[1, :28].any()
    for columns, complaint in (("film,outline", "no column 'mask'"), ("picture,mask", "columns film and mask")):
        table.write_text(f"{columns}\na.png,1.png\n")
        with pytest.raises(UserError, match=complaint):
            load_lungs(films, table, 56)


def test_every_film_whose_mask_cannot_be_used_is_named(tmp_path: Path) -> None:
    names = ["good", "missing", "other_shape", "empty", "damaged", "inverted"]
    films = films_of(tmp_path / "films", *(f"{name}.png" for name in names))
    keep(tmp_path / "masks/good.png", drawn())
    keep(tmp_path / "masks/other_shape.png", drawn(60, 60))
    keep(tmp_path / "masks/empty.png", np.zeros((60, 80), np.uint8))
    keep(tmp_path / "masks/inverted.png", 255 - drawn())
    (tmp_path / "masks/damaged.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="5 of 6 films or masks cannot be used") as caught:
        load_lungs(films, tmp_path / "masks", 56)
    lines = str(caught.value).splitlines()[1:]
    assert [Path(line.split(":")[0].strip()).stem for line in lines] == names[1:]


def test_one_mask_is_never_that_of_two_films(tmp_path: Path) -> None:
    films = films_of(tmp_path / "films", "positive/a.png", "negative/a.png")
    keep(tmp_path / "masks/a.png", drawn())
    with pytest.raises(UserError, match="would belong to 2 films"):
        load_lungs(films, tmp_path / "masks", 56)
