"""The reader that an adaptation leaves: a new file beside the old one, whose card records what changed and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ai_for_sudan.files import plain_json
from ai_for_sudan.reading import Card
from ai_for_sudan.sites.adapt import Outcome
from ai_for_sudan.sites.head import Head
from ai_for_sudan.sites.readerfile import ReaderFile


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
        # Nothing is kept of what was measured of the old calibration, nor of the share of positives it was made for.
        changed["calibration"] = {
            "method": "logistic recalibration at the site",
            "scale": weights["calibration.scale"].tolist(),
            "bias": weights["calibration.bias"].tolist(),
            "fitted_on": f"{result['films']['labelled']} films of {result['site']}",
        }
    if outcome.points is not None:
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
    """The operating points of the site as JSON, which say whether they were chosen here; old measurements go."""
    assert outcome.points is not None
    here = f"{result['films']['labelled']} labelled films of {result['site']}"
    chosen = {
        name: replace(point, chosen_on=point.chosen_on or here, measured=None, more={}).to_facts()
        for name, point in outcome.points.items()
    }
    if card.default_operating_point not in chosen:
        chosen[card.default_operating_point] = chosen.get("balanced") or next(iter(chosen.values()))
    return chosen
