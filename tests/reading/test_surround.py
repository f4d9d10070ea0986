"""A plain surround changes no answer: what lies inside is read, and the maps stay in the frame of the film."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from framed_film import in_frame
from PIL import Image

from ai_for_sudan import Reader
from ai_for_sudan.contract.surround import exposed_field


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader.open("mobilenet_v2")


@pytest.mark.parametrize("name", ["pneumonia_03", "normal_01"])
@pytest.mark.parametrize(("grey", "share", "noise"), [(0, 0.3, 0.0), (235, 0.45, 0.0), (30, 0.6, 5.0)])
def test_a_small_chest_is_read_like_any_other(
    reader: Reader, samples: Path, name: str, grey: int, share: float, noise: float
) -> None:
    film = np.asarray(Image.open(samples / f"{name}.png").convert("L"))
    frame = in_frame(film, grey, share, noise)
    alone, framed = reader.read(film), reader.read(frame)
    assert (framed.status, framed.codes) == (alone.status, alone.codes)
    assert framed.probability == pytest.approx(alone.probability, abs=0.05)
    # The maps lie where the film lies in the frame.
    top, left = (frame.shape[0] - film.shape[0]) / 4 / frame.shape[0], (1 - share) / 2
    for values, before in ((framed.lungs, alone.lungs), (framed.heatmap, alone.heatmap)):
        assert values is not None and before is not None
        rows, columns = (np.arange(side) / side for side in values.shape)
        around = ~np.outer((rows > top - 0.02) & (rows < top + share + 0.02), np.abs(columns - 0.5) < share / 2 + 0.02)
        assert not values[around].any()
        assert values.sum() == pytest.approx(before.sum(), rel=0.1, abs=0.01)
    expected = [left + share * alone.box[0], top + share * alone.box[1]]
    expected += [left + share * alone.box[2], top + share * alone.box[3]]
    assert framed.box == pytest.approx(expected, abs=0.02)


def test_a_film_without_a_plain_surround_is_read_as_it_is(samples: Path) -> None:
    rng = np.random.default_rng(1)
    film = np.asarray(Image.open(samples / "normal_01.png").convert("L"))
    assert exposed_field(film) is None
    assert exposed_field(rng.integers(0, 255, (300, 400), dtype=np.uint8)) is None
    assert exposed_field(np.full((300, 400), 80, np.uint8)) is None


@pytest.mark.parametrize("share", [0.1, 0.97])
def test_too_small_a_field_and_a_thin_edge_are_left_as_they_are(samples: Path, share: float) -> None:
    film = np.asarray(Image.open(samples / "normal_01.png").convert("L"))
    assert exposed_field(in_frame(film, 0, share)) is None


def test_a_marker_in_the_surround_is_not_the_field(samples: Path) -> None:
    film = np.asarray(Image.open(samples / "normal_01.png").convert("L"))
    frame = in_frame(film, 0, 0.5)
    frame[20:60, 20:60] = 255
    field = exposed_field(frame)
    assert field is not None and field.of(frame).shape == pytest.approx(film.shape, abs=8)
