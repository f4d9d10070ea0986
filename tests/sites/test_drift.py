"""How different a site is, on tables small enough to work out by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ai_for_sudan.contract.reference import PICTURE, Reference
from ai_for_sudan.sites import SiteFilms
from ai_for_sudan.sites.drift import drift, energy_test
from ai_for_sudan.sites.site_films import Unread

Make = Callable[..., SiteFilms]


def own_films(sketches: np.ndarray, scores: np.ndarray, **more: np.ndarray) -> Reference:
    """The summary of a reader's own films, whose embeddings have mean 1 and standard deviation 2."""
    width = sketches.shape[1]
    return Reference(np.ones(width), np.full(width, 2.0), sketches, scores, more.get("pictures"))


def test_refused_films_count_among_all_films(make_films: Make) -> None:
    refused = [Unread("a.png", np.nan, 8, ("blank",)), Unread("b.png", np.nan, 9, ("negative", "blank"))]
    films = replace(make_films(np.zeros((8, 1)), np.zeros(8)), refused=refused)
    found = drift(films, np.zeros(8), None)
    assert found["films"] == 10 and found["refusals"]["count"] == 2
    assert found["refusals"]["codes"] == {"blank": 2, "negative": 1}
    # Wilson: (p + z2/2n -+ z sqrt(p(1-p)/n + z2/4n2)) / (1 + z2/n)
    z, n, p = 1.959964, 10, 0.2
    middle, spread = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    ends = [(middle - spread) / (1 + z**2 / n), (middle + spread) / (1 + z**2 / n)]
    assert found["refusals"]["share"] == pytest.approx([p, *ends], abs=1e-6)
    assert found["embedding"] is found["score"] is found["pictures"] is None
    assert found["words"] == "The reader's card holds no summary of its own films, so only refusals are compared."


def test_one_film_a_patient_is_compared_in_units_of_the_reader_s_own_films(make_films: Make) -> None:
    # Patients 0 and 1; the third film is the second one's again and far from all. Standardised: 1 and 5.
    films = make_films(np.array([[3.0], [11.0], [999.0]]), np.zeros(3), patients=np.array([0, 1, 1]))
    own = own_films(np.array([[0.0], [2.0]]), np.array([-1.0, 0.5, 3.0]))
    found = drift(films, np.array([0.0, 2.0, 9.0]), own)
    assert found["embedding"]["energy_distance"] == pytest.approx(2 * 2.5 - 1 - 2)
    assert found["embedding"]["test"] == "permutation of the energy distance"
    score = found["score"]
    assert (score["median_there"], score["median_here"]) == (0.5, pytest.approx(1.0))
    # Two thirds of the reader's own lie at or below 0.5 and one half of those here; one third below 0, none here.
    assert score["statistic"] == pytest.approx(1 / 3) and score["p"] == pytest.approx(1.0)
    assert score["test"] == "Kolmogorov-Smirnov, two samples"
    assert found["pictures"] is None


def test_pictures_are_compared_in_standard_deviations_of_the_reader_s_own(make_films: Make) -> None:
    films = make_films(np.array([[3.0], [11.0]]), np.zeros(2))
    films = replace(films, pictures=np.array([[0.2, 0, 0, 0, 0, 0.4], [0.4, 0, 0, 0, 0, 0.6]]))
    known = np.array([[0.5, 0.1]] + [[0.0, 0.0]] * 4 + [[0.25, 0.5]])
    found = drift(films, np.zeros(2), own_films(np.zeros((2, 1)), np.zeros(2), pictures=known))["pictures"]
    assert list(found) == list(PICTURE)
    assert found["mean grey"] == pytest.approx({"there": 0.5, "here": 0.3, "difference_in_sd": -2.0})
    assert found["dark border"] == pytest.approx({"there": 0.25, "here": 0.5, "difference_in_sd": 0.5})
    assert found["contrast"]["difference_in_sd"] == 0  # nothing is divided by a deviation of 0


@pytest.mark.parametrize(
    ("embeddings", "scores", "which"),
    [(3.0, 0.0, "embeddings"), (0.0, 3.0, "scores"), (3.0, 3.0, "embeddings and scores"), (0.0, 0.0, "")],
)
def test_what_differs_is_said(make_films: Make, embeddings: float, scores: float, which: str) -> None:
    rng = np.random.default_rng(0)
    own = own_films(rng.normal(size=(60, 3)), rng.normal(size=60))
    films = make_films(1 + 2 * (rng.normal(size=(60, 3)) + embeddings), np.zeros(60))
    words = drift(films, rng.normal(size=60) + scores, own)["words"]
    if which:
        assert words == (
            f"The site differs from the reader's own films in its {which} (p < 0.01): figures measured elsewhere do "
            "not hold here. Scores also differ where the share of positive patients differs."
        )
    else:
        assert words == (
            "No difference from the reader's own films was found (p >= 0.01); with few films this proves little."
        )


def test_the_permutation_test_counts_the_divisions_that_are_as_far_apart() -> None:
    apart = np.arange(12.0)[:, None]
    assert energy_test(apart, apart + 100, permutations=9)[1] == 1 / 10, "no division of a few is as extreme"
    assert energy_test(np.zeros((3, 1)), np.zeros((4, 1)), permutations=9) == (0.0, 1.0)
    # Of the three ways to halve 0, 1, 2, 5 one is as far apart as {0, 1} and {2, 5}.
    distance, p = energy_test(np.array([[0.0], [1.0]]), np.array([[2.0], [5.0]]))
    assert distance == pytest.approx(2 * 3 - 0.5 - 1.5) and p == pytest.approx(1 / 3, abs=0.06)
    assert p == energy_test(np.array([[0.0], [1.0]]), np.array([[2.0], [5.0]]), seed=0)[1]
    assert p * 1000 == pytest.approx(round(p * 1000)), "999 permutations and the films as they are"


def test_samples_of_different_size_weigh_the_same() -> None:
    # 2 * mean(3, 3, 3) - 0 - 0: all films of one side lie at one place.
    assert energy_test(np.zeros((1, 1)), np.full((3, 1), 3.0), permutations=1)[0] == pytest.approx(6)
    # a: 0, 3, 3; b: 0. 2 * mean(0, 3, 3) - 4 * 3 / 9
    assert energy_test(np.array([[0.0], [3], [3]]), np.zeros((1, 1)), permutations=1)[0] == pytest.approx(4 - 4 / 3)
    many = np.repeat([[0.0], [1.0]], 300, axis=0)  # of more than 512 films a sample is compared, drawn at random
    assert energy_test(many, many[:1], permutations=1)[0] == pytest.approx(0.5, abs=0.06)
