"""A reader at a new site: how different it is, how good the reader is there, and what local labels make of it.

Every change is judged by nested cross-validation over patients of the site, against the reader as it was shipped.
Scores are adopted only where they are better beyond noise: the whole 95 % interval of the paired difference lies on the
better side. Cut-offs are adopted by what the clinic would experience (:mod:`ai_for_sudan.sites.rule`). A reader that
must not be used is not left behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ai_for_sudan.contract import OperatingPoint
from ai_for_sudan.contract.reference import Reference
from ai_for_sudan.errors import UserError
from ai_for_sudan.sites import nuisance, rule, steps
from ai_for_sudan.sites.curve import learning_curve
from ai_for_sudan.sites.drift import drift
from ai_for_sudan.sites.finetuning import FineTuning
from ai_for_sudan.sites.head import Head, Rows, Space, fit_head, held_out_scores
from ai_for_sudan.sites.labelled import Judge
from ai_for_sudan.sites.readerfile import ReaderFile
from ai_for_sudan.sites.site_films import SiteFilms
from ai_for_sudan.sites.verdict import LEAST_AUROC, counts, notes_on, too_few, verdict
from ai_for_sudan.statistics import recalibrated

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
        head: the change to the reader, in ``space``; None where none was adopted or only cut-offs changed.
        points: operating points, where their cut-offs changed; None otherwise.
        chosen: whether their cut-offs were chosen here, and not only moved with the calibration.
        scores: log-odds of the labelled films: as shipped, and by what was adopted, each from its held-out fold.
        folds: of the same films, str ``(N,)``.
        labels: of the same films.
        identity: SHA-256 over the names of the labelled films and their labels.
    """

    result: dict[str, Any]
    head: Head | None
    points: dict[str, OperatingPoint] | None
    chosen: bool
    scores: dict[str, np.ndarray]
    folds: np.ndarray
    labels: np.ndarray
    identity: str
    space: Space

    @property
    def changed(self) -> bool:
        """Tell whether anything of the reader is to change."""
        return self.head is not None or self.points is not None


def adapt(
    films: SiteFilms,
    file: ReaderFile,
    *,
    promise: float | None = None,
    columns: tuple[str, ...] = nuisance.COLUMNS,
    source: SiteFilms | None = None,
    finetuning: FineTuning | None = None,
    seed: int = 0,
    repeats: int = 20,
    say: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Run steps 0 to 4 on films that :func:`ai_for_sudan.sites.read_site` has read, and step 5 where asked.

    Args:
        promise: share, 0..1, of positive films that may be not seen, and of negative ones that may be suspected; what
            the reader's default operating point promises if not given.
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
        card = file.card
        embeddings = films.embeddings if source is None else np.concatenate([films.embeddings, source.embeddings])
        space = Space.of(embeddings)
        everything = as_rows(films, file, np.arange(len(films)), space)
        say("drift: comparing the site with the reader's own films")
        shift, why = steps.estimated_shift(everything, card, seed=seed)
        result: dict[str, Any] = {
            "drift": drift(films, everything.scores, Reference.from_card(card.facts), seed=seed),
            "films": counts(films),
            "notes": [*notes_on(films, everything.scores), *([why] if why else [])],
            "label_shift": shift,
        }
        labelled = np.flatnonzero(~np.isnan(films.labels))
        rows = everything.take(labelled)
        if short := too_few(rows, FOR_MEASURING, PATIENTS_FOR_MEASURING):
            result |= {"measured": None, "verdict": f"Not measured: {short}.", "usable": None, "steps": [], "curve": []}
            result |= {"final": None, "rule": None}
            return Outcome(result, None, None, False, {}, np.zeros(0, str), rows.labels, _identity(films), space)
        own = None
        if source is not None:
            own = as_rows(source, file, np.flatnonzero(~np.isnan(source.labels)), space)
            if short := too_few(own, FOR_MEASURING, 2 * PATIENTS_FOR_MEASURING):
                raise UserError(f"the films given for the source site cannot be used: {short}")
        say(f"measuring the reader on {len(rows)} labelled films")
        judge = Judge.of(films, labelled, rows, own, card, rule.promise_of(card, promise), columns, seed, say)
        held, head = _judged(judge, result, repeats, refused=finetuning is not None)
        if held is None:
            scores = {"as shipped": rows.scores}
            return Outcome(result, None, None, False, scores, np.zeros(0, str), rows.labels, _identity(films), space)
    adopted = _adopted(judge, held, result)
    if finetuning is not None and head is not None:
        step, result["finetuned_checkpoint"] = steps.finetuned(
            judge, finetuning, adopted.scores if adopted.scores in held.scores else "shipped", held
        )
        result["steps"].append(step)
    with threadpool_limits(limits=1, user_api="blas"):
        for step in result["steps"]:
            result["warnings"] += step.pop("warnings", [])
        final, points = final_change(judge, adopted, head, shift) if adopted.usable else (None, None)
        if judge.source is not None:
            result["source"] = steps.at_source(judge, final, points)
        scores = {"as shipped": rows.scores}
        if final is not None and adopted.scores in held.scores:
            scores["adapted"] = held.scores[adopted.scores]
    chosen = adopted.cut_offs and points is not None
    return Outcome(result, final, points, chosen, scores, held.folds, rows.labels, _identity(films), space)


def _judged(
    judge: Judge, result: dict[str, Any], repeats: int, *, refused: bool
) -> tuple[steps.HeldOut | None, Head | None]:
    """The reader as shipped and each step into ``result``; what was held out, and the refitted head."""
    rows = judge.rows
    result["measured"] = result["final"] = judge.figures(rows.scores, judge.as_shipped)
    result["usable"], result["verdict"] = verdict(result["measured"], f"{judge.card.title}, as shipped,")
    result |= {"columns": judge.links, "warnings": judge.warnings(), "steps": [], "curve": [], "rule": None}
    if short := too_few(rows, FOR_CALIBRATION, PATIENTS_FOR_CALIBRATION):
        result["notes"].append(f"Nothing was adapted: {short}.")
        return None, None
    short = too_few(rows, FOR_HEAD, PATIENTS_FOR_HEAD)
    held = steps.held_out(judge, refit=not short)
    if result["label_shift"] is not None:
        result["steps"].append(steps.label_shift(judge, result["label_shift"]))
    result["steps"].append(steps.calibration(judge, held))
    head = None
    if short:
        also = " Nor was the network trained further." if refused else ""
        result["notes"].append(f"The head was not refitted: {short}.{also}")
    else:
        step, head = steps.refitted(judge, held)
        result["steps"].append(step)
    result["curve"] = learning_curve(judge, repeats)
    return held, head


@dataclass(frozen=True)
class Adopted:
    """What is taken over.

    Attributes:
        scores: name of the step whose log-odds are used; ``shipped`` where none is.
        cut_offs: whether they are chosen here for these log-odds; else the reader's own move along.
        usable: False where the reader must not be used here even so.
    """

    scores: str
    cut_offs: bool
    usable: bool


def _adopted(judge: Judge, held: steps.HeldOut, result: dict[str, Any]) -> Adopted:
    """Decide by what the clinic would experience, and put the step of the cut-offs and the final figures on record."""
    step = {one["name"]: one for one in result["steps"]}
    rules = {"shipped": steps.cut_offs(judge, held, "shipped")}
    best = "shipped"
    for name in ("label shift", "calibration", "head"):
        if name not in step or not step[name]["adopted"]:
            continue
        if name == "head" or (name == "calibration" and not judge.monotone):
            # The order of films changes, so that the reader's own cut-offs mean nothing: they are chosen or it is not.
            rules[name] = steps.cut_offs(judge, held, name)
            if why := _worse(rules[name], rules["shipped"]):
                step[name]["adopted"] = False
                step[name].setdefault("warnings", []).append(f"The step '{name}' was not adopted: {why}.")
                continue
        best = name
    cut_offs = rules.get(best, rules["shipped"])
    result["steps"].append(cut_offs)
    after = step[best]["after"] if best != "shipped" else result["measured"]
    # No promise is offered of a reader that does not tell the classes apart: it must not be used under any.
    result["rule"] = cut_offs["words"] if after["auroc"][2] >= LEAST_AUROC else None
    if cut_offs["adopted"]:
        after = {**after, "table": cut_offs["chosen"]["table"]}
    changed = best != "shipped" or cut_offs["adopted"]
    usable, words = verdict(after, "The adapted reader")
    if changed:
        result["usable_after"], result["verdict_after"] = usable, words
    if changed and usable is False:
        # A reader that must not be used is not written: nobody shall find it.
        for one in result["steps"]:
            one["adopted"] = False
        return Adopted("shipped", False, False)
    result["final"] = after
    return Adopted(best, cut_offs["adopted"], True)


def _worse(new: dict[str, Any], old: dict[str, Any]) -> str:
    """Why cut-offs on a new order of the films are no gain for the clinic; empty where they are one."""
    if not new["adopted"]:
        return "no cut-offs on its scores keep the promise and decide more films than the reader as shipped"
    if old["adopted"] and new["chosen"]["decided"] < old["chosen"]["decided"]:
        return (
            f"cut-offs on its scores decide {new['chosen']['decided']:.0%} of the films, "
            f"those on the reader's own scores {old['chosen']['decided']:.0%}"
        )
    return ""


def final_change(
    judge: Judge, adopted: Adopted, head: Head | None, shift: dict[str, Any] | None
) -> tuple[Head | None, dict[str, OperatingPoint] | None]:
    """The change to the reader and its operating points, fitted and chosen on all labelled films."""
    rows, card = judge.rows, judge.card
    moved: Head | None = None
    scores = rows.scores
    if adopted.scores == "head":
        moved = head
        assert head is not None
        fitted = judge.with_source(judge.balanced(rows, np.arange(len(rows))))
        scores = held_out_scores(fitted, head.prior_std, seed=judge.seed)[: len(rows)]
    elif adopted.scores == "calibration":
        moved = fit_head(rows, 0.0)
        scores = moved.scores(rows)
    elif adopted.scores == "label shift":
        assert shift is not None
        moved = Head(1.0, shift["shift"], np.zeros(rows.features.shape[1]), 0.0)
        scores = moved.scores(rows)
    if adopted.cut_offs:
        return moved, rule.chosen(judge, scores, rule.promises_of(card, judge.promise))
    if moved is None:
        return None, None
    return moved, {
        name: replace(
            point,
            not_seen_below=recalibrated(point.not_seen_below, moved.scale, moved.shift),
            suspected_from=recalibrated(point.suspected_from, moved.scale, moved.shift),
            reason=f"{point.reason}; kept, and moved with the calibration so that the same is said of each film".lstrip(
                "; "
            ),
        )
        for name, point in card.operating_points.items()
    }


def as_rows(films: SiteFilms, file: ReaderFile, index: np.ndarray, space: Space) -> Rows:
    """Gather what the head sees of the films ``index``."""
    return Rows(
        file.logits(films.embeddings[index]),
        space.features(films.embeddings[index]),
        films.labels[index],
        films.patients[index],
        np.ones(len(index)),
        file.card.positive_index,
        file.card.task == "exclusive",
    )


def _identity(films: SiteFilms) -> str:
    lines = sorted(
        f"{name} {label:.0f}" for name, label in zip(films.files, films.labels, strict=True) if label == label
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
