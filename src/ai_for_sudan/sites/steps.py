"""The steps of an adaptation, each judged against the reader as shipped on patients that it was not fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from ai_for_sudan.contract import OperatingPoint
from ai_for_sudan.contract.reference import Reference
from ai_for_sudan.reading import Card
from ai_for_sudan.sites import nuisance, rule
from ai_for_sudan.sites.finetuning import FineTuning
from ai_for_sudan.sites.head import Head, Rows, fit_chosen_head, fit_head, held_out_scores, patient_folds
from ai_for_sudan.sites.labelled import Judge
from ai_for_sudan.statistics import (
    Predictions,
    Resamples,
    as_json,
    better,
    operating_points,
    percentile_interval,
    status_table,
)
from ai_for_sudan.statistics.label_shift import log_odds_shift, p_of_shift, prevalence_em

#: AUROC that a refitted head may lose on the films that the reader was made for.
WORSE_AT_SOURCE = 0.01
#: Patients from whose films, without labels, the share of positives is estimated.
FOR_LABEL_SHIFT = 30
#: Below this p-value of its fit the share is not estimated: more differs than the share of positives.
FITS = 0.05


@dataclass(frozen=True)
class HeldOut:
    """What is said of every film by what was fitted and chosen without its patient.

    Attributes:
        folds: name of the fold that each film was held out of, str ``(N,)``; ranks hold within a fold only.
        scores: name of the step -> log-odds ``(N,)``.
        statuses: name of the step -> promise (:func:`ai_for_sudan.sites.rule.tried`) -> texts ``(N,)``, by cut-offs
            that were chosen for it.
    """

    folds: np.ndarray
    scores: dict[str, np.ndarray]
    statuses: dict[str, dict[str, np.ndarray]]


def held_out(judge: Judge, refit: bool) -> HeldOut:
    """Nested cross-validation: calibration, head and cut-offs are all chosen on other patients than they are used on.

    Args:
        refit: the head too, and, where a column is linked with the label, a careless head that may learn it.
    """
    rows = judge.rows
    names = ["shipped", "calibration", *(["head"] if refit else [])]
    careless = ["head, careless"] if refit and judge.linked else []
    promises = rule.tried(judge.promise)
    scores = {name: np.empty(len(rows)) for name in [*names, *careless]}
    statuses = {name: {promise: np.empty(len(rows), object) for promise in promises} for name in names}
    folds = np.empty(len(rows), "U2")
    divisions = patient_folds(rows, 5, judge.seed)
    for number, (inside, outside) in enumerate(divisions, start=1):
        judge.say(f"fold {number} of {len(divisions)}: cut-offs, calibration{', head' if refit else ''}")
        folds[outside] = str(number)
        here, there = rows.take(inside), rows.take(outside)
        for name in scores:
            here_scores, scores[name][outside] = _fitted(judge, name, here, inside, there)
            if name in statuses:
                films = Predictions(here.labels, expit(here_scores))
                for promise, point in operating_points([films], promises).items():
                    statuses[name][promise][outside] = judge.statuses(point, scores[name][outside], outside)
    return HeldOut(folds, scores, statuses)


def _fitted(judge: Judge, name: str, here: Rows, inside: np.ndarray, there: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds by a step that was fitted ``here``: of the same films, as good as unseen, and of those ``there``."""
    if name == "shipped":
        return here.scores, there.scores
    if name == "calibration":
        calibrated = fit_head(here, 0.0)
        return calibrated.scores(here), calibrated.scores(there)
    fitted = judge.with_source(here if name == "head, careless" else judge.balanced(here, inside))
    head = fit_chosen_head(fitted, seed=judge.seed)
    unseen = here.scores if name == "head, careless" else held_out_scores(fitted, head.prior_std, seed=judge.seed)
    return unseen[: len(here)], head.scores(there)


def estimated_shift(everything: Rows, card: Card, *, seed: int) -> tuple[dict[str, Any] | None, str]:
    """Step 0: the share of positives here, from all films and no label; None, and why, where it cannot be told.

    Nothing is said without a word where the card lacks what this needs, or films are few.

    Args:
        everything: all films that were read.
    """
    before = (card.calibration or {}).get("prevalence")
    first = np.unique(everything.patients, return_index=True)[1]
    if not isinstance(before, float) or not 0 < before < 1 or len(first) < FOR_LABEL_SHIFT:
        return None, ""
    scores = everything.scores[first]
    share = prevalence_em(expit(scores), before)
    reference = Reference.from_card(card.facts)
    fits = (
        None
        if reference is None or reference.scores_of
        else p_of_shift(scores, reference.scores, before, share, seed=seed)
    )
    if fits is not None and fits < FITS:
        return None, (
            "The share of positives is not estimated: scores here are not those of the reader's own films with another "
            f"share of positives (p = {fits:.2g})."
        )
    random = np.random.default_rng(seed)
    drawn = [prevalence_em(expit(scores[random.integers(0, len(first), len(first))]), before) for _ in range(200)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return {
        "patients": len(first),
        "prevalence_before": before,
        "prevalence": [share, float(low), float(high)],
        "p_fits": fits,
        "shift": log_odds_shift(before, share),
    }, ""


def label_shift(judge: Judge, estimated: dict[str, Any]) -> dict[str, Any]:
    """Were probabilities better with the share of positives that was estimated without any label?"""
    old = judge.rows.scores
    new = old + estimated["shift"]
    gain, beyond = better(judge.resamples.log_loss(new), judge.resamples.log_loss(old), lower_is_better=True)
    low, high = estimated["prevalence"][1:]
    changed = not low <= estimated["prevalence_before"] <= high
    return {
        "name": "label shift",
        "adopted": beyond and changed,
        "measure": "log loss on the labelled films, whose labels the estimate did not use",
        "gain": [*gain],
        # Cut-offs move along: what is said of each film stays.
        "after": judge.figures(new, judge.as_shipped),
        "estimated": estimated,
    }


def calibration(judge: Judge, held: HeldOut) -> dict[str, Any]:
    """Are probabilities better after a recalibration with the site's labels?"""
    new, old = held.scores["calibration"], judge.rows.scores
    gain, adopted = better(judge.resamples.log_loss(new), judge.resamples.log_loss(old), lower_is_better=True)
    return {
        "name": "calibration",
        "adopted": adopted,
        "measure": "log loss (smaller is better; the gain is the decrease)",
        "gain": [*gain],
        "after": judge.figures(new, judge.as_shipped if judge.monotone else None, held.folds),
    }


def refitted(judge: Judge, held: HeldOut) -> tuple[dict[str, Any], Head]:
    """The step 'head', and the head fitted on all films."""
    step = order(judge, "head", held.scores["head"], judge.rows.scores, held)
    step["after"]["table"] = as_json(judge.table(held.statuses["head"]["wanted"]))
    judge.say("head: fitting it on all labelled films")
    head = fit_chosen_head(judge.with_source(judge.balanced(judge.rows, np.arange(len(judge.rows)))), seed=judge.seed)
    if judge.source is not None:
        measure_at_source(judge.source, step, head, judge.seed)
    if "head, careless" in held.scores:
        careless = held.scores["head, careless"]
        strata = {column: np.char.add(judge.levels[column], held.folds) for column in judge.linked}
        step["careless"] = {
            "auroc": [*percentile_interval(judge.resamples.auroc(careless, held.folds))],
            "within": {c: [*percentile_interval(judge.resamples.auroc(careless, s))] for c, s in strata.items()},
        }
    return step, head


def cut_offs(judge: Judge, held: HeldOut, scores: str) -> dict[str, Any]:
    """The step 'operating points': cut-offs chosen here for log-odds of another step, or those as shipped."""
    found = rule.judged(judge, held.statuses[scores])
    folds = None if scores == "shipped" else held.folds
    return {
        "name": "operating points",
        "measure": "share of films that are decided, where the promised error rates are kept",
        **found,
        "words": rule.in_words(found),
        "after": judge.figures(held.scores[scores], held.statuses[scores]["wanted"], folds),
    }


def finetuned(judge: Judge, finetuning: FineTuning, best: str, held: HeldOut) -> tuple[dict[str, Any], str | None]:
    """Step 5, judged against the best step so far, and its checkpoint if it is better."""
    judge.say("fine-tuning: the network, in five folds")
    new = finetuning.held_out(judge.rows, patient_folds(judge.rows, 5, judge.seed))
    step = order(judge, "fine-tuning", new, held.scores[best], held)
    return step, str(finetuning.on_all(judge.rows)) if step["adopted"] else None


def order(judge: Judge, name: str, new: np.ndarray, old: np.ndarray, held: HeldOut) -> dict[str, Any]:
    """Does it order the films of a fold better, over all and among films of the same linked columns?"""
    found, beyond = better(judge.resamples.auroc(new, held.folds), judge.resamples.auroc(old, held.folds))
    gain = [*found]
    within = {
        column: nuisance.within(judge.resamples, old, new, level, held.folds) for column, level in judge.levels.items()
    }
    explained = [column for column in judge.linked if not within[column]["gain"][1] > 0]
    warnings = []
    if beyond:
        for column in explained:
            low, high = within[column]["gain"][1:]
            warnings.append(
                f"The gain of the step '{name}' is explained by '{column}': over all films AUROC "
                f"rises by {gain[0]:.2f}, but among films of the same {column} by "
                f"{within[column]['gain'][0]:.2f} ({low:.2f} to {high:.2f}). It was not adopted: it may have "
                f"learned the {column}, not the lungs."
            )
    return {
        "name": name,
        "adopted": beyond and not explained,
        "measure": "AUROC over all films, and among films of the same "
        + (
            " and of the same ".join(judge.linked)
            if judge.linked
            else "patient group (no column is linked with the label)"
        ),
        "gain": gain,
        "after": judge.figures(new, folds=held.folds),
        "within": within,
        "warnings": warnings,
    }


def measure_at_source(source: Rows, step: dict[str, Any], head: Head, seed: int) -> None:
    """A head that is worse at the source site, beyond noise and by more than 0.01, is not adopted."""
    resamples = Resamples.of(source.labels, source.patients, seed=seed)
    gain, _ = better(resamples.auroc(head.scores(source)), resamples.auroc(source.scores))
    step["gain_at_source"] = [*gain]
    if step["adopted"] and gain.value < -WORSE_AT_SOURCE and gain.high < 0:
        step["adopted"] = False
        step["warnings"].append(
            f"The refitted head would be worse at the source site: AUROC {gain.value:+.3f} ({gain.low:+.3f} to "
            f"{gain.high:+.3f}). It was not adopted."
        )


def at_source(judge: Judge, head: Head | None, points: dict[str, OperatingPoint] | None) -> dict[str, Any]:
    """Return what both readers say of the films of the source site that no head was fitted on."""
    assert judge.source is not None
    rows, shipped = judge.source, judge.card.operating_point()
    resamples = Resamples.of(rows.labels, rows.patients, seed=judge.seed)
    after = (points or {}).get(shipped.name, shipped)
    found: dict[str, Any] = {"films": len(rows)}
    for name, scores, point in (
        ("shipped", rows.scores, shipped),
        ("adapted", head.scores(rows) if head else rows.scores, after),
    ):
        found[name] = {
            "auroc": [*percentile_interval(resamples.auroc(scores))],
            "table": as_json(status_table(rows.labels, point.statuses(expit(scores)), rows.patients)),
        }
    return found
