"""Labels that mean nothing: whoever saw the films that it is measured on looks good, and nobody else does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ai_for_sudan.contract import Card
from ai_for_sudan.sites import ReaderFile, nuisance, steps
from ai_for_sudan.sites.head import Head, Rows
from ai_for_sudan.sites.labelled import Judge
from ai_for_sudan.statistics import Predictions, Promise, Resamples, quick_auroc


@pytest.fixture(scope="module")
def card(tiny_file: ReaderFile) -> Card:
    return tiny_file.card


def by_chance(count: int, seed: int, *, features: int = 0) -> Rows:
    """Two films a patient; neither score nor features know anything of the label, which is the patient's."""
    random = np.random.default_rng(seed)
    patients = np.arange(count) // 2
    people = random.normal(size=(count, features))[patients]
    return Rows(
        logits=np.stack([np.zeros(count), random.normal(size=count)], 1),
        features=people,
        labels=(random.permutation(count // 2) % 2).astype(float)[patients],
        patients=patients,
        weights=np.ones(count),
        positive=1,
        exclusive=True,
    )


def judge_of(rows: Rows, card: Card, levels: dict[str, np.ndarray] | None = None) -> Judge:
    links = {column: nuisance.linked(rows.labels, level) for column, level in (levels or {}).items()}
    resamples = Resamples.of(rows.labels, rows.patients)
    none, nobody = np.zeros(len(rows), bool), (np.zeros(0), np.zeros(0, int))
    return Judge(
        rows, none, none, nobody, card, Promise(0.2, 0.2), resamples, levels or {}, links, None, None, 0,
        lambda _: None,
    )  # fmt: skip


def test_cut_offs_are_chosen_on_other_patients_than_they_are_used_on(card: Card) -> None:
    """Of films by chance, cut-offs keep their promise on other patients too, and leave most films to a person."""
    wrong = []
    for seed in range(12):
        rows = by_chance(60, seed)
        statuses = steps.held_out(judge_of(rows, card), refit=False).statuses["shipped"]["wanted"]
        wrong += [(statuses[rows.labels == 1] == "not_seen").mean(), (statuses[rows.labels == 0] == "suspected").mean()]
    assert np.mean(wrong) < 0.25


def test_a_head_is_judged_on_patients_that_it_never_saw(card: Card) -> None:
    """Sixty features tell forty patients apart: a head that saw them has memorised every label."""
    areas = []
    for seed in range(3):
        rows = by_chance(80, seed, features=60)
        held = steps.held_out(judge_of(rows, card), refit=True)
        areas.append(quick_auroc(rows.labels, held.scores["head"]))
    assert 0.25 < np.mean(areas) < 0.7


def test_the_cut_offs_of_a_head_are_chosen_on_scores_of_patients_that_it_was_not_fitted_on(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In sample every film of these patients is told apart: the label itself would be the score."""
    chosen_on: list[float] = []
    original = steps.operating_points

    def points(sets: list[Predictions], promises: dict[str, Promise]) -> object:
        chosen_on.append(quick_auroc(sets[0].labels, sets[0].probabilities))
        return original(sets, promises)

    monkeypatch.setattr(steps, "operating_points", points)
    steps.held_out(judge_of(by_chance(80, 0, features=60), card), refit=True)
    assert max(chosen_on) < 0.85 and len(chosen_on) == 3 * 5  # as shipped, calibration and head, in five folds


def test_a_gain_that_is_gone_among_films_of_one_column_is_not_adopted(card: Card) -> None:
    rows = by_chance(200, 1)
    random = np.random.default_rng(0)
    view = np.where(random.random(200) < np.where(rows.labels == 1, 0.9, 0.1), "PA", "AP")
    judge = judge_of(rows, card, {"view": view})
    assert judge.linked == ["view"]
    held = steps.HeldOut(np.full(200, "1"), {}, {})
    learned_the_view = (view == "PA") * 2.0 + random.normal(0, 0.1, 200)
    step = steps.order(judge, "head", learned_the_view, rows.scores, held)
    assert step["gain"][1] > 0.2 and not step["adopted"]
    assert "explained by 'view'" in step["warnings"][0]
    learned_the_lungs = 2 * rows.labels + random.normal(0, 0.5, 200)
    step = steps.order(judge, "head", learned_the_lungs, rows.scores, held)
    assert step["adopted"] and not step["warnings"]


@pytest.mark.parametrize(("lost", "adopted"), [(0.0, True), (3.0, False)])
def test_a_head_that_is_worse_at_the_source_site_is_not_adopted(lost: float, adopted: bool) -> None:
    source = by_chance(300, 2, features=1)
    random = np.random.default_rng(0)
    good = np.stack([np.zeros(300), 2 * source.labels + random.normal(0, 0.7, 300)], 1)
    source = replace(source, logits=good, features=random.normal(size=(300, 1)))
    step = {"adopted": True, "warnings": []}
    steps.measure_at_source(source, step, Head(1.0, 0.0, np.array([lost]), 4.0), 0)
    assert step["adopted"] is adopted and len(step["warnings"]) == (not adopted)


def test_what_is_lost_at_the_source_site_within_noise_is_no_reason() -> None:
    source = by_chance(40, 3, features=1)
    step = {"adopted": True, "warnings": []}
    steps.measure_at_source(source, step, Head(1.0, 0.0, np.array([-0.5]), 4.0), 0)
    low, high = step["gain_at_source"][1:]
    assert step["gain_at_source"][0] < -steps.WORSE_AT_SOURCE and low < 0 < high
    assert step["adopted"]
