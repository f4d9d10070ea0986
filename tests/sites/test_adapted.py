"""What the card of an adapted reader says, entry by entry."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ai_for_sudan.contract.card import Card
from ai_for_sudan.sites import ReaderFile
from ai_for_sudan.sites.adapt import Outcome
from ai_for_sudan.sites.adapted import write_adapted
from ai_for_sudan.sites.head import Head, Space
from ai_for_sudan.sites.log import Entry
from ai_for_sudan.sites.monitor import _agreement
from ai_for_sudan.statistics import Band
from ai_for_sudan.statistics.operating_points import REASONS

RESULT: dict[str, Any] = {
    "site": "Kassala", "date": "2026-03-04", "reader": "tiny 0.1", "measured": {"auroc": [0.9, 0.8, 0.95]},
    "verdict": "good", "warnings": ["few films"], "adopted": ["thresholds"],
    "films": {"read": 40, "labelled": 30, "excluded": ["a.png", "b.png"]},
    "steps": [
        {"name": "thresholds", "adopted": True, "after": {"sensitivity": [0.9, 0.8, 1], "specificity": [0.7, 0.6, 1]}},
        {"name": "fine-tuning", "adopted": True, "after": {"sensitivity": [0, 0, 0], "specificity": [0, 0, 0]}},
        {"name": "head", "adopted": False, "after": {"sensitivity": [1, 1, 1], "specificity": [1, 1, 1]}},
    ],
}  # fmt: skip


@dataclass
class Adaptation:
    file: ReaderFile
    folder: Path

    def card(self, *, head: Head | None = None, thresholds: dict[str, float] | None = None, **changes: Any) -> Card:
        """Of the adapted file; ``changes`` of the card before."""
        space = Space.of(np.random.default_rng(0).normal(size=(20, 4)))
        outcome = Outcome({}, head, thresholds, Band(0.3, 0.7), {}, np.zeros(0), "f" * 64, space)
        file = dataclasses.replace(self.file, card=self.file.card | changes)
        write_adapted(file, self.folder / "adapted.onnx", outcome, RESULT)
        return Card.from_json(ReaderFile.load(self.folder / "adapted.onnx").text)


@pytest.fixture
def adaptation(tiny_file: ReaderFile, tmp_path: Path) -> Adaptation:
    return Adaptation(tiny_file, tmp_path)


def head(prior_std: float) -> Head:
    return Head(scale=2.0, shift=0.5, direction=np.zeros(4), prior_std=prior_std)


REFERENCE = {
    "n": 1, "dims": 1, "embedding_mean": [0.0] * 4, "embedding_std": [1.0] * 4, "score_quantiles": [0.0] * 101,
    "sample": {"n": 1, "sketches": "AAA=", "scores": [0.0]},
}  # fmt: skip


def test_what_was_done_is_added_to_what_was_done_before(adaptation: Adaptation) -> None:
    earlier = [{"site": "Port Sudan", "adopted": ["head"]}]
    card = adaptation.card(thresholds={"balanced": 0.4}, adaptations=earlier)
    before, now = card.facts["adaptations"]
    assert before == earlier[0] and card.name == "adapted"
    assert (now["site"], now["date"], now["adopted"], now["identity_of_films"]) == (
        "Kassala", "2026-03-04", ["thresholds"], "f" * 64,
    )  # fmt: skip
    assert now["films"] == {"read": 40, "labelled": 30, "excluded": 2}, "counts, never the names of files"
    assert len(adaptation.card(thresholds={"balanced": 0.4}).facts["adaptations"]) == 1


def test_points_that_were_chosen_here_say_so(adaptation: Adaptation) -> None:
    points = adaptation.card(thresholds={"balanced": 0.4, "screening": 0.2, "own": 0.6}).facts["operating_points"]
    assert {name: point["threshold"] for name, point in points.items()} == {
        "balanced": 0.4, "screening": 0.2, "own": 0.6,
    }  # fmt: skip
    assert points["balanced"]["reason"] == REASONS["balanced"]
    assert points["own"]["reason"] == "adjusted with the calibration, so that it calls the same films"
    assert points["screening"]["chosen_on"] == "30 labelled films of Kassala"
    # Of the last step that was adopted, fine-tuning apart: its rates are of another network.
    assert (points["balanced"]["sensitivity"], points["balanced"]["specificity"]) == ([0.9, 0.8, 1], [0.7, 0.6, 1])
    assert "sensitivity" not in points["screening"]


def test_a_default_point_that_was_not_chosen_here_takes_the_balanced_threshold(adaptation: Adaptation) -> None:
    card = adaptation.card(thresholds={"balanced": 0.4}, default_operating_point="screening")
    assert card.default_operating_point == "screening"
    assert card.operating_points["screening"].threshold == 0.4
    assert card.operating_points["screening"].reason == REASONS["balanced"]


@pytest.mark.parametrize(("prior_std", "marked"), [(0.0, False), (0.5, True)])
def test_a_refitted_head_s_scores_are_no_longer_those_of_the_reference(
    adaptation: Adaptation, prior_std: float, marked: bool
) -> None:
    card = adaptation.card(head=head(prior_std), reference=REFERENCE, abstention={"lower": 0.4, "upper": 0.6})
    assert ("scores_of" in card.facts["reference"]) == marked
    if marked:
        assert card.facts["reference"]["scores_of"].endswith("before adaptation")
        assert card.facts["reference"]["dims"] == 1
    assert card.abstention is not None and (card.abstention.lower, card.abstention.upper) == (0.3, 0.7)
    assert "films of Kassala" in card.facts["abstention"]["method"]
    assert card.facts["calibration"]["fitted_on"] == "30 films of Kassala"
    assert card.facts["calibration"]["method"] == "logistic recalibration at the site"


def test_agreement_is_counted_week_by_week() -> None:
    weeks = [date(2026, 1, 5), date(2026, 1, 5), date(2026, 1, 12), date(2026, 1, 12), date(2026, 1, 19)]
    said = ["agree", "disagree", "agree", "unsure", None]
    entries = [Entry(week, "suspected", 0.1, None, what, None, "r") for week, what in zip(weeks, said, strict=True)]
    found = _agreement(entries, 0.6, 0.05)
    assert (found["verdicts"], found["unsure"], found["wanted"], found["alarm"]) == (3, 1, 0.6, False)
    assert [(point["week"], point["verdicts"], point["share"][0]) for point in found["course"]] == [
        ("2026-01-05", 2, 0.5), ("2026-01-12", 3, 2 / 3),
    ]  # fmt: skip
    assert _agreement([], 0.6, 0.05) == {"wanted": 0.6, "verdicts": 0, "unsure": 0, "course": [], "alarm": False}
