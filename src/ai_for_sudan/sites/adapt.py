"""A reader at a new site: how different it is, how good the reader is there, and what local labels make of it.

Every change is judged by nested cross-validation over patients of the site, against the reader as it was shipped, and
adopted only where it is better beyond noise: the whole 95 % interval of the paired difference lies on the better side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import expit
from threadpoolctl import threadpool_limits

from ai_for_sudan.contract import OperatingPoint
from ai_for_sudan.contract.reference import Reference
from ai_for_sudan.errors import UserError
from ai_for_sudan.reading import Card
from ai_for_sudan.sites import nuisance, steps
from ai_for_sudan.sites.curve import learning_curve
from ai_for_sudan.sites.drift import drift
from ai_for_sudan.sites.finetuning import FineTuning
from ai_for_sudan.sites.head import Head, Rows, Space, fit_head, held_out_scores
from ai_for_sudan.sites.labelled import Judge
from ai_for_sudan.sites.readerfile import ReaderFile
from ai_for_sudan.sites.site_films import SiteFilms
from ai_for_sudan.sites.verdict import counts, notes_on, too_few, verdict
from ai_for_sudan.statistics import PROMISES, Predictions, Promise, operating_points, recalibrated

#: Labelled films that recalibration and refitting need, and patients in the smaller class.
FOR_CALIBRATION, FOR_HEAD = 40, 100
PATIENTS_FOR_CALIBRATION, PATIENTS_FOR_HEAD = 10, 20
#: Below these nothing is measured at all: an interval would span nearly everything.
FOR_MEASURING = 20
PATIENTS_FOR_MEASURING = 5


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        result: everything that was found, ready for JSON.
        head: the change to the reader, in ``space``; None where none was adopted or only thresholds changed.
        points: the operating points by name, where their cut-offs changed; None otherwise.
        scores: log-odds of the labelled films, each from its held-out fold, by name of the step.
        labels: of the same films.
        identity: SHA-256 over the names of the labelled films and their labels.
    """

    result: dict[str, Any]
    head: Head | None
    points: dict[str, OperatingPoint] | None
    scores: dict[str, np.ndarray]
    labels: np.ndarray
    identity: str
    space: Space

    @property
    def changed(self) -> bool:
        return self.head is not None or self.points is not None


def adapt(
    films: SiteFilms,
    file: ReaderFile,
    *,
    columns: tuple[str, ...] = nuisance.COLUMNS,
    source: SiteFilms | None = None,
    finetuning: FineTuning | None = None,
    seed: int = 0,
    repeats: int = 20,
    say: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Run steps 0 to 4 on films that :func:`ai_for_sudan.sites.read_site` has read, and step 5 where asked.

    Args:
        columns: columns of the manifest that have nothing to do with the lungs.
        source: films of the kind that the reader was made for. Half of their patients take part in refitting the head,
            so that it forgets nothing; the other half measures whether it did.
        finetuning: the labelled films, prepared for step 5; the reader that it makes is a checkpoint, named in the
            result.
        repeats: draws of the learning curve.
        say: called with what is being done, some lines a minute.
    """
    # Matrices of a few hundred rows: threads that share them wait for each other longer than they compute.
    with threadpool_limits(limits=1, user_api="blas"):
        card = Card.from_json(file.text)
        embeddings = films.embeddings if source is None else np.concatenate([films.embeddings, source.embeddings])
        space = Space.of(embeddings)
        everything = _rows(films, file, card, np.arange(len(films)), space)
        say("drift: comparing the site with the reader's own films")
        result: dict[str, Any] = {
            "drift": drift(films, everything.scores, Reference.from_card(file.card), seed=seed),
            "films": counts(films),
            "notes": notes_on(films, everything.scores),
        }
        called = expit(everything.scores) >= card.operating_point().suspected_from
        result["label_shift"] = steps.estimated_shift(everything, called, file.card, seed=seed)
        labelled = np.flatnonzero(~np.isnan(films.labels))
        rows = everything.take(labelled)
        if short := too_few(rows, FOR_MEASURING, PATIENTS_FOR_MEASURING):
            result |= {"measured": None, "verdict": f"Not measured: {short}.", "usable": None, "steps": [], "curve": []}
            return Outcome(result, None, None, {}, rows.labels, _identity(films), space)
        own = None
        if source is not None:
            own = _rows(source, file, card, np.flatnonzero(~np.isnan(source.labels)), space)
            if short := too_few(own, FOR_MEASURING, 2 * PATIENTS_FOR_MEASURING):
                raise UserError(f"the films given for the source site cannot be used: {short}")
        say(f"measuring the reader on {len(rows)} labelled films")
        judge = Judge.of(films, labelled, rows, own, card, columns, seed, say)
        head, scores = _judged(judge, result, repeats, refused=finetuning is not None)
    if finetuning is not None and head is not None:
        adopted = next(step["adopted"] for step in result["steps"] if step["name"] == "head")
        step, found, result["finetuned_checkpoint"] = steps.finetuned(
            judge, finetuning, scores["head" if adopted else "shipped"]
        )
        scores["fine-tuning"] = found
        result["steps"].append(step)
    with threadpool_limits(limits=1, user_api="blas"):
        for step in result["steps"]:
            result["warnings"] += step.pop("warnings", [])
        adopted_steps = {s["name"]: s for s in result["steps"] if s["adopted"] and s["name"] != "fine-tuning"}
        if adopted_steps:
            result["verdict_after"] = verdict([*adopted_steps.values()][-1]["after"], "The adapted reader")[1]
        final, points = _final(judge, set(adopted_steps), head, result["label_shift"])
        if judge.source is not None and result["steps"]:
            result["source"] = steps.at_source(judge, final, points)
    return Outcome(result, final, points, scores, rows.labels, _identity(films), space)


def _judged(
    judge: Judge, result: dict[str, Any], repeats: int, *, refused: bool
) -> tuple[Head | None, dict[str, np.ndarray]]:
    """Steps 0 to 4 into ``result``; the refitted head, and the held-out log-odds of each step."""
    rows = judge.rows
    result["measured"] = judge.figures(rows.scores, judge.shipped_called)
    if (left := steps.uncertain(judge)) is not None:
        result["measured"]["uncertain"] = left
    result["usable"], result["verdict"] = verdict(result["measured"], judge.card.title)
    result |= {"columns": judge.links, "warnings": judge.warnings(), "steps": [], "curve": []}
    scores = {"shipped": rows.scores}
    if short := too_few(rows, FOR_CALIBRATION, PATIENTS_FOR_CALIBRATION):
        result["notes"].append(f"Nothing was adapted: {short}.")
        return None, scores
    short = too_few(rows, FOR_HEAD, PATIENTS_FOR_HEAD)
    held = steps.held_out(judge, refit=not short)
    scores |= held.scores
    if result["label_shift"] is not None:
        result["steps"].append(steps.label_shift(judge, result["label_shift"]))
    result["steps"] += [steps.operating_points(judge, held), steps.calibration(judge, held)]
    head = None
    if short:
        also = " Nor was the network trained further." if refused else ""
        result["notes"].append(f"The head was not refitted: {short}.{also}")
    else:
        step, head = steps.refitted(judge, held)
        result["steps"].append(step)
    result["curve"] = learning_curve(judge, repeats)
    return head, scores


def _final(
    judge: Judge, adopted: set[str], head: Head | None, shift: dict[str, Any] | None
) -> tuple[Head | None, dict[str, OperatingPoint] | None]:
    """The change to the reader and its operating points: of the last step that was adopted."""
    rows, card = judge.rows, judge.card

    def chosen(scores: np.ndarray) -> dict[str, OperatingPoint]:
        """Cut-offs that keep the promises of the card's operating points here."""
        promises = {
            name: Promise(point.missed, point.false_alarms) if point.missed and point.false_alarms else PROMISES[name]
            for name, point in card.operating_points.items()
            if (point.missed and point.false_alarms) or name in PROMISES
        }
        return operating_points([Predictions(rows.labels, expit(scores))], promises)

    def carried(by: Head) -> dict[str, OperatingPoint]:
        return {
            name: replace(
                point,
                not_seen_below=recalibrated(point.not_seen_below, by.scale, by.shift),
                suspected_from=recalibrated(point.suspected_from, by.scale, by.shift),
                reason=f"{point.reason}; moved with the calibration, so that the same films are called".lstrip("; "),
            )
            for name, point in card.operating_points.items()
        }

    if head is not None and "head" in adopted:
        fitted = judge.with_source(judge.balanced(rows, np.arange(len(rows))))
        return head, chosen(held_out_scores(fitted, head.prior_std, seed=judge.seed)[: len(rows)])
    if "calibration" in adopted:
        calibrated = fit_head(rows, 0.0)
        again = "operating points" in adopted or (rows.logits.shape[1] > 2 and rows.exclusive)
        return calibrated, chosen(calibrated.scores(rows)) if again else carried(calibrated)
    if "label shift" in adopted and shift is not None:
        moving = Head(1.0, shift["shift"], np.zeros(rows.features.shape[1]), 0.0)
        return moving, chosen(moving.scores(rows)) if "operating points" in adopted else carried(moving)
    if "operating points" in adopted:
        return None, chosen(rows.scores)
    return None, None


def _rows(films: SiteFilms, file: ReaderFile, card: Card, index: np.ndarray, space: Space) -> Rows:
    return Rows(
        file.logits(films.embeddings[index]),
        space.features(films.embeddings[index]),
        films.labels[index],
        films.patients[index],
        np.ones(len(index)),
        card.positive_index,
        card.task == "exclusive",
    )


def _identity(films: SiteFilms) -> str:
    lines = sorted(
        f"{name} {label:.0f}" for name, label in zip(films.files, films.labels, strict=True) if label == label
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
