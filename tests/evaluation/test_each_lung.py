"""Checks of the right lung on drawn films, by readers that are known to be right or wrong."""

from __future__ import annotations

import numpy as np
import pytest

from ai_for_sudan.evaluation import each_lung
from ai_for_sudan.evaluation.standing import verdicts

SIDE = 64
RIGHT, LEFT = (slice(14, 54), slice(10, 28)), (slice(14, 54), slice(36, 54))


@pytest.fixture(scope="module")
def films() -> each_lung.Films:
    """Sixty films with an opacity in one lung, in turn the right and the left, then sixty without; lungs are dark."""
    random = np.random.default_rng(0)
    pixels = np.full((120, SIDE, SIDE), 150.0)
    lungs, boxes = np.zeros((2, 120, SIDE, SIDE), bool)
    for number in range(120):
        for lung in (RIGHT, LEFT):
            down, across = (
                slice(one.start + move, one.stop + move)
                for one, move in zip(lung, random.integers(-3, 4, 2), strict=True)
            )
            lungs[number, down, across] = True
            pixels[number, down, across] = 50
            if number < 60 and lung == (RIGHT, LEFT)[number % 2]:
                boxes[number, 30:40, across] = True
                pixels[number, 30:40, across] = 200
    pixels += random.normal(0, 3, pixels.shape)
    return each_lung.Films(pixels.astype(np.uint8), lungs, np.repeat([1, 0], 60), np.arange(120), boxes)


def by_white_lungs(pixels: np.ndarray) -> np.ndarray:
    """Suspect a film that is white within its lungs."""
    white = (pixels[:, 28:42, 12:52] > 180).mean((1, 2)) > 0.05
    return np.where(white, "suspected", "not_seen").astype(object)


def test_a_reader_that_names_the_lung_passes_every_check(films: each_lung.Films) -> None:
    found = each_lung.checks(films, films.boxes.astype(float), by_white_lungs)
    assert found["side"]["films"] == 60 and found["side"]["named"][0] == 1.0 and found["side"]["named"][1] < 1.0
    halves = found["half_films"]
    assert (halves["sick"]["films"], halves["healthy"]["films"]) == (60, 30)
    assert halves["sick"]["suspected"][0] > 0.95 and halves["healthy"]["suspected"][0] == 0.0
    assert halves["seam"][0] == 0.0
    assert found["shape"]["equal"][0] == pytest.approx(0.5)
    assert [one["passed"] for one in verdicts({"each_lung": found})[2:]] == [True] * 4


def test_a_map_that_is_the_same_everywhere_names_no_lung(films: each_lung.Films) -> None:
    mirrored = films.boxes[:, :, ::-1].astype(float)
    of_box = np.where(np.arange(120) < 60, np.arange(120) % 2 == 0, np.nan).astype(float)
    found = [each_lung.side(maps, films, of_box) for maps in (mirrored, np.zeros((120, 8, 8)))]
    assert [one["named"][0] for one in found if one] == [0.0, 0.0], "the other side, and a blank map"


def test_a_reader_that_answers_to_the_seam_is_found_out(films: each_lung.Films) -> None:
    plain = {film.tobytes() for film in films.pixels}

    def by_seam(pixels: np.ndarray) -> np.ndarray:
        return np.array(["not_seen" if film.tobytes() in plain else "suspected" for film in pixels], object)

    found = each_lung.checks(films, films.boxes.astype(float), by_seam)
    rows = {one["check"]: one["passed"] for one in verdicts({"each_lung": found})}
    assert found["half_films"]["seam"][0] == 1.0 and rows["the seam of two healthy lungs"] is False
    assert rows["a sick lung beside another patient's healthy one"] is False


def test_what_the_outline_of_lungs_tells_goes_with_equal_shapes(films: each_lung.Films) -> None:
    lungs = films.lungs.copy()
    lungs[:60, 40:] = False  # as of a program that leaves consolidated lung away
    found = each_lung.shape(films._replace(lungs=lungs), np.random.default_rng(0))
    assert found and found["alone"][0] > 0.95 and found["equal"] == pytest.approx([0.5, 0.5, 0.5], abs=0.15)
    assert found["equal"][0] == pytest.approx(0.5)


def test_few_patients_are_not_measured(films: each_lung.Films) -> None:
    few = films.take(np.r_[0:10, 60:70])
    found = each_lung.checks(few, few.boxes.astype(float), by_white_lungs)
    assert found == {"side": None, "half_films": None, "shape": None}
    assert [one["passed"] for one in verdicts({"each_lung": found})[2:]] == [None] * 4
