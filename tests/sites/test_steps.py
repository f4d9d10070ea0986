"""The steps of an adaptation and what judges them: on a few films, so that every figure can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from ai_for_sudan.contract import Card, OperatingPoint, reference
from ai_for_sudan.sites import ReaderFile, SiteFilms, nuisance, steps
from ai_for_sudan.sites.curve import draw_films, learning_curve, summary
from ai_for_sudan.sites.head import Head, Rows
from ai_for_sudan.sites.labelled import Judge
from ai_for_sudan.statistics import Promise, Resamples, ece_bias, quick_auroc


@pytest.fixture
def card(tiny_file: ReaderFile) -> Card:
    """Films with a probability from 0.48 to 0.5 are left to a person."""
    return tiny_file.card


def rows_of(scores: Sequence[float], labels: Sequence[float], features: np.ndarray | None = None, **more: Any) -> Rows:
    """Films with these log-odds, each of another patient."""
    n = len(scores)
    values = {
        "logits": np.stack([np.zeros(n), np.array(scores, float)], 1),
        "features": np.zeros((n, 1)) if features is None else features,
        "labels": np.array(labels, float),
        "patients": np.arange(n),
        "weights": np.ones(n),
    } | more
    return Rows(**values, positive=1, exclusive=True)


def judge_of(rows: Rows, card: Card, levels: dict[str, np.ndarray] | None = None, **more: Any) -> Judge:
    """Its two resamples are the films as they are, so that both ends of an interval are mostly the figure itself."""
    links = {column: nuisance.linked(rows.labels, level) for column, level in (levels or {}).items()}
    values: dict[str, Any] = {
        "doubted": np.zeros(len(rows), bool), "abnormal": np.zeros(len(rows), bool),
        "refused": (np.zeros(0), np.zeros(0, int)), "promise": Promise(0.1, 0.1),
        "replayed": None, "source": None, "seed": 0, "say": lambda _: None,
    } | more  # fmt: skip
    resamples = Resamples(np.ones((3, len(rows))), rows.labels)
    return Judge(rows=rows, card=card, resamples=resamples, levels=levels or {}, links=links, **values)


def thrice(value: float) -> Any:
    return pytest.approx([value] * 3)


# --- judge -----------------------------------------------------------------------------------------------------------


def test_figures_by_hand(card: Card) -> None:
    rows = rows_of([-1, 1, 0, 2], [0, 0, 1, 1])
    judge = judge_of(rows, card, {"view": np.array(["A", "B", "A", "B"])})
    probability = expit(np.array([-1.0, 1, 0, 2]))
    found = judge.figures(rows.scores, judge.as_shipped)
    assert found["auroc"][0] == 3 / 4 and found["auroc"][1] < 0.5 < 0.9 < found["auroc"][2], "never without a width"
    assert judge.as_shipped.tolist() == ["not_seen", "suspected", "suspected", "suspected"]
    assert found["table"]["positive"]["counts"] == {"suspected": 2, "uncertain": 0, "not_seen": 0, "refused": 0}
    assert found["table"]["negative"]["shares"]["suspected"][0] == 1 / 2
    assert judge.figures(rows.scores)["table"] is None
    assert found["brier"] == thrice(np.mean((probability - [0, 0, 1, 1]) ** 2))
    assert found["ece"] == thrice(np.abs(probability - [0, 0, 1, 1]).mean()), "four bins of one film"
    assert found["ece_of_a_calibrated_reader"] == ece_bias(probability)
    assert found["within"] == {"view": thrice(1.0)}, "both pairs of one view are in order"
    folds = np.array(["1", "2", "1", "2"])
    assert judge.figures(rows.scores, folds=folds)["auroc"][0] == 1.0, "ranks of different folds are not compared"


def test_films_that_are_doubted_abnormal_or_refused_are_counted_so(card: Card) -> None:
    rows = rows_of([-1, -1, 2, 2], [0, 0, 1, 1])
    judge = judge_of(
        rows, card, abnormal=np.array([True, False, True, False]), doubted=np.array([False, False, False, True]),
        refused=(np.array([1.0, 0.0, 0.0]), np.array([7, 8, 8])),
    )  # fmt: skip
    assert judge.as_shipped.tolist() == ["uncertain", "not_seen", "suspected", "uncertain"]
    assert judge.statuses(card.operating_point(), np.array([2.0, 2.0]), np.array([0, 3])).tolist() == [
        "suspected", "uncertain",
    ]  # fmt: skip
    table = judge.table(judge.as_shipped)
    assert table.positive.counts == {"suspected": 1, "uncertain": 1, "not_seen": 0, "refused": 1}
    assert table.all.films == 7 and table.refused.value == 3 / 7
    np.testing.assert_allclose(judge.decided(judge.as_shipped), 1 / 2)


def test_a_judge_of_films_splits_the_source_by_patients(make_films: Callable[..., SiteFilms], card: Card) -> None:
    rng = np.random.default_rng(0)
    labels = np.where(np.arange(90) < 80, np.arange(90) % 2, np.nan)
    view = np.where(labels == 1, "PA", "AP")
    films = make_films(rng.normal(size=(90, 2)), labels, view=view, device=["one"] * 90, sex=["F", "M"] * 45)
    labelled = np.arange(80)
    rows = rows_of(rng.normal(size=80), labels[:80])
    source = rows_of(rng.normal(size=60), np.arange(60) % 2, patients=np.arange(60) // 2 * 2 + np.arange(60) % 2)
    said: list[str] = []
    judge = Judge.of(films, labelled, rows, source, card, Promise(0.1, 0.2), ("view", "device"), 3, said.append)
    assert list(judge.levels) == ["view", "acquisition score"], "one device says nothing, and sex was not asked for"
    assert judge.levels["view"].tolist() == view[:80].tolist() and len(judge.levels["acquisition score"]) == 80
    assert judge.linked == ["view"] and judge.links["view"]["auroc_alone"] == 1.0
    assert judge.seed == 3 and judge.card is card and judge.say == said.append
    assert judge.resamples.counts.shape == (2001, 80) and (judge.resamples.counts.sum(1) == 80).all()
    other = Judge.of(films, labelled, rows, None, card, Promise(0.1, 0.2), (), 4, said.append)
    assert other.replayed is None and other.source is None and list(other.levels) == ["acquisition score"]
    assert (other.resamples.counts != judge.resamples.counts).any()
    assert judge.replayed is not None and judge.source is not None
    assert len(judge.replayed) == len(judge.source) == 30
    assert sorted([*judge.replayed.scores, *judge.source.scores]) == pytest.approx(sorted(source.scores))
    np.testing.assert_array_equal(judge.with_source(rows).labels[80:], judge.replayed.labels)
    assert other.with_source(rows) is rows


def test_a_linked_column_is_balanced_and_the_acquisition_score_is_not(card: Card) -> None:
    labels = np.array([0.0] * 30 + [1.0] * 10 + [0.0] * 10 + [1.0] * 30)
    view = np.array(["AP"] * 40 + ["PA"] * 40)
    rows = rows_of(labels, labels)
    judge = judge_of(rows, card, {"view": view, nuisance.ACQUISITION: np.array(["fifth 1", "fifth 2"] * 40)})
    judge.links[nuisance.ACQUISITION]["linked"] = True
    assert judge.linked == ["view", nuisance.ACQUISITION]
    some = np.r_[0:30, 40:80]  # no positive film of AP
    weights = judge.balanced(rows.take(some), some).weights
    # Of 70 films 3/7 are positive: of PA's 40 so many are wanted.
    np.testing.assert_allclose(weights[:30], 4 / 7)
    np.testing.assert_allclose(weights[30:40], 40 * 4 / 7 / 10)
    np.testing.assert_allclose(weights[40:], 40 * 3 / 7 / 30)


def test_what_is_linked_is_warned_of(card: Card) -> None:
    labels = np.array([0.0] * 30 + [1.0] * 10 + [0.0] * 10 + [1.0] * 30)
    view = np.array(["AP"] * 40 + ["PA"] * 40)
    calm = np.array(["x", "y"] * 40)
    judge = judge_of(rows_of(labels, labels), card, {"view": view, "sex": calm, nuisance.ACQUISITION: view})
    assert judge.warnings() == [
        "The column 'view' is linked with the label here (positive: AP 25% of 40, PA 75% of 40; p = 7.7e-06); on its "
        "own it would reach AUROC 0.75. Rely on the figures within one view.",
        "Six numbers on grey levels and sharpness predict the label with AUROC 0.75 here, without looking at the "
        "lungs: positive and negative films seem to be taken or exported differently. A head can learn that: rely on "
        "the figures within films that look alike.",
    ]
    judge = judge_of(rows_of(labels, labels), card, {nuisance.ACQUISITION: view, "view": view})
    assert len(judge.warnings()) == 2


# --- held out --------------------------------------------------------------------------------------------------------


def told_apart(card: Card, **more: Any) -> Judge:
    """Sixty patients: the log-odds tell the classes apart at 2 instead of at 0, one feature does so at 0."""
    rng = np.random.default_rng(0)
    labels = np.arange(60.0) % 2
    features = (labels[:, None] - 0.5) * 4 + rng.normal(0, 0.1, (60, 1))
    rows = rows_of(2 + 3 * (labels - 0.5) + rng.normal(0, 0.1, 60), labels, features)
    return judge_of(rows, card, **more)


def test_what_tells_the_classes_apart_is_found_on_held_out_patients(card: Card) -> None:
    said: list[str] = []
    judge = told_apart(card, say=said.append)
    held = steps.held_out(judge, refit=True)
    assert set(held.scores) == set(held.statuses) == {"shipped", "calibration", "head"}
    right = np.where(judge.rows.labels == 1, "suspected", "not_seen")
    for statuses in held.statuses.values():
        assert list(statuses) == ["wanted", "2%", "5%", "10%", "15%", "20%"]
        assert (statuses["wanted"] == right).mean() > 0.9 and (statuses["2%"] == "uncertain").all(), "too few for 2 %"
    assert (judge.as_shipped == right).mean() < 0.9
    for name in ("calibration", "head"):
        np.testing.assert_array_equal(held.scores[name] > 0, judge.rows.labels == 1)
    assert set(held.folds) == {"1", "2", "3", "4", "5"}
    assert said == [f"fold {n} of 5: cut-offs, calibration, head" for n in range(1, 6)]
    said.clear()
    held = steps.held_out(judge, refit=False)
    assert set(held.scores) == set(held.statuses) == {"shipped", "calibration"}
    assert said == [f"fold {n} of 5: cut-offs, calibration" for n in range(1, 6)]


def test_a_careless_head_learns_the_column_and_the_other_does_not(card: Card) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(160.0) % 2
    view = np.where(rng.random(160) < np.where(labels == 1, 0.8, 0.2), "PA", "AP")
    features = np.stack([(view == "PA") * 2.0 - 1, rng.normal(size=160)], 1)
    judge = judge_of(rows_of(np.zeros(160), labels, features), card, {"view": view})
    held = steps.held_out(judge, refit=True)
    assert quick_auroc(labels, held.scores["head, careless"]) > 0.7 > 0.62 > quick_auroc(labels, held.scores["head"])
    assert "head, careless" not in held.statuses
    said: list[str] = []
    step, head = steps.refitted(replace(judge, say=said.append), held)
    assert said == ["head: fitting it on all labelled films"]
    assert step["name"] == "head" and not step["adopted"] and head.prior_std > 0
    assert abs(head.direction[0]) < 0.5, "fitted on all films, with the column balanced"
    careless = judge.resamples.auroc(held.scores["head, careless"], held.folds)[0]
    assert step["careless"]["auroc"] == thrice(careless) and list(step["careless"]["within"]) == ["view"]
    assert step["careless"]["within"]["view"][0] < careless
    assert "gain_at_source" not in step


# --- each step -------------------------------------------------------------------------------------------------------


def films_of(high: int, low: int) -> Rows:
    """Patients of whom the reader is certain, each with a second film that says the reverse."""
    scores = [20.0] * high + [-20.0] * low
    return rows_of(
        [*scores, *(-s for s in scores)], [np.nan] * 2 * len(scores), patients=np.arange(2 * len(scores)) % len(scores)
    )


def test_the_share_of_positives_is_that_of_patients(card: Card) -> None:
    """Where the reader is certain of every film, the likeliest share is the share of films it is certain of."""
    rows = films_of(10, 30)
    half = replace(card, calibration={"prevalence": 0.5})
    found, why = steps.estimated_shift(rows, half, seed=0)
    assert found is not None and not why and found["patients"] == 40 and found["prevalence_before"] == 0.5
    share, low, high = found["prevalence"]
    assert share == pytest.approx(0.25, abs=1e-3)
    # Of a binomial count of 40 with 10 expected: 5 to 16.
    assert low == pytest.approx(5 / 40, abs=1.5 / 40) and high == pytest.approx(15.5 / 40, abs=1.5 / 40)
    assert found["shift"] == pytest.approx(np.log(1 / 3), abs=1e-2)
    assert found["p_fits"] is None
    assert (found, "") == steps.estimated_shift(rows, half, seed=0)


@pytest.mark.parametrize(("scores", "fits"), [(4.0, True), (0.5, False)])
def test_where_another_share_does_not_explain_the_scores_none_is_said(card: Card, scores: float, fits: bool) -> None:
    """Of its own films, half positive, the reader was always nearly certain; of these here it is, or never is."""
    own = expit(np.repeat([-4.0, 4.0], 60))
    rows = films_of(10, 30)
    rows = replace(rows, logits=np.sign(rows.logits) * scores)
    known = replace(card, calibration={"prevalence": 0.5}, reference=reference.build(np.zeros((120, 1)), own))
    found, why = steps.estimated_shift(rows, known, seed=0)
    assert (found is not None) == fits and (why == "") == fits
    if found is not None:
        assert found["p_fits"] > 0.05
    else:
        assert "The share of positives is not estimated" in why and "p = 0.00" in why
    others = replace(known, reference={**(known.reference or {}), "scores_of": "another"})
    assert steps.estimated_shift(rows, others, seed=0)[0]["p_fits"] is None  # type: ignore[index]


@pytest.mark.parametrize(
    ("patients", "prevalence", "estimated"),
    [(30, 0.5, True), (29, 0.5, False), (30, 0.0, False), (30, 1.0, False), (30, None, False), (30, 1, False)],
)
def test_without_what_the_card_must_tell_no_share_is_estimated(
    card: Card, patients: int, prevalence: float | None, estimated: bool
) -> None:
    rows = films_of(9, patients - 9)
    found, why = steps.estimated_shift(rows, replace(card, calibration={"prevalence": prevalence}), seed=0)
    assert (found is not None) == estimated and not why
    assert steps.estimated_shift(rows, replace(card, calibration=None), seed=0) == (None, "")


def log_loss(scores: np.ndarray, labels: np.ndarray) -> float:
    probability = expit(scores)
    return float(-np.log(np.where(labels == 1, probability, 1 - probability)).mean())


@pytest.mark.parametrize(
    ("interval", "adopted"), [((0.1, 0.4), True), ((0.1, 0.5), False), ((0.5, 0.9), False), ((0.6, 0.9), True)]
)
def test_another_share_is_adopted_where_the_one_before_lies_outside_its_interval(
    card: Card, interval: tuple[float, float], adopted: bool
) -> None:
    judge = judge_of(rows_of([1, 1, 3], [0, 0, 1]), card)
    estimated = {"shift": -1.5, "prevalence": [0.2, *interval], "prevalence_before": 0.5}
    step = steps.label_shift(judge, estimated)
    old, labels = judge.rows.scores, judge.rows.labels
    assert step["gain"] == thrice(log_loss(old, labels) - log_loss(old - 1.5, labels)) and step["gain"][0] > 0
    assert step["adopted"] is adopted and step["name"] == "label shift" and step["estimated"] == estimated
    assert step["measure"] == "log loss on the labelled films, whose labels the estimate did not use"
    assert step["after"]["table"]["negative"]["counts"]["suspected"] == 2, "cut-offs move along"
    assert step["after"]["brier"] == thrice(np.mean((expit(old - 1.5) - labels) ** 2))
    worse = steps.label_shift(judge, estimated | {"shift": 1.5})
    assert worse["gain"][0] < 0 and not worse["adopted"]


def test_a_calibration_gains_what_held_out_films_gain(card: Card) -> None:
    judge = judge_of(rows_of([1, 1, 3, 3], [0, 0, 1, 1]), card)
    new, labels = np.array([-2.0, -2, 2, 2]), judge.rows.labels
    step = steps.calibration(judge, in_one_fold(4, calibration=new))
    assert step["gain"] == thrice(log_loss(judge.rows.scores, labels) - log_loss(new, labels))
    assert step["name"] == "calibration" and step["adopted"]
    assert step["measure"] == "log loss (smaller is better; the gain is the decrease)"
    assert step["after"]["table"]["negative"]["counts"]["suspected"] == 2, "what is said of a film stays"
    assert step["after"]["brier"] == thrice(expit(-2) ** 2)


def in_one_fold(films: int, **scores: np.ndarray) -> steps.HeldOut:
    return steps.HeldOut(np.full(films, "1"), scores, {})


def test_a_better_order_must_be_one_within_every_linked_column(card: Card) -> None:
    labels = np.tile([0.0, 1.0], 40)
    view, sex = np.where(labels == 1, "PA", "AP"), np.where(labels == 1, "M", "F")
    view[:2], sex[:4] = ["PA", "AP"], ["M", "F", "M", "F"]
    judge = judge_of(rows_of(np.zeros(80), labels), card, {"view": view, "sex": sex, "site": np.array(["a", "b"] * 40)})
    judge.links["site"]["linked"] = False
    learned = (view == "PA") * 1.0
    held = in_one_fold(80)
    step = steps.order(judge, "head", learned, judge.rows.scores, held)
    # 39 of 40 positive and one of 40 negative films are PA: the area is (1 + 39/40 - 1/40) / 2 instead of a half.
    assert step["name"] == "head" and step["gain"] == thrice(38 / 40 / 2) and not step["adopted"]
    assert step["measure"] == "AUROC over all films, and among films of the same view and of the same sex"
    assert step["after"]["auroc"][0] == pytest.approx(0.5 + 38 / 80)
    assert step["within"]["view"]["gain"] == thrice(0.0) and set(step["within"]) == {"view", "sex", "site"}
    assert len(step["warnings"]) == 1, "of the same sex it does order the films better"
    assert step["warnings"][0] == (
        "The gain of the step 'head' is explained by 'view': over all films AUROC rises by 0.47, but among films of "
        "the same view by 0.00 (0.00 to 0.00). It was not adopted: it may have learned the view, not the lungs."
    )
    assert steps.order(judge, "head", labels, judge.rows.scores, held)["adopted"]
    none = steps.order(judge, "head", judge.rows.scores, judge.rows.scores, held)
    assert not none["adopted"] and none["warnings"] == [], "where nothing is gained nothing is to be explained"
    free = steps.order(judge_of(judge.rows, card), "head", learned, judge.rows.scores, held)
    assert free["adopted"] and free["measure"] == (
        "AUROC over all films, and among films of the same patient group (no column is linked with the label)"
    )


def test_a_head_that_loses_at_the_source_says_how_much() -> None:
    labels = np.arange(40.0) % 2
    source = rows_of(labels, labels, features=labels[:, None] - 0.5)
    step: dict[str, Any] = {"adopted": True, "warnings": []}
    steps.measure_at_source(source, step, Head(1.0, 0.0, np.array([-2.0]), 4.0), 0)
    assert step["gain_at_source"] == [-1.0, -1.0, -1.0] and step["adopted"] is False
    assert step["warnings"] == [
        "The refitted head would be worse at the source site: AUROC -1.000 (-1.000 to -1.000). It was not adopted."
    ]
    same: dict[str, Any] = {"adopted": True, "warnings": []}
    steps.measure_at_source(source, same, Head(1.0, 0.0, np.zeros(1), 4.0), 0)
    assert same == {"adopted": True, "warnings": [], "gain_at_source": [0.0, 0.0, 0.0]}
    before: dict[str, Any] = {"adopted": False, "warnings": []}
    steps.measure_at_source(source, before, Head(1.0, 0.0, np.array([-2.0]), 4.0), 0)
    assert before["warnings"] == [], "it was not going to be adopted"


def test_both_readers_are_measured_at_the_source(card: Card) -> None:
    source = rows_of([-2, 0.5, 0, 2], [0, 0, 1, 1], features=np.array([[0.0], [-1], [1], [0]]))
    judge = judge_of(source, card, source=source)
    found = steps.at_source(judge, None, None)
    assert found["films"] == 4 and found["shipped"] == found["adapted"]
    assert found["shipped"]["auroc"][0] == 3 / 4
    assert found["shipped"]["table"]["positive"]["counts"]["suspected"] == 2, "log-odds 0 too"
    assert found["shipped"]["table"]["negative"]["counts"]["suspected"] == 1
    # By the head: -2, -0.5, 1, 2; at 0.8, which is log-odds 1.39, one of the two positive films is suspected.
    adapted = steps.at_source(judge, Head(1.0, 0.0, np.ones(1), 4.0), {"balanced": at(0.8), "screening": at(0.1)})[
        "adapted"
    ]
    assert adapted["auroc"][0] == 1.0 and adapted["table"]["positive"]["counts"]["suspected"] == 1
    assert adapted["table"]["negative"]["counts"]["not_seen"] == 2
    assert steps.at_source(judge, None, {"screening": at(0.1)})["adapted"] == found["shipped"], (
        "another point's cut-off"
    )


def at(low: float, high: float | None = None) -> OperatingPoint:
    return OperatingPoint(name="balanced", not_seen_below=low, suspected_from=low if high is None else high)


class Trained:
    """Stands for five folds of training: what a network would say of each film."""

    def __init__(self, scores: np.ndarray) -> None:
        self.scores = scores
        self.divisions: Sequence[Any] = ()

    def held_out(self, rows: Rows, divisions: Sequence[Any]) -> np.ndarray:
        self.divisions = divisions
        return self.scores

    def on_all(self, rows: Rows) -> Path:
        return Path("final/best_model.pth")


@pytest.mark.parametrize(("sign", "checkpoint"), [(1.0, str(Path("final/best_model.pth"))), (-1.0, None)])
def test_a_network_trained_on_is_judged_against_the_best_so_far(
    card: Card, sign: float, checkpoint: str | None
) -> None:
    said: list[str] = []
    labels = np.arange(40.0) % 2
    judge = judge_of(rows_of(labels, labels), card, say=said.append)
    trained = Trained(sign * (2 * labels - 1))
    step, found = steps.finetuned(judge, trained, "best", in_one_fold(40, best=np.zeros(40)))  # type: ignore[arg-type]
    assert (step["name"], step["adopted"], found) == ("fine-tuning", sign > 0, checkpoint)
    assert step["gain"] == thrice(sign / 2) and step["after"]["table"] is None
    assert len(trained.divisions) == 5 and said == ["fine-tuning: the network, in five folds"]


# --- learning curve --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("films", "counts"), [(53, []), (54, [40]), (133, [40]), (134, [40, 100])])
def test_a_quarter_of_the_films_or_more_is_left_to_measure_on(card: Card, films: int, counts: list[int]) -> None:
    labels = np.arange(films) % 2.0
    features = np.random.default_rng(0).normal(size=(films, 1))
    said: list[str] = []
    judge = judge_of(rows_of(labels, labels, features), card, {"view": np.array(["A", "A", "B", "B"] * 34)[:films]})
    curve = learning_curve(replace(judge, say=said.append), 2)
    assert [point["labels"] for point in curve] == counts and all(point["draws"] == 2 for point in curve)
    assert said == [f"learning curve: 2 draws of {count} labelled films" for count in counts]
    for point in curve:
        assert list(point["auroc"]) == ["all films", "view"]
        assert all(one["before"] == [1.0, 1.0, 1.0] for one in point["auroc"].values())


def test_what_labels_buy_is_seen_in_each_column_too(card: Card) -> None:
    """The reader's score is the view; a feature tells the label."""
    rng = np.random.default_rng(0)
    labels = np.arange(80.0) % 2
    view = np.where(rng.random(80) < 0.5, "AP", "PA")
    rows = rows_of((view == "PA") * 1.0, labels, (labels[:, None] - 0.5) * 4)
    (point,) = learning_curve(judge_of(rows, card, {"view": view}), 3)
    assert point["auroc"]["view"]["before"] == [0.5, 0.5, 0.5]
    assert point["auroc"]["view"]["after"] == [1.0, 1.0, 1.0] and point["auroc"]["view"]["gain"] == [0.5, 0.5, 0.5]
    assert point["auroc"]["all films"]["after"] == [1.0, 1.0, 1.0]


def test_a_draw_takes_whole_patients_until_it_has_enough_films() -> None:
    rng = np.random.default_rng(0)
    one_each = rows_of(np.zeros(80), np.arange(80) % 2)
    inside, outside = draw_films(one_each, 40, rng)
    assert inside is not None and outside is not None and len(inside) == len(outside) == 40
    assert sorted([*inside, *outside]) == list(range(80))
    assert len(draw_films(one_each, 40, rng)[0]) == 40 and set(draw_films(one_each, 40, rng)[0]) != set(inside)  # type: ignore[arg-type]
    patients = np.arange(90) // 3
    three_each = rows_of(np.zeros(90), patients % 2, patients=patients)
    inside, outside = draw_films(three_each, 40, rng)
    assert inside is not None and outside is not None and len(inside) == 42 and len(outside) == 48
    assert not set(patients[inside]) & set(patients[outside])


def test_a_draw_leaves_three_patients_of_each_class_on_both_sides() -> None:
    rng = np.random.default_rng(0)
    five, six = (rows_of(np.zeros(60), np.arange(60) < count) for count in (5, 6))
    assert all(draw_films(five, 30, rng) == (None, None) for _ in range(50))
    drawn = [inside for inside, _ in (draw_films(six, 30, rng) for _ in range(50)) if inside is not None]
    assert drawn and all(six.labels[inside].sum() == 3 for inside in drawn)
    fewer = rows_of(np.zeros(60), np.arange(60) >= 5)
    assert all(draw_films(fewer, 30, rng) == (None, None) for _ in range(50))


def test_draws_are_summed_up_by_their_mean_and_their_central_95_percent() -> None:
    before = np.linspace(0, 1, 41)
    summed = summary([[value, 2 * value] for value in before] + [[np.nan, np.nan]])
    assert summed["before"] == pytest.approx([0.5, 0.025, 0.975])
    assert summed["after"] == pytest.approx([1.0, 0.05, 1.95])
    assert summed["gain"] == pytest.approx([0.5, 0.025, 0.975])
