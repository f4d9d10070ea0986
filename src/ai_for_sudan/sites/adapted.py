"""The reader that an adaptation leaves: a new file beside the old one, whose card records what changed and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ai_for_sudan.files import plain_json
from ai_for_sudan.reading import Card
from ai_for_sudan.sites.adapt import Outcome
from ai_for_sudan.sites.head import Head
from ai_for_sudan.sites.readerfile import ReaderFile
from ai_for_sudan.statistics.operating_points import REASONS


def write_adapted(file: ReaderFile, target: Path, outcome: Outcome, result: dict[str, Any]) -> None:
    """Write the adapted reader; the file that it came from stays as it is.

    Args:
        result: what goes on record in the card under ``adaptations``; names reader, site and date.
    """
    card = Card.from_json(file.text)
    weights = file.weights
    changed = dict(file.card)
    if outcome.head is not None:
        weights = file.adapted_weights(outcome.head, outcome.space, card.positive_index, card.task == "exclusive")
        band = outcome.abstention
        before = file.card.get("abstention") or {}
        changed["abstention"] = band and {
            "lower": band.lower,
            "upper": band.upper,
            "error_rate": before.get("error_rate", 0.1),
            "method": f"class-conditional conformal prediction on held-out films of {result['site']}",
        }
        # Nothing is kept of what was measured of the old calibration, nor of the share of positives it was made for.
        changed["calibration"] = {
            "method": "logistic recalibration at the site",
            "scale": weights["calibration.scale"].tolist(),
            "bias": weights["calibration.bias"].tolist(),
            "fitted_on": f"{result['films']['labelled']} films of {result['site']}",
        }
    if outcome.thresholds is not None:
        changed["operating_points"] = _points(card, outcome, result)
    changed["name"] = target.stem
    if outcome.head is not None and changed.get("reference"):
        changed["reference"] = _reference(card, changed["reference"], outcome.head)
    record = {
        key: result[key] for key in ("site", "date", "reader", "films", "measured", "verdict", "steps", "warnings")
    }
    # Counts alone: the card goes to other sites, and a file's name may hold a patient's.
    record["films"] = {k: len(v) if isinstance(v, list) else v for k, v in result["films"].items()}
    record |= {"identity_of_films": outcome.identity, "adopted": result["adopted"]}
    changed["adaptations"] = [*file.card.get("adaptations", []), plain_json(record)]
    file.write(target, weights, plain_json(changed))


def _reference(card: Card, reference: dict[str, Any], head: Head) -> dict[str, Any]:
    """The reader's own films as the changed one scores them; where that is not known, the entry says whose scores."""
    if head.prior_std > 0 or (card.task == "exclusive" and len(card.classes) > 2):
        return {**reference, "scores_of": f"{card.title}, before adaptation"}

    def moved(scores: list[float]) -> list[float]:
        return [round(head.scale * score + head.shift, 4) for score in scores]

    sample = reference["sample"]
    found = {**reference, "sample": {**sample, "scores": moved(sample["scores"])}}
    if "score_quantiles" in reference:
        found["score_quantiles"] = moved(reference["score_quantiles"])
    return found


def _points(card: Card, outcome: Outcome, result: dict[str, Any]) -> dict[str, Any]:
    """The operating points with the thresholds of the site; one that has no rule for choosing it here falls away."""
    assert outcome.thresholds is not None
    chosen = {}
    for name, threshold in outcome.thresholds.items():
        reason = REASONS.get(name, "adjusted with the calibration, so that it calls the same films")
        chosen[name] = {
            "threshold": threshold,
            "reason": reason,
            "chosen_on": f"{result['films']['labelled']} labelled films of {result['site']}",
        }
    adopted = [step for step in result["steps"] if step["adopted"] and step["name"] != "fine-tuning"]
    if "balanced" in chosen and adopted:
        after = adopted[-1]["after"]
        chosen["balanced"] |= {"sensitivity": after["sensitivity"], "specificity": after["specificity"]}
    if card.default_operating_point not in chosen:
        point = card.operating_point()
        chosen[point.name] = {"threshold": chosen["balanced"]["threshold"], "reason": REASONS["balanced"]}
    return chosen
