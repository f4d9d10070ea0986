"""Which promise can be kept at a site, and which cut-offs are adopted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit

from ai_for_sudan.contract import Card, OperatingPoint
from ai_for_sudan.sites import ReaderFile
from ai_for_sudan.sites.head import Rows
from ai_for_sudan.sites.labelled import Judge
from ai_for_sudan.sites.rule import in_words, judged, promise_of, promises_of, tried
from ai_for_sudan.sites.verdict import verdict as use_of
from ai_for_sudan.statistics import PROMISES, Promise, Resamples

LABELS = np.repeat([1.0, 0.0], 100)


def point(low: float, high: float, missed: float | None = None, name: str = "balanced") -> OperatingPoint:
    return OperatingPoint(
        name=name, missed=missed, false_alarms=missed, not_seen_below=low, suspected_from=high, reason="by hand"
    )


def judge_of(card: Card, shipped: np.ndarray, promise: float) -> Judge:
    """Two hundred patients, of whom the reader as shipped says this."""
    odds = logit(np.array([{"suspected": 0.9, "uncertain": 0.5, "not_seen": 0.1}[status] for status in shipped]))
    rows = Rows(np.stack([np.zeros(200), odds], 1), np.zeros((200, 1)), LABELS, np.arange(200), np.ones(200), 1, True)
    none, nobody = np.zeros(200, bool), (np.zeros(0), np.zeros(0, int))
    card = replace(card, operating_points={"balanced": point(0.3, 0.7, promise)})
    resamples = Resamples.of(LABELS, np.arange(200), count=200)
    return Judge(
        rows, none, none, nobody, card, Promise(promise, promise), resamples, {}, {}, None, None, 0, lambda _: None
    )


def said(wrong: int, uncertain: int) -> np.ndarray:
    """Of each class so many films wrong and so many uncertain; the others are decided rightly."""
    found = []
    for right, other in (("suspected", "not_seen"), ("not_seen", "suspected")):
        found += [other] * wrong + ["uncertain"] * uncertain + [right] * (100 - wrong - uncertain)
    return np.array(found, object)


def verdict(card: Card, shipped: np.ndarray, wanted: np.ndarray, at_20: np.ndarray | None = None) -> dict[str, object]:
    """Of a promise of 5 %; ladder rungs leave all films to a person, but for that of 20 %."""
    statuses = dict.fromkeys(tried(Promise(0.05, 0.05)), said(0, 100)) | {"wanted": wanted}
    return judged(judge_of(card, shipped, 0.05), statuses | ({} if at_20 is None else {"20%": at_20}))


@pytest.mark.parametrize(
    ("shipped", "chosen", "adopted"),
    [
        ((20, 10), (4, 40), True),  # the reader breaks its promise, other cut-offs keep it
        ((4, 10), (4, 40), False),  # fewer films at the same error rates
        ((4, 40), (4, 10), True),  # more films at the same error rates
        ((4, 40), (4, 40), False),
        ((20, 10), (20, 10), False),  # neither keeps it
        ((20, 10), (1, 97), False),  # kept by saying nothing of nearly all films
        ((0, 60), (4, 30), True),  # the reader says too little
    ],
)
def test_cut_offs_are_adopted_by_what_the_clinic_experiences(
    tiny_file: ReaderFile, shipped: tuple[int, int], chosen: tuple[int, int], adopted: bool
) -> None:
    found = verdict(tiny_file.card, said(*shipped), said(*chosen))
    assert found["adopted"] is adopted
    assert found["chosen"]["table"]["positive"]["counts"]["not_seen"] == chosen[0]  # type: ignore[index]
    assert found["shipped"]["decided"] == pytest.approx(1 - shipped[1] / 100)  # type: ignore[index]
    assert found["gain"][0] == pytest.approx((shipped[1] - chosen[1]) / 100)  # type: ignore[index]


def test_where_no_cut_offs_keep_the_promise_it_says_which_can_be_kept(tiny_file: ReaderFile) -> None:
    found = verdict(tiny_file.card, said(20, 10), said(1, 97), said(18, 11))
    assert not found["adopted"] and found["offer"]["promise"] == {"missed": 0.2, "false_alarms": 0.2}  # type: ignore[index]
    assert in_words(found).endswith(
        "At 20% missed and 20% false alarms, 89% of films are decided: if that is good enough here, run again with "
        "--promise 0.2."
    )
    nothing = verdict(tiny_file.card, said(20, 10), said(1, 97))
    assert nothing["offer"] is None and in_words(nothing).endswith("Nor do they for any promise up to 20%.")
    assert in_words(verdict(tiny_file.card, said(20, 10), said(4, 40))).startswith("Cut-offs chosen here keep")
    assert in_words(verdict(tiny_file.card, said(4, 10), said(4, 40))).startswith("The reader's cut-offs keep")


def test_no_promise_is_offered_under_which_the_reader_must_not_be_used(tiny_file: ReaderFile) -> None:
    judge = judge_of(tiny_file.card, said(20, 10), 0.05)
    for name, promise in tried(judge.promise).items():
        wrong = round(100 * promise.missed)
        found = judged(judge, dict.fromkeys(tried(judge.promise), said(wrong, 50 - wrong)) | {"wanted": said(1, 97)})
        offered = {"auroc": [0.9, 0.86, 0.94], "table": found["offer"]["table"]}
        assert name == "wanted" or use_of(offered, "It")[0] is not False, name
    broken = judged(judge, dict.fromkeys(tried(judge.promise), said(33, 10)) | {"wanted": said(1, 97)})
    assert broken["offer"] is None, "a third of the films is more than a reader may miss"


def test_refused_films_are_not_decided(tiny_file: ReaderFile) -> None:
    judge = judge_of(tiny_file.card, said(0, 0), 0.05)
    judge = replace(judge, refused=(np.ones(300), np.arange(300) + 200))
    found = judged(judge, dict.fromkeys(tried(judge.promise), said(0, 0)))
    assert found["shipped"]["decided"] == pytest.approx(200 / 500) and not found["shipped"]["usable"]


def test_a_promise_is_the_card_s_unless_one_is_given(tiny_file: ReaderFile) -> None:
    points = {"balanced": point(0.3, 0.7), "screening": point(0.2, 0.7, 0.2, "screening"), "own": point(0.1, 0.2)}
    card = replace(tiny_file.card, operating_points=points, default_operating_point="balanced")
    assert promise_of(card) == PROMISES["balanced"] and promise_of(card, 0.15) == Promise(0.15, 0.15)
    assert promise_of(replace(card, default_operating_point="screening")) == Promise(0.2, 0.2)
    assert promises_of(card, Promise(0.15, 0.15)) == {"balanced": Promise(0.15, 0.15), "screening": Promise(0.2, 0.2)}
