"""Standing checks on drawn films whose truth is known: a reader that looks, one that does not, and a blind map."""

from __future__ import annotations

import numpy as np
import pytest

from ai_for_sudan.datasets.regions import draw_boxes, parse_boxes
from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation import attribution

SIDE = 64


def lungs(count: int, *, seed: int = 0, jitter: int = 4, lower: np.ndarray | None = None) -> np.ndarray:
    """Two lungs a film, at a place that varies; where ``lower`` is set they lie ten pixels further down."""
    random = np.random.default_rng(seed)
    found = np.zeros((count, SIDE, SIDE), bool)
    for number, region in enumerate(found):
        top = 14 + random.integers(-jitter, jitter + 1) + (10 if lower is not None and lower[number] else 0)
        for left in (10, 36):
            shift = random.integers(-2, 3)
            region[top : top + 30, left + shift : left + shift + 18] = True
    return found


def films(labels: np.ndarray, regions: np.ndarray, *, where: str, seed: int = 1) -> np.ndarray:
    """Noise; films of class 1 are brighter inside the lungs, or outside of them."""
    random = np.random.default_rng(seed)
    pixels = random.integers(60, 120, regions.shape)
    shown = regions if where == "lungs" else ~regions
    pixels[shown & (labels == 1)[:, None, None]] += 60
    return pixels.astype(np.uint8)


def by_brightness(pixels: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-(pixels.mean((1, 2)) - 100) / 10))


def test_attribution_inside_by_hand() -> None:
    region = draw_boxes(parse_boxes("0 0 0.5 0.5"), 8)[None]
    maps = np.array([[[3.0, 1.0], [0.0, -9.0]]])
    found = attribution.inside(maps, region)
    assert found.share.tolist() == [0.75] and found.hit.tolist() == [1] and found.area.tolist() == [0.25]
    assert attribution.inside(maps[:, ::-1], region).hit.tolist() == [0]
    blank = attribution.inside(np.zeros((1, 4, 4)), region)
    assert blank.blank == 1 and blank.hit.tolist() == [0]
    finer = attribution.inside(np.kron(maps, np.ones((1, 28, 28))), region)
    assert finer.share[0] == pytest.approx(0.75)


def test_a_map_that_looks_is_distinguished_from_one_that_knows_where_findings_usually_are() -> None:
    random = np.random.default_rng(0)
    count = 200
    at = np.stack([random.uniform(0.1, 0.6, count), random.uniform(0.2, 0.5, count)], 1)
    boxes = np.concatenate([at, np.full((count, 2), 0.25)], 1)
    regions = np.stack([draw_boxes(box[None], 56) for box in boxes])
    looking = np.stack([attribution.covered(region, (14, 14)) for region in regions]) + 0.01
    usual = np.broadcast_to(regions.mean(0), regions.shape)
    patients = np.arange(count) // 2
    found, same = (attribution.against_regions(maps, regions, patients) for maps in (looking, usual))
    assert found["films"] == count and found["area"] == pytest.approx(1 / 16, abs=0.01)
    assert found["pointing"][0] == 1 and found["pointing_gain"][1] > 0 and found["share"][1] > 0.5
    assert found["share_constant"][2] < 0.3 and 0.1 < found["pointing_constant"][0] < 0.7
    assert same["pointing_gain"][1] <= 0.05 and same["share"][0] == pytest.approx(same["share_constant"][0], abs=0.02)


def test_the_constant_map_of_a_film_knows_nothing_of_its_patient() -> None:
    """Every patient's region lies where no other's does: the constant map can hit none of them."""
    regions = np.zeros((20, 20, 20), bool)
    patients = np.arange(20) // 2
    for number, patient in enumerate(patients):
        regions[number, patient * 2] = True
    found = attribution.constant_map(regions, patients)
    assert found.hit.sum() == 0 and found.share.max() == 0
    with pytest.raises(UserError, match="one patient"):
        attribution.constant_map(regions, np.zeros(20))


def test_a_reader_of_lungs_is_a_coin_without_them_and_one_of_the_surroundings_is_not() -> None:
    labels = np.arange(120) % 2
    regions = lungs(120)
    honest, other = (films(labels, regions, where=where) for where in ("lungs", "outside"))
    patients = np.arange(len(labels))
    coin = attribution.outside_only(by_brightness, honest, regions, labels, patients)
    assert coin.low < 0.5 < coin.high and coin.value < attribution.OUTSIDE_LIMIT
    assert attribution.outside_only(by_brightness, other, regions, labels, patients).low > attribution.OUTSIDE_LIMIT


def test_lungs_are_painted_over_with_a_rim_in_the_median_grey_of_the_rest() -> None:
    regions = np.zeros((1, 28, 28), bool)
    regions[0, 10:20, 5:12] = True
    pixels = np.full((1, 56, 56), 40, np.uint8)
    pixels[0, :20] = 90  # less than half of the rest
    pixels[0, 20:40, 10:24] = 200
    painted = attribution.without_lungs(pixels, regions)[0]
    assert (painted[18:42, 8:26] == 40).all() and (painted[:18] == 90).all() and painted.max() == 90
    assert attribution.without_lungs(pixels, np.ones_like(regions)).max() == 128


def test_framing_tells_the_label_only_where_it_differs() -> None:
    labels, patients = np.arange(160) % 2, np.arange(160) // 4
    same = attribution.framing_only(attribution.framing(attribution.boxes_around(lungs(160))), labels, patients)
    displaced = attribution.framing_only(
        attribution.framing(attribution.boxes_around(lungs(160, lower=labels == 1))), labels, patients
    )
    assert same.low < 0.5 < same.high + 0.05 and displaced.low > 0.9
    frame = attribution.boxes_around(lungs(1, jitter=0))[0]
    assert frame[1] == 14 / 64 and frame[3] == 44 / 64 and frame[0] < frame[2]
    assert attribution.framing(np.array([[0.1, 0.2, 0.7, 0.5]]))[0, 4] == pytest.approx(np.log(2), abs=1e-4)
    with pytest.raises(UserError, match="empty"):
        attribution.boxes_around(np.zeros((1, 8, 8), bool))


def test_framing_that_patients_give_away_is_not_memorised() -> None:
    """Each patient has a frame of their own and a label by the coin: no film may be scored by its own patient's."""
    random = np.random.default_rng(3)
    patients = np.repeat(np.arange(40), 4)
    frames = random.normal(size=(40, 60))[patients]
    labels = random.permutation(np.arange(40) % 2)[patients]
    assert attribution.framing_only(frames, labels, patients).value < 0.75


def test_taking_away_what_the_reader_looks_at_lowers_its_score_more() -> None:
    regions = lungs(12, jitter=0)
    pixels = films(np.ones(12, int), regions, where="nothing at all")
    spot = np.zeros_like(regions)
    spot[:, 20:32, 12:24] = True
    pixels = np.where(spot & regions, 250, 60 + pixels // 8).astype(np.uint8)

    def predict(shown: np.ndarray) -> np.ndarray:
        return np.array([float(film[20:32, 12:24].mean()) / 255 for film in shown])

    looking = np.stack([attribution.covered(region, (16, 16)) for region in spot])
    found = attribution.deletion_insertion(predict, pixels, looking, regions, np.arange(12))
    assert found["deletion"]["difference"][2] < 0 < found["insertion"]["difference"][1]
    for kind in ("deletion", "insertion"):
        curves = found[kind]["curves"]
        assert curves["map"][0] == curves["random"][0] and curves["map"][-1] == curves["random"][-1]
        assert curves["shares"][0] == 0 and curves["shares"][-1] == 1
    wrong = attribution.deletion_insertion(predict, pixels, -looking, regions, np.arange(12))
    assert wrong["deletion"]["difference"][1] > 0 > wrong["insertion"]["difference"][2]


def test_each_site_is_checked_for_itself() -> None:
    sites = np.array(["Wau", "Juba", "", "Juba"])
    assert attribution.by_site(sites, lambda rows: rows.tolist()) == {"Juba": [1, 3], "Wau": [0]}
