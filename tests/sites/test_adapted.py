"""What the card of an adapted reader says, entry by entry."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ai_for_sudan.contract import OperatingPoint
from ai_for_sudan.contract.card import Card
from ai_for_sudan.sites import ReaderFile
from ai_for_sudan.sites.adapt import Outcome
from ai_for_sudan.sites.adapted import reference_after, write_adapted
from ai_for_sudan.sites.agreement import agreement
from ai_for_sudan.sites.head import Head, Space
from ai_for_sudan.sites.log import Entry

_OUTCOMES = {"films": 15, "patients": 15, "counts": {"not_seen": 1}, "shares": {"not_seen": [0.07, 0.01, 0.3]}}
TABLE = {key: _OUTCOMES for key in ("positive", "negative", "all")}
RESULT: dict[str, Any] = {
    "final": {"auroc": [0.9, 0.8, 0.95], "table": TABLE}, "rule": "kept",
    "site": "Kassala", "date": "2026-03-04", "reader": "tiny 0.1", "measured": {"auroc": [0.9, 0.8, 0.95]},
    "verdict": "good", "warnings": ["few films"], "adopted": ["thresholds"],
    "films": {"read": 40, "labelled": 30, "excluded": ["a.png", "b.png"]},
    "steps": [
        {"name": "thresholds", "adopted": True, "after": {"sensitivity": [0.9, 0.8, 1], "specificity": [0.7, 0.6, 1]}},
        {"name": "fine-tuning", "adopted": True, "after": {"sensitivity": [0, 0, 0], "specificity": [0, 0, 0]}},
        {"name": "head", "adopted": False, "after": {"sensitivity": [1, 1, 1], "specificity": [1, 1, 1]}},
    ],
}  # fmt: skip


def at(cut_off: float) -> OperatingPoint:
    return OperatingPoint(not_seen_below=cut_off, suspected_from=cut_off)


@dataclass
class Adaptation:
    file: ReaderFile
    folder: Path

    def card(
        self,
        *,
        head: Head | None = None,
        points: dict[str, OperatingPoint] | None = None,
        chosen: bool = True,
        **changes: Any,
    ) -> Card:
        """Of the adapted file; ``changes`` of the card before."""
        space = Space.of(np.random.default_rng(0).normal(size=(20, 4)))
        outcome = Outcome({}, head, points, chosen, {}, np.zeros(0, str), np.zeros(0), "f" * 64, space)
        file = dataclasses.replace(self.file, card=Card.from_json(json.dumps(self.file.card.facts | changes)))
        write_adapted(file, self.folder / "adapted.onnx", outcome, RESULT)
        return ReaderFile.load(self.folder / "adapted.onnx").card


@pytest.fixture
def adaptation(tiny_file: ReaderFile, tmp_path: Path) -> Adaptation:
    return Adaptation(tiny_file, tmp_path)


def card_of(adaptation: Adaptation, three_classes: bool) -> Card:
    facts = adaptation.file.card.facts
    if three_classes:
        facts = facts | {"classes": ["normal", "bacterial", "pneumonia"]}
        facts["selftest"] = facts["selftest"] | {"probability": [0.2, 0.3, 0.5]}
    return Card.from_json(json.dumps(facts))


def head(prior_std: float) -> Head:
    return Head(scale=2.0, shift=0.5, direction=np.zeros(4), prior_std=prior_std)


REFERENCE = {
    "n": 1, "dims": 1, "embedding_mean": [0.0] * 4, "embedding_std": [1.0] * 4, "score_quantiles": [-1.0] * 101,
    "sample": {"n": 1, "sketches": "AAA=", "scores": [-1.0]},
}  # fmt: skip


def test_what_was_done_is_added_to_what_was_done_before(adaptation: Adaptation) -> None:
    earlier = [{"site": "Port Sudan", "adopted": ["head"]}]
    card = adaptation.card(points={"balanced": at(0.4)}, adaptations=earlier)
    before, now = card.facts["adaptations"]
    assert before == earlier[0] and card.name == "adapted"
    # Counts of films, never the names of files.
    counts = {"read": 40, "labelled": 30, "excluded": 2}
    said = {
        "chosen_here": ["cut-offs of the operating points"],
        "kept": ["network", "weights of the head", "calibration"],
    }
    assert now == RESULT | {"films": counts, "identity_of_films": "f" * 64} | said
    assert len(adaptation.card(points={"balanced": at(0.4)}).facts["adaptations"]) == 1


def test_points_say_whether_they_were_chosen_here_or_kept(adaptation: Adaptation) -> None:
    kept = replace(at(0.6), chosen_on="other films", measured={"clean": TABLE}, more={"sensitivity": [0.9, 0.8, 1]})
    given = {"balanced": at(0.4), "own": kept}
    points = adaptation.card(points=given).operating_points
    assert {name: point.suspected_from for name, point in points.items()} == {"balanced": 0.4, "own": 0.6}
    assert {point.chosen_on for point in points.values()} == {"30 labelled films of Kassala"}
    assert points["own"].measured is None and points["own"].more == {}, "it was measured elsewhere"
    assert points["balanced"].measured == {"Kassala": TABLE}
    moved = adaptation.card(points=given, head=head(0.0), chosen=False)
    assert moved.operating_points["own"].chosen_on == "other films"
    assert moved.operating_points["balanced"].chosen_on is None
    record = moved.facts["adaptations"][-1]
    assert record["chosen_here"] == ["calibration"]
    assert record["kept"] == ["network", "weights of the head", "cut-offs of the operating points"]


@pytest.mark.parametrize(("prior_std", "three_classes"), [(0.5, False), (0.0, True)])
def test_where_the_new_scores_of_its_own_films_are_not_known_the_card_says_whose_they_are(
    adaptation: Adaptation, prior_std: float, three_classes: bool
) -> None:
    reference = reference_after(card_of(adaptation, three_classes), REFERENCE, head(prior_std))
    assert reference == REFERENCE | {"scores_of": "tiny 0.1, before adaptation"}


def test_a_recalibrated_reader_scores_its_own_films_by_its_new_calibration(adaptation: Adaptation) -> None:
    """Twice the log-odds and a half more: else it would differ from its own films for ever."""
    reference = adaptation.card(head=head(0.0), reference=REFERENCE).facts["reference"]
    assert reference["sample"] == {"n": 1, "sketches": "AAA=", "scores": [-1.5]}
    assert reference["score_quantiles"] == [-1.5] * 101
    assert {**REFERENCE, **reference, "sample": 0, "score_quantiles": 0} == {
        **REFERENCE, "sample": 0, "score_quantiles": 0,
    }  # fmt: skip
    short = {key: value for key, value in REFERENCE.items() if key != "score_quantiles"}
    assert "score_quantiles" not in adaptation.card(head=head(0.0), reference=short).facts["reference"]
    kept = adaptation.card(points={"balanced": at(0.4)}, reference=REFERENCE).facts["reference"]
    assert kept == REFERENCE, "thresholds change no score"


def test_the_calibration_of_the_site_takes_the_place_of_the_old_one(adaptation: Adaptation) -> None:
    old = {"method": "x", "prevalence": 0.7, "ece": {"clean": {"value": 0.01}}, "ece_measured_on": "other films"}
    card = adaptation.card(head=head(0.0), calibration=old)
    assert card.facts["calibration"] == {
        "method": "logistic recalibration at the site", "fitted_on": "30 labelled films of Kassala",
        "scale": [2.0, 2.0], "bias": [0.0, 0.5],
    }  # fmt: skip
    assert adaptation.card(points={"balanced": at(0.4)}, calibration=old).facts["calibration"] == old


def test_agreement_is_counted_week_by_week() -> None:
    weeks = [date(2026, 1, 5), date(2026, 1, 5), date(2026, 1, 12), date(2026, 1, 12), date(2026, 1, 19)]
    said = ["agree", "disagree", "agree", "unsure", None]
    entries = [Entry(week, "suspected", 0.1, None, what, None, "r") for week, what in zip(weeks, said, strict=True)]
    found = agreement(entries, 0.6, 0.05)
    assert (found["verdicts"], found["unsure"], found["wanted"], found["alarm"]) == (3, 1, 0.6, False)
    assert [(point["week"], point["verdicts"], point["share"][0]) for point in found["course"]] == [
        ("2026-01-05", 2, 0.5), ("2026-01-12", 3, 2 / 3),
    ]  # fmt: skip
    assert agreement([], 0.6, 0.05) == {"wanted": 0.6, "verdicts": 0, "unsure": 0, "course": [], "alarm": False}
