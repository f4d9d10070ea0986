"""A reader at a new site: how different it is, how good the reader is there, and what local labels make of it.

Every change is judged by nested cross-validation over patients of the site, against the reader as it was shipped, and
adopted only where it is better beyond noise: the whole 95 % interval of the paired difference lies on the better side.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import expit

from ai_for_sudan.contract.reference import Reference
from ai_for_sudan.errors import UserError
from ai_for_sudan.reading import Card
from ai_for_sudan.sites import nuisance
from ai_for_sudan.sites.drift import drift
from ai_for_sudan.sites.films import SiteFilms
from ai_for_sudan.sites.finetuning import FineTuning
from ai_for_sudan.sites.head import Head, Rows, Space, fit, fit_chosen, held_out_scores, parts
from ai_for_sudan.sites.readerfile import ReaderFile
from ai_for_sudan.statistics import (
    Predictions,
    Resamples,
    abstention_band,
    balanced,
    better,
    choose,
    ece_bias,
    interval,
    recalibrated,
    wilson,
)

#: Labelled films that recalibration and refitting need, and patients in the smaller class.
FOR_CALIBRATION, FOR_HEAD = 40, 100
PATIENTS_FOR_CALIBRATION, PATIENTS_FOR_HEAD = 10, 20
#: Below these nothing is measured at all: an interval would span nearly everything.
FOR_MEASURING = 20
PATIENTS_FOR_MEASURING = 5
#: What a reader must show here, with the lower end of its interval, before it is said that it may be used.
USABLE = {"auroc": 0.85, "sensitivity": 0.80, "specificity": 0.70}
CURVE = (40, 100, 200)
#: AUROC that a refitted head may lose on the films that the reader was made for.
WORSE_AT_HOME = 0.01


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        result: everything that was found, ready for JSON.
        head: the change to the reader, in ``space``; None where none was adopted or only thresholds changed.
        thresholds: operating point -> threshold, where they changed; None otherwise.
        abstention: the new band, or None for none; meaningful where ``head`` is not None.
        scores: log-odds of the labelled films, each from its held-out fold, by name of the step.
        labels: of the same films.
        identity: SHA-256 over the names of the labelled films and their labels.
    """

    result: dict[str, Any]
    head: Head | None
    thresholds: dict[str, float] | None
    abstention: tuple[float, float] | None
    scores: dict[str, np.ndarray]
    labels: np.ndarray
    identity: str
    space: Space

    @property
    def changed(self) -> bool:
        return self.head is not None or self.thresholds is not None


def adapt(
    films: SiteFilms,
    file: ReaderFile,
    *,
    columns: tuple[str, ...] = nuisance.COLUMNS,
    home: SiteFilms | None = None,
    finetuning: FineTuning | None = None,
    seed: int = 0,
    repeats: int = 20,
) -> Outcome:
    """Run steps 1 to 4 on films that were read (:func:`ai_for_sudan.sites.films.read_site`), and step 5 where asked.

    Args:
        columns: columns of the manifest that have nothing to do with the lungs.
        home: films of the kind that the reader was made for. Half of their patients take part in refitting the head,
            so that it forgets nothing; the other half measures whether it did.
        finetuning: the labelled films, prepared for step 5; the reader that it makes is a checkpoint, named in the
            result.
        repeats: draws of the learning curve.
    """
    card = Card.from_json(file.text)
    space = Space.of(films.embeddings if home is None else np.concatenate([films.embeddings, home.embeddings]))
    everything = _rows(films, file, card, np.arange(len(films)), space)
    result: dict[str, Any] = {
        "drift": drift(films, everything.scores, Reference.from_card(file.card), seed=seed),
        "films": _counts(films),
        "notes": _notes(films, everything.scores),
    }
    labelled = np.flatnonzero(~np.isnan(films.labels))
    rows = everything.take(labelled)
    short = _too_few(rows, FOR_MEASURING, PATIENTS_FOR_MEASURING)
    if short:
        result |= {"measured": None, "verdict": f"Not measured: {short}.", "usable": None, "steps": [], "curve": []}
        return Outcome(result, None, None, None, {}, rows.labels, _identity(films), space)
    own = None
    if home is not None:
        own = _rows(home, file, card, np.flatnonzero(~np.isnan(home.labels)), space)
        if short := _too_few(own, FOR_MEASURING, 2 * PATIENTS_FOR_MEASURING):
            raise UserError(f"the films given for home cannot be used: {short}")
    return _Adaptation(films, rows, labelled, own, space, card, columns, seed, repeats).run(result, finetuning)


class _Adaptation:
    def __init__(
        self,
        films: SiteFilms,
        rows: Rows,
        labelled: np.ndarray,
        home: Rows | None,
        space: Space,
        card: Card,
        columns: tuple[str, ...],
        seed: int,
        repeats: int,
    ) -> None:
        self.rows, self.space, self.card, self.seed, self.repeats = rows, space, card, seed, repeats
        self.identity = _identity(films)
        self.replayed: Rows | None = None
        self.home: Rows | None = None
        if home is not None:
            self.replayed, self.home = (home.take(index) for index in parts(home, 2, seed)[0])
        self.resamples = Resamples.of(rows.labels, rows.patients, seed=seed)
        facts = [films.facts[i] for i in labelled]
        found = {column: nuisance.levels(facts, column) for column in columns}
        self.levels = {column: level for column, level in found.items() if level is not None}
        self.levels[nuisance.LOOK] = nuisance.look(films.pictures[labelled], rows.labels, rows.patients, seed=seed)
        self.links = {column: nuisance.linked(rows.labels, level) for column, level in self.levels.items()}
        #: What a gain must hold within, to be one.
        self.linked = [column for column, link in self.links.items() if link["linked"]]

    def run(self, result: dict[str, Any], finetuning: FineTuning | None) -> Outcome:
        rows, card = self.rows, self.card
        shipped = rows.scores
        threshold = card.threshold()
        self.shipped_called = expit(shipped) >= threshold
        result["measured"] = self._figures(shipped, self.shipped_called)
        if card.abstention:
            inside = (expit(shipped) > card.abstention.lower) & (expit(shipped) < card.abstention.upper)
            result["measured"]["uncertain"] = wilson(int(inside.sum()), len(rows)).to_list()
        result["usable"], result["verdict"] = _verdict(result["measured"], card.title)
        result["columns"] = self.links
        result["warnings"] = self._warnings()
        scores = {"shipped": shipped}
        steps: list[dict[str, Any]] = []
        result["steps"], result["curve"] = steps, []
        short = _too_few(rows, FOR_CALIBRATION, PATIENTS_FOR_CALIBRATION)
        if short:
            result["notes"].append(f"Nothing was re-chosen: {short}.")
            return Outcome(result, None, None, None, scores, rows.labels, self.identity, self.space)
        refit = not _too_few(rows, FOR_HEAD, PATIENTS_FOR_HEAD)
        head: Head | None = None
        held = self._held_out(refit)
        scores |= held.scores
        steps += [self._judge_points(held), self._judge_calibration(held)]
        if refit:
            steps.append(self._judge_order("head", held.scores["head"], held.called["head"], rows.scores))
            head = fit_chosen(self._with_home(self._balanced(rows, np.arange(len(rows)))), seed=self.seed)
            self._judge_at_home(steps[-1], head)
            if "head, careless" in held.scores:
                careless = held.scores["head, careless"]
                within = {c: [*interval(self.resamples.auroc(careless, self.levels[c]))] for c in self.linked}
                steps[-1]["careless"] = {"auroc": [*interval(self.resamples.auroc(careless))], "within": within}
            if finetuning is not None:
                steps.append(self._finetuned(finetuning, scores, steps[-1]["adopted"], result))
            result["warnings"] += [text for step in steps[2:] for text in step.pop("warnings")]
        else:
            short = _too_few(rows, FOR_HEAD, PATIENTS_FOR_HEAD)
            also = " Nor was the network trained on." if finetuning is not None else ""
            result["notes"].append(f"The head was not refitted: {short}.{also}")
        result["curve"] = self._curve()
        adopted = {step["name"]: step["adopted"] for step in steps if step["name"] != "fine-tuning"}
        if any(adopted.values()):
            after = [step["after"] for step in steps if adopted.get(step["name"])][-1]
            result["verdict_after"] = _verdict(after, "The adapted reader")[1]
        final, thresholds, abstention = self._final(adopted, head)
        if self.home is not None:
            result["home"] = self._at_home(final, thresholds)
        return Outcome(result, final, thresholds, abstention, scores, rows.labels, self.identity, self.space)

    # --- judging -----------------------------------------------------------------------------------------------

    def _held_out(self, refit: bool) -> _HeldOut:
        """Every film scored, and called, by what was fitted without its patient."""
        rows = self.rows
        names = ["calibration", *(["head"] if refit else []), *(["head, careless"] if refit and self.linked else [])]
        scores = {name: np.empty(len(rows)) for name in names}
        called = {name: np.zeros(len(rows), bool) for name in ("points", *names)}
        for inside, outside in parts(rows, 5, self.seed):
            here, there = rows.take(inside), rows.take(outside)
            cut = self._cut(here.labels, here.scores)
            called["points"][outside] = expit(there.scores) >= cut
            calibrated = fit(here, 0.0)
            scores["calibration"][outside] = calibrated.scores(there)
            cut = self._cut(here.labels, calibrated.scores(here))
            called["calibration"][outside] = expit(scores["calibration"][outside]) >= cut
            for name in names[1:]:
                fitted = self._with_home(here if name == "head, careless" else self._balanced(here, inside))
                head = fit_chosen(fitted, seed=self.seed)
                scores[name][outside] = head.scores(there)
                cut = self._cut(here.labels, held_out_scores(fitted, head.freedom, seed=self.seed)[: len(here)])
                called[name][outside] = expit(scores[name][outside]) >= cut
        return _HeldOut(scores, called)

    def _cut(self, labels: np.ndarray, scores: np.ndarray) -> float:
        return balanced(Predictions(labels, expit(scores))).threshold

    def _balanced(self, rows: Rows, index: np.ndarray) -> Rows:
        """Weights under which no linked column tells the label, so that the head cannot gain by learning it."""
        # Films that look alike are nearly all of one class where the look tells the label: no weights balance that.
        levels = [self.levels[column][index] for column in self.linked if column != nuisance.LOOK]
        return replace(rows, weights=nuisance.balancing_weights(rows.labels, levels))

    def _with_home(self, rows: Rows) -> Rows:
        return rows if self.replayed is None else rows.joined(self.replayed)

    def _youden(self, called: np.ndarray) -> np.ndarray:
        return self.resamples.sensitivity(called) + self.resamples.specificity(called) - 1

    def _judge_points(self, held: _HeldOut) -> dict[str, Any]:
        gain, adopted = _better(self._youden(held.called["points"]), self._youden(self.shipped_called))
        return {
            "name": "operating points",
            "adopted": adopted,
            "measure": "sensitivity + specificity - 1 at the default operating point against 'balanced' chosen here",
            "gain": gain,
            "after": self._figures(self.rows.scores, held.called["points"]),
        }

    def _judge_calibration(self, held: _HeldOut) -> dict[str, Any]:
        new, old = held.scores["calibration"], self.rows.scores
        gain, adopted = _better(self.resamples.log_loss(new), self.resamples.log_loss(old), lower_is_better=True)
        return {
            "name": "calibration",
            "adopted": adopted,
            "measure": "log loss (smaller is better; the gain is the decrease)",
            "gain": gain,
            "after": self._figures(new, held.called["calibration"]),
        }

    def _finetuned(
        self, finetuning: FineTuning, scores: dict[str, np.ndarray], head_adopted: bool, result: dict[str, Any]
    ) -> dict[str, Any]:
        """Step 5, judged against the best so far."""
        new, called = finetuning.held_out(self.rows, parts(self.rows, 5, self.seed))
        scores["fine-tuning"] = new
        step = self._judge_order("fine-tuning", new, called, scores["head" if head_adopted else "shipped"])
        result["finetuned_checkpoint"] = str(finetuning.on_all(self.rows)) if step["adopted"] else None
        return step

    def _judge_order(self, name: str, new: np.ndarray, called: np.ndarray, old: np.ndarray) -> dict[str, Any]:
        """Does it order the films better, over all and among films of the same linked columns?"""
        gain, beyond = _better(self.resamples.auroc(new), self.resamples.auroc(old))
        within = {column: nuisance.within(self.resamples, old, new, level) for column, level in self.levels.items()}
        explained = [column for column in self.linked if not within[column]["gain"][1] > 0]
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
                " and of the same ".join(self.linked)
                if self.linked
                else "patient group (no column is linked with the label)"
            ),
            "gain": gain,
            "after": self._figures(new, called),
            "within": within,
            "warnings": warnings,
        }

    def _judge_at_home(self, step: dict[str, Any], head: Head) -> None:
        """A head that is worse at home, beyond noise and by more than 0.01, is not adopted."""
        if self.home is None:
            return
        resamples = Resamples.of(self.home.labels, self.home.patients, seed=self.seed)
        gain, _ = _better(resamples.auroc(head.scores(self.home)), resamples.auroc(self.home.scores))
        step["gain_at_home"] = gain
        if step["adopted"] and gain[0] < -WORSE_AT_HOME and gain[2] < 0:
            step["adopted"] = False
            step["warnings"].append(
                f"The refitted head would be worse at home: AUROC {gain[0]:+.3f} ({gain[1]:+.3f} to {gain[2]:+.3f}). "
                "It was not adopted."
            )

    def _at_home(self, head: Head | None, thresholds: dict[str, float] | None) -> dict[str, Any]:
        """Both readers on the films of home that no head was fitted on."""
        assert self.home is not None
        point, rows = self.card.default_operating_point, self.home
        resamples = Resamples.of(rows.labels, rows.patients, seed=self.seed)
        found: dict[str, Any] = {"films": len(rows)}
        after = (thresholds or {}).get(point, self.card.threshold())
        for name, scores, cut in (
            ("shipped", rows.scores, self.card.threshold()),
            ("adapted", head.scores(rows) if head else rows.scores, after),
        ):
            called = expit(scores) >= cut
            found[name] = {
                "auroc": [*interval(resamples.auroc(scores))],
                "sensitivity": [*interval(resamples.sensitivity(called))],
                "specificity": [*interval(resamples.specificity(called))],
            }
        return found

    def _figures(self, scores: np.ndarray, called: np.ndarray) -> dict[str, Any]:
        resamples, probability = self.resamples, expit(scores)
        return {
            "auroc": [*interval(resamples.auroc(scores))],
            "sensitivity": [*interval(resamples.sensitivity(called))],
            "specificity": [*interval(resamples.specificity(called))],
            "brier": [*interval(resamples.brier(probability))],
            "ece": [*interval(resamples.ece(probability))],
            "ece_of_a_calibrated_reader": ece_bias(probability),
            "within": {c: [*interval(resamples.auroc(scores, level))] for c, level in self.levels.items()},
        }

    def _warnings(self) -> list[str]:
        found = []
        for column in self.linked:
            link = self.links[column]
            shares = ", ".join(
                f"{name} {level['positive']:.0%} of {level['films']}" for name, level in link["levels"].items()
            )
            if column == nuisance.LOOK:
                found.append(
                    f"Six numbers on grey levels and sharpness tell the label with AUROC {link['auroc_alone']:.2f} "
                    "here, without looking at the lungs: sick and healthy films seem to be made or exported "
                    "differently. A head can learn that: trust the figures within films that look alike."
                )
                continue
            found.append(
                f"The column '{column}' is linked with the label here (positive: {shares}; p = {link['p']:.2g}); "
                f"alone it would reach AUROC {link['auroc_alone']:.2f}. Trust the figures within a {column}."
            )
        return found

    def _curve(self) -> list[dict[str, Any]]:
        """What so many labels buy: heads fitted on a draw of patients, measured on all others."""
        rows, rng = self.rows, np.random.default_rng(self.seed)
        curve = []
        for count in CURVE:
            if count > 0.75 * len(rows):
                continue
            found: dict[str, list[list[float]]] = {}
            for _ in range(self.repeats):
                index, others = _draw(rows, count, rng)
                if index is None or others is None:
                    continue
                fitted = self._with_home(self._balanced(rows.take(index), index))
                head = fit_chosen(fitted, repeats=1, seed=self.seed)
                rest = rows.take(others)
                whole = Resamples(np.ones((1, len(rest))), rest.labels)
                new, old = head.scores(rest), rest.scores
                for name, level in [("all films", None), *self.levels.items()]:
                    strata = None if level is None else level[others]
                    pair = [float(whole.auroc(old, strata)[0]), float(whole.auroc(new, strata)[0])]
                    found.setdefault(name, []).append(pair)
            if found:
                curve.append(
                    {
                        "labels": count,
                        "draws": len(found["all films"]),
                        "auroc": {n: _spread(v) for n, v in found.items()},
                    }
                )
        return curve

    # --- the reader that comes of it -----------------------------------------------------------------------------

    def _final(
        self, adopted: dict[str, bool], head: Head | None
    ) -> tuple[Head | None, dict[str, float] | None, tuple[float, float] | None]:
        rows, card = self.rows, self.card
        error_rate = float((card.facts.get("abstention") or {}).get("error_rate") or 0.1)
        if head is not None and adopted.get("head"):
            fitted = self._with_home(self._balanced(rows, np.arange(len(rows))))
            held = held_out_scores(fitted, head.freedom, seed=self.seed)[: len(rows)]
            band = _band(rows.labels, held, error_rate)
            return head, _chosen(rows.labels, held, card), band
        if adopted["calibration"]:
            calibrated = fit(rows, 0.0)
            scores = calibrated.scores(rows)
            band = _band(rows.labels, held_out_scores(rows, 0.0, seed=self.seed), error_rate)
            if adopted["operating points"] or (rows.logits.shape[1] > 2 and rows.exclusive):
                return calibrated, _chosen(rows.labels, scores, card), band
            moved = {
                n: recalibrated(p.threshold, calibrated.scale, calibrated.shift)
                for n, p in card.operating_points.items()
            }
            return calibrated, moved, band
        if adopted["operating points"]:
            return None, _chosen(rows.labels, rows.scores, card), None
        return None, None, None


def _better(new: np.ndarray, old: np.ndarray, *, lower_is_better: bool = False) -> tuple[list[float], bool]:
    gain, beyond = better(new, old, lower_is_better=lower_is_better)
    return [*gain], beyond


def _band(labels: np.ndarray, scores: np.ndarray, error_rate: float) -> tuple[float, float]:
    band = abstention_band(Predictions(labels, expit(scores)), error_rate)
    return band.lower, band.upper


def _chosen(labels: np.ndarray, scores: np.ndarray, card: Card) -> dict[str, float]:
    """Thresholds of those of the card's operating points that have a rule."""
    found = choose([Predictions(labels, expit(scores))])
    return {name: found[name].threshold for name in card.operating_points if name in found}


@dataclass(frozen=True)
class _HeldOut:
    scores: dict[str, np.ndarray]
    called: dict[str, np.ndarray]


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


def _counts(films: SiteFilms) -> dict[str, Any]:
    return {
        "read": len(films),
        "labelled": int((~np.isnan(films.labels)).sum()),
        "positive": int((films.labels == 1).sum()),
        "negative": int((films.labels == 0).sum()),
        "patients": len(np.unique(films.patients)),
        "patients_known": films.patients_known,
        "refused": [{"file": file, "codes": list(codes)} for file, codes in films.refused],
        "excluded": [{"file": file, "reason": reason} for file, reason in films.excluded],
    }


def _notes(films: SiteFilms, scores: np.ndarray) -> list[str]:
    notes = []
    if not films.patients_known:
        notes.append(
            "The manifest does not tell every film's patient: films of one patient may be counted as independent, so "
            "the intervals may be too narrow. Give a patient column or a patient rule."
        )
    if len(scores) > 1 and np.ptp(scores) < 1e-9:
        notes.append("The reader gives every film the same score: it can tell nothing apart here.")
    return notes


def _too_few(rows: Rows, films: int, patients: int) -> str:
    """Why there is not enough, in words; empty where there is."""
    counts = {label: len(np.unique(rows.patients[rows.labels == label])) for label in (1, 0)}
    if len(rows) == 0:
        return "no film that was read has a label"
    for label, word in ((1, "positive"), (0, "negative")):
        if not counts[label]:
            return f"none of the {len(rows)} labelled films is {word}; both are needed"
    if len(rows) < films:
        return f"{len(rows)} labelled films are too few; {films} are needed"
    if min(counts.values()) < patients:
        return (
            f"the labelled films are of {counts[1]} positive and {counts[0]} negative patients; "
            f"{patients} of each are needed"
        )
    return ""


def _verdict(measured: dict[str, Any], name: str) -> tuple[bool | None, str]:
    """May the reader be used here as it is? True, False, or None for: not proven."""
    wanted = ", ".join(f"{figure} {value:.2f}" for figure, value in USABLE.items())
    auroc = measured["auroc"]
    told = f"AUROC {auroc[0]:.2f} ({auroc[1]:.2f} to {auroc[2]:.2f})"
    if all(measured[figure][1] >= value for figure, value in USABLE.items()):
        return (
            True,
            f"{name} may be used here as decision support: {told}, and every interval lies above {wanted}.",
        )
    if auroc[2] < USABLE["auroc"] or any(measured[figure][2] < value for figure, value in USABLE.items()):
        worse = " It does no better than chance." if auroc[1] <= 0.5 else ""
        return False, f"{name} must not be used here as it is: {told}.{worse}"
    return None, (
        f"{name} is not proven here: {told}; the intervals do not all lie above {wanted}. Label more films "
        "before anyone relies on it."
    )


def _draw(rows: Rows, count: int, rng: np.random.Generator) -> tuple[np.ndarray | None, np.ndarray | None]:
    """About ``count`` films of whole patients, and all other films; None where a class has too few patients."""
    people = rng.permutation(np.unique(rows.patients))
    sizes = np.array([(rows.patients == person).sum() for person in people])
    chosen = np.isin(rows.patients, people[: int(np.searchsorted(np.cumsum(sizes), count)) + 1])
    for side in (chosen, ~chosen):
        if min(len(np.unique(rows.patients[side & (rows.labels == label)])) for label in (0, 1)) < 3:
            return None, None
    return np.flatnonzero(chosen), np.flatnonzero(~chosen)


def _spread(pairs: list[list[float]]) -> dict[str, list[float]]:
    """Mean and the central 95 % of the draws, of before, after and the difference."""
    before, after = np.array(pairs).T
    return {
        name: [float(np.nanmean(v)), *(float(q) for q in np.nanquantile(v, [0.025, 0.975]))]
        for name, v in (("before", before), ("after", after), ("gain", after - before))
    }
