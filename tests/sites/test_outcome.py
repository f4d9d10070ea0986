"""What `adapt` decides and says, from too few films to say anything up to a reader that was changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit

from ai_for_sudan.contract import Card, OperatingPoint
from ai_for_sudan.errors import UserError
from ai_for_sudan.sites import ReaderFile, SiteFilms, adapt
from ai_for_sudan.sites.adapt import Adopted, Outcome, final_change
from ai_for_sudan.sites.head import Head, Rows
from ai_for_sudan.sites.labelled import Judge
from ai_for_sudan.sites.rule import promise_of
from ai_for_sudan.statistics import PROMISES, Predictions, Promise, Resamples, operating_points

Make = Callable[..., SiteFilms]


def site(
    make: Make, count: int, *, patients: int | None = None, seed: int = 0, offset: float = 0.0, noise: float = 0.9
) -> SiteFilms:
    """Films that the tiny reader tells apart, though not at its threshold: its log-odds lie ``offset`` too high.

    Every second film is positive; they are of so many patients, half of each class.
    """
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % 2).astype(float)
    embeddings = np.abs(rng.normal(0.3, 0.05, (count, 4)))
    # Log-odds of the tiny reader: 16 e0 - e1 + 0.1 e2 - 0.4
    wanted = 3 * (labels - 0.5) + rng.normal(0, noise, count) + offset
    embeddings[:, 0] = (wanted + 0.4 + embeddings[:, 1] - 0.1 * embeddings[:, 2]) / 16
    return make(embeddings, labels, patients=np.arange(count) % (patients or count))


def run(films: SiteFilms, file: ReaderFile, **more: Any) -> Outcome:
    return adapt(films, file, columns=(), repeats=1, **more)


# --- how much there must be ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("films", "patients", "words"),
    [
        (19, 19, "Not measured: 19 labelled films are too few; 20 are needed."),
        (20, 8, "Not measured: the labelled films are of 4 positive and 4 negative patients; 5 of each are needed."),
        (20, 10, None),
    ],
)
def test_twenty_films_of_five_patients_of_each_class_are_measured(
    make_films: Make, tiny_file: ReaderFile, films: int, patients: int, words: str | None
) -> None:
    outcome = run(site(make_films, films, patients=patients), tiny_file)
    result = outcome.result
    assert result["steps"] == result["curve"] == [] and not outcome.changed
    if words is None:
        assert result["measured"]["auroc"][0] > 0.5 and not result["verdict"].startswith("Not measured")
        assert list(outcome.scores) == ["as shipped"]
    else:
        assert result["verdict"] == words and result["measured"] is None and result["usable"] is None
        assert outcome.scores == {} and outcome.points is None
    assert outcome.labels.tolist() == [0.0, 1.0] * (films // 2) + [0.0] * (films % 2)
    assert result["films"]["labelled"] == films and result["label_shift"] is None


@pytest.mark.parametrize(
    ("films", "patients", "words"),
    [
        (39, 39, "Nothing was adapted: 39 labelled films are too few; 40 are needed."),
        (
            40, 18,
            "Nothing was adapted: the labelled films are of 9 positive and 9 negative patients; 10 of each are needed.",
        ),
        (40, 20, "The head was not refitted: 40 labelled films are too few; 100 are needed."),
        (99, 99, "The head was not refitted: 99 labelled films are too few; 100 are needed."),
        (
            100, 38,
            "The head was not refitted: the labelled films are of 19 positive and 19 negative patients; 20 of each "
            "are needed.",
        ),
        (100, 40, None),
    ],
)  # fmt: skip
def test_more_is_needed_to_adapt_than_to_measure(
    make_films: Make, tiny_file: ReaderFile, films: int, patients: int, words: str | None
) -> None:
    outcome = run(site(make_films, films, patients=patients), tiny_file)
    names = [] if words and words[0] == "N" else ["calibration", *([] if words else ["head"]), "operating points"]
    assert [step["name"] for step in outcome.result["steps"]] == names
    assert outcome.result["notes"] == ([] if words is None else [words])
    assert bool(outcome.result["curve"]) == (len(names) > 0 and films > 53)


def test_a_network_is_not_trained_on_where_a_head_could_not_be(make_films: Make, tiny_file: ReaderFile) -> None:
    result = run(site(make_films, 40), tiny_file, finetuning=object()).result
    assert result["notes"] == [
        "The head was not refitted: 40 labelled films are too few; 100 are needed. Nor was the network trained further."
    ]
    assert "finetuned_checkpoint" not in result


@pytest.mark.parametrize(
    ("films", "patients", "words"),
    [
        (19, 19, "19 labelled films are too few; 20 are needed"),
        (20, 18, "the labelled films are of 9 positive and 9 negative patients; 10 of each are needed"),
        (20, 20, None),
    ],
)
def test_films_of_the_source_are_halved_so_twice_the_patients_are_needed(
    make_films: Make, tiny_file: ReaderFile, films: int, patients: int, words: str | None
) -> None:
    here = site(make_films, 40)
    source = site(make_films, films, patients=patients, seed=1)
    unlabelled = np.r_[source.labels, np.nan]  # one film more, without a label, is no part of it
    source = replace(
        source,
        files=[*source.files, "x"],
        labels=unlabelled,
        patients=np.r_[source.patients, 99],
        embeddings=np.r_[source.embeddings, source.embeddings[:1]],
    )
    if words is None:
        result = run(here, tiny_file, source=source).result
        assert result["source"]["films"] == 10 and set(result["source"]) == {"films", "shipped", "adapted"}
    else:
        with pytest.raises(UserError) as raised:
            run(here, tiny_file, source=source)
        assert str(raised.value) == f"the films given for the source site cannot be used: {words}"


# --- what is said ----------------------------------------------------------------------------------------------------


def test_it_says_what_it_is_about_to_do(make_films: Make, tiny_file: ReaderFile) -> None:
    said: list[str] = []
    run(site(make_films, 60), tiny_file, say=said.append)
    assert said == [
        "drift: comparing the site with the reader's own films",
        "measuring the reader on 60 labelled films",
        *(f"fold {n} of 5: cut-offs, calibration" for n in range(1, 6)),
        "learning curve: 1 draws of 40 labelled films",
    ]


def test_films_are_identified_by_their_names_and_labels(make_films: Make, tiny_file: ReaderFile) -> None:
    films = replace(site(make_films, 10), labels=np.array([1, 0, np.nan] + [np.nan] * 7), files=list("cabdefghij"))
    assert run(films, tiny_file).identity == hashlib.sha256(b"a 0\nc 1").hexdigest()


def test_what_is_measured_is_the_reader_as_shipped(make_films: Make, tiny_file: ReaderFile) -> None:
    films = site(make_films, 60, offset=1.0)
    films = replace(films, labels=np.where(np.arange(60) < 50, films.labels, np.nan))
    outcome = run(films, tiny_file)
    labelled = np.arange(60) < 50
    logits = tiny_file.logits(films.embeddings[labelled])
    scores, labels = logits[:, 1] - logits[:, 0], films.labels[labelled]
    np.testing.assert_allclose(outcome.scores["as shipped"], scores)
    table, (low, high) = outcome.result["measured"]["table"], logit([0.48, 0.5])
    assert table["positive"]["counts"]["not_seen"] == (scores[labels == 1] < low).sum()
    assert table["negative"]["counts"]["suspected"] == (scores[labels == 0] >= high).sum()
    assert table["all"]["counts"]["uncertain"] == ((scores >= low) & (scores < high)).sum()
    assert outcome.result["verdict"].startswith("tiny 0.1, as shipped, ") and outcome.result["warnings"] == []
    assert list(outcome.result["columns"]) == ["acquisition score"]
    assert outcome.result["drift"]["films"] == 60


def test_the_columns_of_the_manifest_are_looked_at_unless_told_otherwise(
    make_films: Make, tiny_file: ReaderFile
) -> None:
    films = site(make_films, 40)
    for number, facts in enumerate(films.facts):
        facts["view"], facts["ward"] = "AP" if number % 2 else "PA", "A" if number % 4 < 2 else "B"
    assert set(adapt(films, tiny_file, repeats=1).result["columns"]) == {"view", "acquisition score"}
    found = adapt(films, tiny_file, columns=("ward",), repeats=1).result
    assert set(found["columns"]) == {"ward", "acquisition score"} and found["warnings"] == []


def test_a_reader_whose_scores_lie_too_high_gets_other_cut_offs_and_a_calibration(
    make_films: Make, tiny_file: ReaderFile
) -> None:
    outcome = run(site(make_films, 80, offset=4.0), tiny_file, promise=0.1)
    steps = {step["name"]: step for step in outcome.result["steps"]}
    assert steps["operating points"]["adopted"] and steps["calibration"]["adopted"]
    assert outcome.changed and outcome.chosen and outcome.head is not None and outcome.points is not None
    assert outcome.head.prior_std == 0 and outcome.head.shift < -2
    assert 0.2 < outcome.points["balanced"].suspected_from < 0.8
    assert outcome.result["measured"]["table"]["negative"]["shares"]["suspected"][0] > 0.5
    final = outcome.result["final"]
    assert final["table"]["negative"]["shares"]["suspected"][0] < 0.2 and final["brier"][0] < 0.1
    assert outcome.result["verdict_after"].startswith("The adapted reader ")
    assert f"AUROC {final['auroc'][0]:.2f}" in outcome.result["verdict_after"]
    assert "Cut-offs chosen here keep the promise" in outcome.result["rule"]
    assert all("warnings" not in step for step in outcome.result["steps"])
    assert "source" not in outcome.result and "finetuned_checkpoint" not in outcome.result


def test_a_reader_that_must_not_be_used_even_adapted_is_not_left_behind(
    make_films: Make, tiny_file: ReaderFile
) -> None:
    """It knows next to nothing of these films, and is so certain of it that a calibration gains: it stays unused."""
    result = (outcome := run(site(make_films, 90, noise=12.0, offset=3.0), tiny_file)).result
    assert result["usable"] is False and result["usable_after"] is False and not outcome.changed
    assert outcome.head is None and outcome.points is None and not any(step["adopted"] for step in result["steps"])
    assert result["final"] == result["measured"] and result["rule"] is None


class Trained:
    """Stands for five folds of training, of which these log-odds came."""

    def __init__(self, scores: np.ndarray) -> None:
        self.scores = scores

    def held_out(self, rows: Rows, divisions: Any) -> np.ndarray:
        return self.scores

    def on_all(self, rows: Rows) -> str:
        return "final.pth"


def test_a_network_that_was_trained_on_is_a_checkpoint_and_no_change_of_the_reader(
    make_films: Make, tiny_file: ReaderFile
) -> None:
    films = site(make_films, 100, noise=2.5)
    plain, outcome = run(films, tiny_file), run(films, tiny_file, finetuning=Trained(20 * films.labels - 10))
    step = outcome.result["steps"][-1]
    assert step["name"] == "fine-tuning" and step["adopted"] and outcome.result["finetuned_checkpoint"] == "final.pth"
    assert "warnings" not in step
    assert outcome.changed == plain.changed and outcome.points == plain.points
    assert outcome.result.get("verdict_after") == plain.result.get("verdict_after")


def test_a_network_that_is_as_good_as_the_refitted_head_is_no_gain(make_films: Make, tiny_file: ReaderFile) -> None:
    """The reader knows nothing of these films, and one channel tells the label: a refitted head is adopted."""
    films = site(make_films, 120, noise=9.0)
    films.embeddings[:, 2] = 0.3 + 0.2 * films.labels + np.random.default_rng(1).normal(0, 0.02, 120)
    head = run(films, tiny_file)
    assert "head" in [step["name"] for step in head.result["steps"] if step["adopted"]]
    step = run(films, tiny_file, finetuning=Trained(head.scores["adapted"])).result["steps"][-1]
    assert step["name"] == "fine-tuning" and step["gain"] == [0.0, 0.0, 0.0] and not step["adopted"]


# --- what the reader becomes -----------------------------------------------------------------------------------------


def judged(file: ReaderFile, *, offset: float = 0.0, **changes: Any) -> Judge:
    """Eighty films, whose log-odds lie too high by ``offset``."""
    rng = np.random.default_rng(0)
    labels = np.arange(80.0) % 2
    scores = 2 * (labels - 0.5) + rng.normal(0, 1, 80) + offset
    rows = Rows(
        np.stack([np.zeros(80), scores], 1), rng.normal(size=(80, 2)), labels, np.arange(80), np.ones(80), 1, True
    )
    none, nobody = np.zeros(80, bool), (np.zeros(0), np.zeros(0, int))
    card = Card.from_json(json.dumps(file.card.facts | changes))
    resamples = Resamples(np.ones((2, 80)), labels)
    return Judge(rows, none, none, nobody, card, promise_of(card), resamples, {}, {}, None, None, 0, lambda _: None)


POINTS = {
    name: {"not_seen_below": cut, "suspected_from": cut, "reason": "by hand", "chosen_on": "nothing"}
    for name, cut in {"screening": 0.2, "balanced": 0.5, "own": 0.7}.items()
}
#: a promise that eighty films can keep
PROMISED = {name: point | {"missed": 0.2, "false_alarms": 0.3} for name, point in POINTS.items()}


def chosen(judge: Judge, scores: np.ndarray) -> dict[str, OperatingPoint]:
    promises = dict.fromkeys(judge.card.operating_points, Promise(0.2, 0.3))
    return operating_points([Predictions(judge.rows.labels, expit(scores))], promises)


def test_nothing_that_was_adopted_changes_nothing(tiny_file: ReaderFile) -> None:
    assert final_change(judged(tiny_file), Adopted("shipped", False, True), None, {"shift": 1.0}) == (None, None)


def test_points_alone_are_chosen_on_the_reader_s_own_scores(tiny_file: ReaderFile) -> None:
    judge = judged(tiny_file, operating_points=PROMISED)
    head, points = final_change(judge, Adopted("shipped", True, True), None, None)
    assert head is None and points == chosen(judge, judge.rows.scores)
    assert points is not None and (points["own"].missed, points["own"].false_alarms) == (0.2, 0.3)
    promises_nothing = judged(tiny_file, operating_points=POINTS)
    _, points = final_change(promises_nothing, Adopted("shipped", True, True), None, None)
    assert points is not None and list(points) == ["balanced"], "a point that promises nothing cannot be chosen"
    assert points["balanced"].missed == PROMISES["balanced"].missed


def test_cut_offs_move_with_the_calibration_unless_they_were_chosen_anew(tiny_file: ReaderFile) -> None:
    judge = judged(tiny_file, offset=3.0, operating_points=PROMISED)
    head, carried = final_change(judge, Adopted("calibration", False, True), None, {"shift": 1.0})
    assert head is not None and head.prior_std == 0 and head.shift < -1 and carried is not None
    for name, point in PROMISED.items():
        moved = pytest.approx(expit(head.scale * logit(point["suspected_from"]) + head.shift))
        assert carried[name].suspected_from == carried[name].not_seen_below == moved
        assert carried[name].reason.startswith("by hand; kept, and moved") and carried[name].chosen_on == "nothing"
    again, anew = final_change(judge, Adopted("calibration", True, True), None, None)
    assert again is not None and anew == chosen(judge, again.scores(judge.rows))


def test_another_share_moves_the_scores_and_the_cut_offs(tiny_file: ReaderFile) -> None:
    judge = judged(tiny_file, operating_points=PROMISED)
    head, carried = final_change(judge, Adopted("label shift", False, True), None, {"shift": -1.5})
    assert head is not None and (head.scale, head.shift, head.prior_std) == (1.0, -1.5, 0.0) and carried is not None
    assert head.direction.tolist() == [0, 0] and set(carried) == set(PROMISED)
    assert carried["screening"].suspected_from == pytest.approx(expit(logit(0.2) - 1.5))
    for name, point in judge.card.operating_points.items():
        before, after = expit(judge.rows.scores), expit(head.scores(judge.rows))
        np.testing.assert_array_equal(point.statuses(before), carried[name].statuses(after))


def test_a_refitted_head_is_cut_by_scores_of_patients_that_it_was_not_fitted_on(tiny_file: ReaderFile) -> None:
    """Features that tell the patients apart, and nothing else: of a patient left out, a fit of the others says the
    same as of any other, and so most films are left to a person. A fit that saw them all would tell all of them apart.
    """
    judge = judged(tiny_file, operating_points=PROMISED)
    rows = replace(judge.rows, features=np.eye(80) * 5, logits=np.zeros((80, 2)))
    head = Head(1.0, 0.0, np.zeros(80), 16.0)
    found, points = final_change(replace(judge, rows=rows), Adopted("head", True, True), head, None)
    assert found is head and points is not None
    assert [points["balanced"].not_seen_below, points["balanced"].suspected_from] == pytest.approx([0.5] * 2, abs=0.3)
