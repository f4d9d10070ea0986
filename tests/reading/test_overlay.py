"""The picture of a reading, pixel by pixel where that can be said."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFont

from ai_for_sudan.contract.colours import OUTLINE, colours, legend
from ai_for_sudan.reading.overlay import Enlarged, outline, overlay, reduced, with_legend


def test_full_colour_is_full_and_half_is_half() -> None:
    film = np.full((40, 40), 100, np.uint8)
    for share in (0.5, 1.0, 1.0005, 3.0):
        drawn = np.asarray(overlay(film, np.full((2, 2), share * 4, np.float32), 4.0)).reshape(-1, 3)
        red, green, blue, alpha = colours(np.array(min(share, 1.0), np.float32))
        expected = (np.array([red, green, blue]) * alpha + 100 / 255 * (1 - alpha)) * 255
        np.testing.assert_allclose(drawn, np.tile(expected, (1600, 1)), atol=0.51)


def test_a_large_film_is_reduced_and_a_small_one_is_not() -> None:
    film = np.random.default_rng(0).integers(0, 256, (60, 30)).astype(np.uint8)
    assert reduced(film, 60) is film
    assert reduced(film, 20).shape == (20, 10)
    assert overlay(film, np.zeros((2, 2), np.float32), 1.0, largest_side=30).size == (15, 30)


@pytest.mark.parametrize("side", [200, 800, 1300])
def test_the_outline_is_as_thick_as_the_film_is_large_and_lies_inside(side: int) -> None:
    lungs = np.zeros((10, 10), np.float32)
    lungs[3:7, 3:7] = 1
    large = Enlarged(lungs, side, side)
    line, inside = outline(large), large[:] >= 0.5
    assert not (line & ~inside).any()
    row = np.flatnonzero(line[side // 2])
    thickness = max(1, round(side / 500))
    assert len(row) == 2 * thickness
    first, last = np.flatnonzero(inside[side // 2])[[0, -1]]
    assert row.tolist() == [*range(first, first + thickness), *range(last + 1 - thickness, last + 1)]
    np.testing.assert_array_equal(line, line.T)


def test_a_lung_that_the_film_cuts_off_on_any_side_has_no_edge_there() -> None:
    lungs = np.zeros((112, 112), np.float32)
    lungs[40:, 20:60] = 1
    for turns in range(4):
        line = np.rot90(outline(Enlarged(np.rot90(lungs, -turns).copy(), 1120, 1120)), turns)
        assert line[402:].any() and not line[-5:, 230:570].any()


@pytest.mark.parametrize("outlined", [False, True])
def test_the_strip_below_has_the_scale_and_says_what_is_drawn(outlined: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    original = ImageFont.FreeTypeFont.getmask2

    def noted(self: ImageFont.FreeTypeFont, text: str, *args: object, **more: object) -> object:
        written.append(text)
        return original(self, text, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(ImageFont.FreeTypeFont, "getmask2", noted)
    picture = Image.new("RGB", (420, 300), (1, 2, 3))
    framed = with_legend(picture, outlined=outlined)
    drawn = np.asarray(framed)
    assert (drawn[:300, :420] == (1, 2, 3)).all() and framed.width == 420 and framed.height > 320
    assert (drawn[-1] == (16, 24, 29)).all()
    # 10 high and 70 wide, 10 from the left and 10 below the picture.
    np.testing.assert_allclose(drawn[310, 10:80], legend(70) * 255, atol=0.6)
    np.testing.assert_array_equal(drawn[310:320, 10:80], np.tile(drawn[310, 10:80], (10, 1, 1)))
    words = " ".join(written)
    assert words.startswith("from little to strong:") and ("lungs" in words) == outlined
    assert all(ImageFont.load_default(10).getlength(line) <= 420 - 70 - 30 for line in written)


def test_the_line_s_colour_is_the_contract_s() -> None:
    lungs = np.zeros((10, 10), np.float32)
    lungs[3:7, 3:7] = 1
    drawn = np.asarray(overlay(np.zeros((100, 100), np.uint8), np.zeros((2, 2), np.float32), 1.0, lungs=lungs))
    assert {tuple(colour) for colour in drawn.reshape(-1, 3).tolist()} == {(0, 0, 0), tuple(OUTLINE)}
