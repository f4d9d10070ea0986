"""Regions that people drew: masks and boxes come out the same, and what cannot be used is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ai_for_sudan.datasets import Film
from ai_for_sudan.datasets.regions import draw_boxes, load_boxes, load_masks, parse_boxes
from ai_for_sudan.errors import UserError


def film(path: Path, height: int, width: int) -> Film:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((height, width), np.uint8)).save(path)
    return Film(str(path), 0)


def test_boxes_are_shares_of_the_film() -> None:
    found = parse_boxes("0.25 0.5 0.25 0.125; 0 0 1 1;")
    assert found.shape == (2, 4) and parse_boxes("").shape == (0, 4)
    region = draw_boxes(found[:1], 8)
    assert np.argwhere(region).tolist() == [[4, 2], [4, 3]]
    assert draw_boxes(found, 8).all()
    for text, complaint in (("1 2", "four numbers"), ("a b c d", "not a number"), ("0.5 0.5 0.6 0.1", "outside"),
                            ("nan 0 1 1", "outside"), ("0 0 0 1", "outside"), ("10 10 50 50", "outside")):  # fmt: skip
        with pytest.raises(UserError, match=complaint):
            parse_boxes(text)


def test_masks_and_boxes_draw_the_same_region(tmp_path: Path) -> None:
    mask = np.zeros((100, 200), np.uint8)
    mask[25:75, 50:150] = 255
    (tmp_path / "masks").mkdir()
    Image.fromarray(mask).save(tmp_path / "masks/a.png")
    films = [film(tmp_path / "films/a.jpeg", 100, 200), film(tmp_path / "films/b.jpeg", 50, 50)]
    found = [load_masks(tmp_path / "masks", films, 40)]
    for number, text in enumerate(("x,y,width,height\na.jpeg,50,25,100,50", 'boxes\nfilms/a.jpeg,"0.25 0.25 0.5 0.5"')):
        table = tmp_path / f"{number}.csv"
        other = "0,0,9,9" if number == 0 else "0 0 1 1"
        table.write_text(f"file,{text}\nother.png,{other}\n")
        found.append(load_boxes(films, 40, table))
    for drawn, nothing in found:
        assert drawn.shape == (40, 40) and drawn[10:30, 10:30].all() and drawn.sum() == 400 and nothing.size == 0


def test_a_mask_in_the_folder_of_a_class_is_that_of_its_film(tmp_path: Path) -> None:
    films = [film(tmp_path / "films" / side / "a.png", 20, 20) for side in ("positive", "negative")]
    for side, value in (("positive", 255), ("negative", 1)):
        (tmp_path / "masks" / side).mkdir(parents=True)
        mask = np.zeros((20, 20), np.uint8)
        mask[: 10 if side == "positive" else 5] = value
        Image.fromarray(mask).save(tmp_path / "masks" / side / "a.png")
    assert [int(mask.sum()) for mask in load_masks(tmp_path / "masks", films, 20)] == [200, 100]


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("file,x,y\na.png,1,1\n", "no column 'width', 'height'"),
        ("file,x,y,width,height\na.png,1,1,wide,3\n", "line 2: x, y, width and height must be numbers"),
        ("file,x,y,width,height\na.png,1,1,500,3\n", "lies outside its film"),
        ("file,x,y,width,height\nz.png,1,1,5,3\n", "no box for any"),
        ("file,boxes\na.png,10 10 50 50\n", "a.png: boxes '10 10 50 50': a box lies outside"),
        ("file,boxes\nz.png,0 0 1 1\n", "no box for any"),
    ],
)
def test_bad_boxes_are_reported(tmp_path: Path, table: str, complaint: str) -> None:
    (tmp_path / "boxes.csv").write_text(table)
    with pytest.raises(UserError, match=complaint):
        load_boxes([film(tmp_path / "a.png", 100, 100)], 32, tmp_path / "boxes.csv")


def test_bad_masks_are_reported(tmp_path: Path) -> None:
    films, mask = [film(tmp_path / "films/a.png", 36, 36)], tmp_path / "masks/a.png"
    mask.parent.mkdir()

    def refused() -> str:
        with pytest.raises(UserError) as caught:
            load_masks(mask.parent, films, 32)
        return str(caught.value)

    assert "no mask for any of the 1 films" in refused()
    Image.fromarray(np.full((20, 36), 255, np.uint8)).save(mask)
    assert "has 36 x 20 pixels, its film 36 x 36" in refused()
    Image.fromarray(np.zeros((36, 36), np.uint8)).save(mask)
    assert "it marks nothing" in refused()
    mask.write_text("no picture")
    assert "cannot be read" in refused()
    mask.unlink()
    mask.parent.rmdir()
    assert "there is no folder" in refused()
