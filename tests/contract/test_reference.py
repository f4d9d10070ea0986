"""The summary of a reader's own films in its card, computed by hand on films that are small enough for it."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from ai_for_sudan.contract import reference
from ai_for_sudan.contract.reference import Reference

EMBEDDINGS = np.array([[0.0, 2.0, 5.0], [2.0, 6.0, 5.0]])
SCORES = [np.log(0.2 / 0.8), np.log(0.9 / 0.1)]


def built(**more: np.ndarray) -> dict[str, Any]:
    return reference.build(EMBEDDINGS, np.array([0.2, 0.9]), **more)


def test_the_summary_of_two_films() -> None:
    facts = built()
    assert (facts["n"], facts["dims"]) == (2, 3)
    assert facts["embedding_mean"] == [1.0, 4.0, 5.0] and facts["embedding_std"] == [1.0, 2.0, 0.0]
    quantiles = facts["score_quantiles"]
    assert len(quantiles) == 101 and (quantiles[0], quantiles[100]) == (-1.3863, 2.1972)
    assert quantiles[50] == 0.4055
    sample = facts["sample"]
    assert sample["n"] == 2 and sample["scores"] == [-1.3863, 2.1972]
    packed = np.frombuffer(base64.b64decode(sample["sketches"]), "<f2").reshape(2, 3)
    np.testing.assert_array_equal(packed, [[-1, -1, 0], [1, 1, 0]])  # the last channel never varied
    assert "pictures" not in facts


def test_numbers_are_written_with_five_places_and_scores_with_four() -> None:
    facts = reference.build(np.array([[1 / 3], [1.0]]), np.array([1 / 3, 2 / 3]))
    assert facts["embedding_mean"] == [0.66667] and facts["embedding_std"] == [0.33333]
    assert facts["sample"]["scores"] == [-0.6931, 0.6931]


def test_of_many_films_256_are_kept_by_the_seed_in_their_order() -> None:
    many = np.linspace(0.1, 0.9, 300)
    facts = reference.build(np.arange(300.0)[:, None], many, seed=4)
    assert facts["n"] == 300 and facts["sample"]["n"] == 256
    kept = facts["sample"]["scores"]
    assert kept == sorted(kept) and kept != reference.build(np.arange(300.0)[:, None], many)["sample"]["scores"]
    assert kept == reference.build(np.arange(300.0)[:, None], many, seed=4)["sample"]["scores"]


def test_pictures_are_summed_up_by_mean_and_deviation() -> None:
    films = np.stack([np.zeros((16, 16), np.uint8), np.full((16, 16), 255, np.uint8)])
    pictures = built(pixels=films)["pictures"]
    assert np.shape(pictures) == (len(reference.PICTURE), 2)
    assert pictures[0] == [0.5, 0.5]  # mean grey: 0 and 1
    assert pictures[5] == [0.5, 0.5]  # dark border: all of it, none of it
    third = built(pixels=np.stack([np.zeros((16, 16), np.uint8)] * 2 + [np.full((16, 16), 255, np.uint8)]))["pictures"]
    assert third[0] == [0.33333, 0.4714]


def test_what_is_built_is_read_again() -> None:
    films = np.random.default_rng(0).integers(0, 256, (2, 16, 16)).astype(np.uint8)
    facts = built(pixels=films)
    read = Reference.from_card({"reference": facts})
    assert read is not None and read.pictures is not None
    for values, expected in (
        (read.mean, [1, 4, 5]), (read.std, [1, 2, 0]), (read.sketches, [[-1, -1, 0], [1, 1, 0]]),
        (read.scores, [-1.3863, 2.1972]), (read.pictures, facts["pictures"]),
    ):  # fmt: skip
        assert values.dtype == np.float64
        np.testing.assert_array_equal(values, expected)
    without = Reference.from_card({"reference": built()})
    assert without is not None and without.pictures is None
    assert Reference.from_card({}) is None and Reference.from_card({"reference": None}) is None


def test_log_odds_end_where_a_float32_does() -> None:
    end = np.log((1 - 1e-6) / 1e-6)
    np.testing.assert_allclose(
        reference.log_odds(np.array([0.0, 0.5, 0.75, 1.0])), [-end, 0, np.log(3), end], rtol=1e-9
    )
    assert reference.log_odds(np.array([0.3], np.float32)).dtype == np.float64


def test_channels_that_hardly_varied_count_as_nothing() -> None:
    given = reference.standardised(np.array([[3.0, 7.0, 9.0]]), np.array([1.0, 7.0, 8.0]), np.array([4.0, 0.0, 1e-8]))
    np.testing.assert_array_equal(given, [[0.5, 0.0, 0.0]])
    np.testing.assert_allclose(reference.standardised(np.array([[2e-7]]), np.zeros(1), np.array([2e-8])), [[10.0]])


def test_a_sketch_sums_neighbours() -> None:
    values = np.arange(128.0).reshape(2, 64)
    sketch = reference.sketch(values)
    assert sketch.shape == (2, 32)
    np.testing.assert_allclose(sketch[:, 0], [(0 + 1) / np.sqrt(2), (64 + 65) / np.sqrt(2)])
    np.testing.assert_allclose(sketch[0, 31], (62 + 63) / np.sqrt(2))
    np.testing.assert_array_equal(reference.sketch(values[:, :5]), values[:, :5])


def test_what_is_measured_of_a_picture() -> None:
    film = np.full((20, 20), 102, np.uint8)  # 0.4
    film[:4] = 0  # the border above: dark
    film[10, 10] = 204  # one bright point inside: Laplacian 4 x 0.4 there, 0.4 at each of four neighbours
    mean, contrast, dark, bright, sharpness, border = reference.picture_statistics(film)
    grey = film / 255
    assert mean == pytest.approx(grey.mean()) and contrast == pytest.approx(grey.std())
    assert (dark, bright) == (0.0, pytest.approx(0.4))
    # Rows 3 and 4 stand at the edge of the dark border: 0.4 at 18 places each.
    assert sharpness == pytest.approx((4 * 0.4 + 4 * 0.4 + 2 * 18 * 0.4) / 18**2)
    # All of the upper strip, none of the lower one, the upper fifth of each side.
    assert border == pytest.approx((80 + 16 + 16) / 320)


def test_the_dark_border_is_four_wide_on_every_side() -> None:
    for turns in range(4):
        film = np.full((20, 20), 200, np.uint8)
        film[4] = 0  # the fifth row: of the sides' strips alone
        assert reference.picture_statistics(np.rot90(film, turns))[5] == pytest.approx(8 / 320)
        film[3] = 12  # just below 5 %
        assert reference.picture_statistics(np.rot90(film, turns))[5] == pytest.approx((8 + 20 + 8) / 320)
        film[3] = 13
        assert reference.picture_statistics(np.rot90(film, turns))[5] == pytest.approx(8 / 320)
