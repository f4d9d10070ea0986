"""The reader that an adaptation leaves: a new file beside the old one, whose card records what changed and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ai_for_sudan.contract import OperatingPoint
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
    card, weights, here = file.card, file.weights, f"{result['films']['labelled']} labelled films of {result['site']}"
    changed = replace(card, name=target.stem)
    if outcome.head is not None:
        weights = file.adapted_weights(outcome.head, outcome.space, card.positive_index, card.task == "exclusive")
        # Nothing is kept of what was measured of the old calibration, nor of the share of positives it was made for.
        calibration = {
            "method": "logistic recalibration at the site",
            "scale": weights["calibration.scale"].tolist(),
            "bias": weights["calibration.bias"].tolist(),
            "fitted_on": here,
        }
        reference = card.reference and reference_after(card, card.reference, outcome.head)
        changed = replace(changed, calibration=calibration, reference=reference)
    if outcome.points is not None:
        changed = replace(changed, operating_points=_points(card, outcome, result, here))
    record = {
        key: result[key]
        for key in ("site", "date", "reader", "films", "measured", "final", "verdict", "steps", "rule", "warnings")
    }
    # Counts alone: the card goes to other sites, and a file's name may hold a patient's.
    record["films"] = {k: len(v) if isinstance(v, list) else v for k, v in result["films"].items()}
    record |= {"identity_of_films": outcome.identity, "adopted": result["adopted"], **_what_changed(outcome)}
    adaptations = (*(card.adaptations or ()), plain_json(record))
    file.write(target, weights, replace(changed, adaptations=adaptations))


def _points(card: Card, outcome: Outcome, result: dict[str, Any], here: str) -> dict[str, OperatingPoint]:
    """The operating points of the site: where they were chosen, and of the default one what was measured here."""
    assert outcome.points is not None
    points = {name: replace(point, measured=None, more={}) for name, point in outcome.points.items()}
    if outcome.chosen:
        points = {name: replace(point, chosen_on=here) for name, point in points.items()}
    default = card.default_operating_point
    measured = plain_json({result["site"]: result["final"]["table"]})
    return points | {default: replace(points[default], measured=measured)}


def _what_changed(outcome: Outcome) -> dict[str, list[str]]:
    """What was chosen here, and what was kept of the reader as shipped."""
    refitted = outcome.head is not None and outcome.head.prior_std > 0
    parts = {
        "weights of the head": refitted,
        "calibration": outcome.head is not None,
        "cut-offs of the operating points": outcome.chosen,
    }
    return {
        "chosen_here": [part for part, here in parts.items() if here],
        "kept": ["network", *(part for part, here in parts.items() if not here)],
    }


def reference_after(card: Card, reference: dict[str, Any], head: Head) -> dict[str, Any]:
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
