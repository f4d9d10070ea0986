"""Whether there is enough to say anything, and what is said: at the limits and on either side of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ai_for_sudan.sites import SiteFilms
from ai_for_sudan.sites.head import Rows
from ai_for_sudan.sites.site_films import Unread
from ai_for_sudan.sites.verdict import counts, notes_on, too_few, verdict


def rows(positive: list[int], negative: list[int]) -> Rows:
    """Films of these patients."""
    labels = np.array([1.0] * len(positive) + [0.0] * len(negative))
    n = len(labels)
    return Rows(np.zeros((n, 2)), np.zeros((n, 1)), labels, np.array(positive + negative), np.ones(n), 1, True)


@pytest.mark.parametrize(
    ("positive", "negative", "words"),
    [
        ([], [], "no film that could be read has a label"),
        ([], [1, 2], "none of the 2 labelled films is positive; both are needed"),
        ([1, 2, 3], [], "none of the 3 labelled films is negative; both are needed"),
        ([1, 2], [3], "3 labelled films are too few; 4 are needed"),
        ([1, 2], [3, 4], ""),
        ([1, 1], [3, 4], "the labelled films are of 1 positive and 2 negative patients; 2 of each are needed"),
        ([1, 2], [3, 3], "the labelled films are of 2 positive and 1 negative patients; 2 of each are needed"),
    ],
)
def test_four_films_of_two_patients_each_are_just_enough(positive: list[int], negative: list[int], words: str) -> None:
    assert too_few(rows(positive, negative), films=4, patients=2) == words


def figures(
    auroc: list[float] | None = None,
    missed: list[float] | None = None,
    alarms: list[float] | None = None,
    left: list[float] | None = None,
) -> dict[str, Any]:
    """What is measured: at the limits of what is wanted, where nothing else is given."""
    return {
        "auroc": auroc or [0.9, 0.85, 0.95],
        "table": {
            "positive": {"shares": {"not_seen": missed or [0.1, 0.05, 0.2]}},
            "negative": {"shares": {"suspected": alarms or [0.2, 0.1, 0.3]}},
            "all": {"shares": {"uncertain": left or [0.4, 0.3, 0.5]}},
        },
    }


def test_intervals_that_reach_what_is_wanted_are_enough() -> None:
    assert verdict(figures(), "tiny") == (
        True,
        "tiny may be used here as decision support: AUROC 0.90 (0.85 to 0.95), 10% missed (5% to 20%), 20% false "
        "alarms (10% to 30%), 40% left to a person (30% to 50%). Every interval keeps to AUROC at least 0.85, missed "
        "at most 20%, false alarms at most 30%, left to a person at most 50%.",
    )


@pytest.mark.parametrize(
    "short",
    [
        {"auroc": [0.9, 0.849, 0.95]},
        {"missed": [0.1, 0.05, 0.21]},
        {"alarms": [0.2, 0.1, 0.31]},
        {"left": [0.4, 0.3, 0.51]},
    ],
)
def test_one_end_beyond_is_not_proven(short: dict[str, list[float]]) -> None:
    usable, words = verdict(figures(**short), "tiny")
    assert usable is None and words.startswith("tiny is not proven here: AUROC 0.90 (")
    assert words.endswith("Label more films before anyone relies on it.")


@pytest.mark.parametrize(
    ("bad", "usable"),
    [
        ({"auroc": [0.8, 0.7, 0.849]}, False), ({"auroc": [0.8, 0.7, 0.85]}, None),
        ({"missed": [0.3, 0.21, 0.4]}, False), ({"missed": [0.3, 0.2, 0.4]}, None),
        ({"alarms": [0.4, 0.31, 0.5]}, False), ({"alarms": [0.4, 0.3, 0.5]}, None),
        ({"left": [0.9, 0.51, 1.0]}, False), ({"left": [0.9, 0.5, 1.0]}, None),
    ],
)  # fmt: skip
def test_an_interval_beyond_what_is_wanted_rules_the_reader_out(
    bad: dict[str, list[float]], usable: bool | None
) -> None:
    """A reader that leaves nearly all films to a person misses none, and cannot be used."""
    assert verdict(figures(**bad), "tiny")[0] is usable


def test_a_reader_that_may_be_no_better_than_chance_is_said_to_be_so() -> None:
    for low, chance in ((0.51, False), (0.5, True)):
        words = verdict(figures(auroc=[0.6, low, 0.7]), "tiny")[1]
        assert words.startswith("tiny must not be used here: AUROC 0.60")
        assert ("It does no better than chance." in words) is chance


def test_films_are_counted(make_films: Callable[..., SiteFilms]) -> None:
    films = make_films(np.zeros((6, 1)), np.array([1, 0, 0, np.nan, 0, np.nan]), patients=np.array([0, 0, 1, 2, 3, 3]))
    films = replace(
        films, refused=[Unread("a", 1.0, 7, ("blank", "negative"))], excluded=[Unread("b", 0.0, 8, reason="no file")]
    )
    assert counts(films) == {
        "read": 6, "labelled": 4, "positive": 1, "negative": 3, "patients": 4, "patients_known": True,
        "refused": [{"file": "a", "codes": ["blank", "negative"]}],
        "excluded": [{"file": "b", "reason": "no file"}],
    }  # fmt: skip


def test_what_makes_intervals_or_scores_worthless_is_noted(make_films: Callable[..., SiteFilms]) -> None:
    films = make_films(np.zeros((2, 1)), np.zeros(2))
    assert notes_on(films, np.array([0.0, 1e-6])) == []
    assert notes_on(films, np.array([0.3, 0.3])) == [
        "The reader gives every film the same score: it cannot distinguish anything here."
    ]
    assert notes_on(films, np.array([0.3])) == [], "one film always has one score"
    assert notes_on(replace(films, patients_known=False), np.array([0.0, 1.0])) == [
        "The manifest does not name the patient of every film: films of one patient may be counted as independent, so "
        "the intervals may be too narrow. Give a patient column or a patient rule."
    ]
