"""The steps of an adaptation, each judged against the reader as shipped on patients that it was not fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from ai_for_sudan.contract import OperatingPoint
from ai_for_sudan.contract.reference import Reference
from ai_for_sudan.sites import nuisance
from ai_for_sudan.sites.finetuning import FineTuning
from ai_for_sudan.sites.head import Head, Rows, fit_chosen_head, fit_head, held_out_scores, patient_folds
from ai_for_sudan.sites.labelled import Judge
from ai_for_sudan.statistics import Resamples, better, percentile_interval, share_by_patient
from ai_for_sudan.statistics.label_shift import log_odds_shift, p_of_shift, prevalence_bbse, prevalence_em

#: AUROC that a refitted head may lose on the films that the reader was made for.
WORSE_AT_SOURCE = 0.01
#: Patients from whose films, without labels, the share of positives is estimated.
FOR_LABEL_SHIFT = 30


@dataclass(frozen=True)
class HeldOut:
    """Log-odds and calls of every film ``(N,)`` by what was fitted without its patient, by name of the step."""

    scores: dict[str, np.ndarray]
    called: dict[str, np.ndarray]


def held_out(judge: Judge, refit: bool) -> HeldOut:
    """Nested cross-validation: thresholds, calibration and head are all chosen on other patients than they are used on.

    Args:
        refit: the head too, and, where a column is linked with the label, a careless head that may learn it.
    """
    rows = judge.rows
    names = ["calibration", *(["head"] if refit else []), *(["head, careless"] if refit and judge.linked else [])]
    scores = {name: np.empty(len(rows)) for name in names}
    called = {name: np.zeros(len(rows), bool) for name in ("points", *names)}
    divisions = patient_folds(rows, 5, judge.seed)
    for number, (inside, outside) in enumerate(divisions, start=1):
        judge.say(f"fold {number} of {len(divisions)}: operating points, calibration{', head' if refit else ''}")
        here, there = rows.take(inside), rows.take(outside)
        called["points"][outside] = expit(there.scores) >= judge.cut(here.labels, here.scores)
        calibrated = fit_head(here, 0.0)
        scores["calibration"][outside] = calibrated.scores(there)
        cut = judge.cut(here.labels, calibrated.scores(here))
        called["calibration"][outside] = expit(scores["calibration"][outside]) >= cut
        for name in names[1:]:
            fitted = judge.with_source(here if name == "head, careless" else judge.balanced(here, inside))
            head = fit_chosen_head(fitted, seed=judge.seed)
            scores[name][outside] = head.scores(there)
            cut = judge.cut(here.labels, held_out_scores(fitted, head.prior_std, seed=judge.seed)[: len(here)])
            called[name][outside] = expit(scores[name][outside]) >= cut
    return HeldOut(scores, called)


def estimated_shift(everything: Rows, calls: np.ndarray, facts: dict[str, Any], *, seed: int) -> dict[str, Any] | None:
    """Step 0: the share of positives here, from all films and no label; None without what the card must tell.

    Args:
        everything: all films that were read.
        calls: by the reader as shipped, bool ``(N,)``.
        facts: of the card.
    """
    before = (facts.get("calibration") or {}).get("prevalence")
    first = np.unique(everything.patients, return_index=True)[1]
    if not isinstance(before, float) or not 0 < before < 1 or len(first) < FOR_LABEL_SHIFT:
        return None
    scores = everything.scores[first]
    share = prevalence_em(expit(scores), before)
    random = np.random.default_rng(seed)
    drawn = [prevalence_em(expit(scores[random.integers(0, len(first), len(first))]), before) for _ in range(200)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    reference = Reference.from_card(facts)
    point = (facts.get("operating_points") or {}).get(facts.get("default_operating_point")) or {}
    found, left_alone = point.get("sensitivity"), point.get("specificity")
    bbse = prevalence_bbse(calls[first], found[0], left_alone[0]) if found and left_alone else float("nan")
    return {
        "patients": len(first),
        "prevalence_before": before,
        "prevalence": [share, float(low), float(high)],
        "prevalence_bbse": bbse,
        "p_fits": None if reference is None else p_of_shift(scores, reference.scores, before, share, seed=seed),
        "shift": log_odds_shift(before, share),
    }


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
        # Thresholds move along: the same films are called.
        "after": judge.figures(new, judge.shipped_called),
        "estimated": estimated,
    }


def operating_points(judge: Judge, held: HeldOut) -> dict[str, Any]:
    gain, adopted = better(judge.youden(held.called["points"]), judge.youden(judge.shipped_called))
    return {
        "name": "operating points",
        "adopted": adopted,
        "measure": "sensitivity + specificity - 1 at the default operating point against 'balanced' chosen here",
        "gain": [*gain],
        "after": judge.figures(judge.rows.scores, held.called["points"]),
    }


def calibration(judge: Judge, held: HeldOut) -> dict[str, Any]:
    new, old = held.scores["calibration"], judge.rows.scores
    gain, adopted = better(judge.resamples.log_loss(new), judge.resamples.log_loss(old), lower_is_better=True)
    return {
        "name": "calibration",
        "adopted": adopted,
        "measure": "log loss (smaller is better; the gain is the decrease)",
        "gain": [*gain],
        "after": judge.figures(new, held.called["calibration"]),
    }


def refitted(judge: Judge, held: HeldOut) -> tuple[dict[str, Any], Head]:
    """The step 'head', and the head fitted on all films."""
    step = order(judge, "head", held.scores["head"], held.called["head"], judge.rows.scores)
    judge.say("head: fitting it on all labelled films")
    head = fit_chosen_head(judge.with_source(judge.balanced(judge.rows, np.arange(len(judge.rows)))), seed=judge.seed)
    if judge.source is not None:
        _at_source(judge.source, step, head, judge.seed)
    if "head, careless" in held.scores:
        careless = held.scores["head, careless"]
        within = {c: [*percentile_interval(judge.resamples.auroc(careless, judge.levels[c]))] for c in judge.linked}
        step["careless"] = {"auroc": [*percentile_interval(judge.resamples.auroc(careless))], "within": within}
    return step, head


def finetuned(judge: Judge, finetuning: FineTuning, best: np.ndarray) -> tuple[dict[str, Any], np.ndarray, str | None]:
    """Step 5, judged against the best so far: the step, its held-out log-odds, and the checkpoint if it is better."""
    judge.say("fine-tuning: the network, in five folds")
    new, called = finetuning.held_out(judge.rows, patient_folds(judge.rows, 5, judge.seed))
    step = order(judge, "fine-tuning", new, called, best)
    return step, new, str(finetuning.on_all(judge.rows)) if step["adopted"] else None


def order(judge: Judge, name: str, new: np.ndarray, called: np.ndarray, old: np.ndarray) -> dict[str, Any]:
    """Does it order the films better, over all and among films of the same linked columns?"""
    found, beyond = better(judge.resamples.auroc(new), judge.resamples.auroc(old))
    gain = [*found]
    within = {column: nuisance.within(judge.resamples, old, new, level) for column, level in judge.levels.items()}
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
        "after": judge.figures(new, called),
        "within": within,
        "warnings": warnings,
    }


def _at_source(source: Rows, step: dict[str, Any], head: Head, seed: int) -> None:
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
    """Both readers on the films of the source site that no head was fitted on."""
    assert judge.source is not None
    point, rows = judge.card.default_operating_point, judge.source
    resamples = Resamples.of(rows.labels, rows.patients, seed=judge.seed)
    found: dict[str, Any] = {"films": len(rows)}
    shipped = judge.card.operating_point()
    after = (points or {}).get(point, shipped)
    for name, scores, cut in (
        ("shipped", rows.scores, shipped.suspected_from),
        ("adapted", head.scores(rows) if head else rows.scores, after.suspected_from),
    ):
        called = expit(scores) >= cut
        found[name] = {
            "auroc": [*percentile_interval(resamples.auroc(scores))],
            "sensitivity": [*percentile_interval(resamples.sensitivity(called))],
            "specificity": [*percentile_interval(resamples.specificity(called))],
        }
    return found


def uncertain(judge: Judge) -> list[float | None] | None:
    """The share of films that the reader leaves to a person as shipped, with its interval."""
    point = judge.card.operating_point()
    if point.not_seen_below == point.suspected_from:
        return None
    uncertain = point.statuses(expit(judge.rows.scores)) == "uncertain"
    return share_by_patient(uncertain, judge.rows.patients).to_list()
