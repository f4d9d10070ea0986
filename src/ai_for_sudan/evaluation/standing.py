"""The standing checks of a reader: does it look where findings are, and what does it know without the lungs?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ai_for_sudan.datasets import Film
from ai_for_sudan.datasets.regions import load_masks
from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation import evidence
from ai_for_sudan.statistics import Estimate

#: films of a site, with the fewest for which a check is made
SMALLEST = 20
#: called films on which hot places are taken away: each is predicted some forty times
DELETED = 60


def boxes_of(films: Sequence[Film]) -> list[np.ndarray]:
    """The column ``boxes`` of each film, ``(K, 4)``; empty where it names none.

    Raises:
        UserError: names the film whose boxes are none.
    """
    found = []
    for film in films:
        try:
            found.append(evidence.parse_boxes(film.facts.get("boxes", "")))
        except UserError as error:
            raise UserError(f"{film.file}: {error}") from error
    return found


def lungs_of(films: Sequence[Film], folder: Path) -> dict[int, np.ndarray]:
    """The lungs of each film that has a mask in a folder, bool ``(224, 224)``, by the film's place.

    Raises:
        UserError: as :func:`ai_for_sudan.datasets.regions.load_masks`.
    """
    found = load_masks(folder, [film.file for film in films], [film.pixels().shape for film in films], evidence.GRID)
    return {place: mask for place, mask in enumerate(found) if mask.size}


def on_boxes(
    maps: Sequence[np.ndarray], boxes: Sequence[np.ndarray], patients: np.ndarray, sites: np.ndarray
) -> dict[str, Any] | None:
    """:func:`ai_for_sudan.evaluation.evidence.against_regions` over all films with boxes and for each site; None where
    fewer than :data:`SMALLEST` films have any.
    """
    rows = np.array([number for number, one in enumerate(boxes) if len(one)], int)

    def check(some: np.ndarray) -> dict[str, Any] | None:
        if len(np.unique(patients[rows[some]])) < SMALLEST:
            return None
        drawn = np.stack([evidence.drawn(boxes[i]) for i in rows[some]])
        return evidence.against_regions(np.stack([maps[i] for i in rows[some]]), drawn, patients[rows[some]])

    return _over_sites(check, sites[rows])


def on_lungs(
    predict: evidence.Predict,
    pixels: np.ndarray,
    maps: np.ndarray,
    lungs: np.ndarray,
    labels: np.ndarray,
    called: np.ndarray,
    patients: np.ndarray,
    sites: np.ndarray,
) -> dict[str, Any] | None:
    """All checks that need the lungs, over all films and for each site; None where a class has too few films.

    Args:
        predict: films uint8 ``(N, 224, 224)`` -> probability ``(N,)``.
        labels: 0 or 1 ``(N,)``.
        called: bool ``(N,)``: films whose evidence is looked at.
    """

    def check(rows: np.ndarray) -> dict[str, Any] | None:
        counts = [len(np.unique(patients[rows][labels[rows] == label])) for label in (0, 1)]
        if min(counts) < SMALLEST:
            return None
        frames = evidence.framing(evidence.boxes_around(lungs[rows]))
        outside = evidence.outside_only(predict, pixels[rows], lungs[rows], labels[rows])
        result: dict[str, Any] = {
            "films": len(rows),
            "outside_only": outside.to_list(),
            "framing_only": evidence.framing_only(frames, labels[rows], patients[rows]).to_list(),
            "knows_without_lungs": outside.value > evidence.OUTSIDE_LIMIT,
            "attribution": None,
        }
        shown = rows[called[rows]]
        if len(np.unique(patients[shown])) >= 2:
            result["attribution"] = evidence.against_regions(maps[shown], lungs[shown], patients[shown])
            some = shown[:DELETED]
            result |= evidence.deletion_insertion(predict, pixels[some], maps[some], lungs[some], patients[some])
        return result

    return _over_sites(check, sites)


def _over_sites(check: Any, sites: np.ndarray) -> dict[str, Any] | None:
    whole = check(np.arange(len(sites))) if len(sites) else None
    if whole is None:
        return None
    named = evidence.by_site(sites, check)
    return {**whole, "sites": {name: found for name, found in named.items() if found} if len(named) > 1 else {}}


def in_words(found: dict[str, Any]) -> list[str]:
    """Lines for the terminal, of what ``audit`` keeps under ``evidence``."""

    def told(values: list[float | None]) -> str:
        value = Estimate(*(float("nan") if v is None else v for v in values))
        return f"{value.value:.2f} ({value.low:.2f} to {value.high:.2f})"

    lines = []
    if boxes := found.get("boxes"):
        for name, one in (("boxes", boxes), *boxes["sites"].items()):
            lines.append(
                f"{name}: hottest place inside {told(one['pointing'])}, best constant map "
                f"{told(one['pointing_constant'])}; attribution inside {told(one['share'])} where boxes "
                f"cover {one['area']:.2f} ({one['films']} films, {one['blank']} blank)"
            )
    if lungs := found.get("lungs"):
        for name, one in (("lungs", lungs), *lungs["sites"].items()):
            lines.append(
                f"{name}: painted over AUROC {told(one['outside_only'])}, their frame alone {told(one['framing_only'])}"
                f" ({one['films']} films)"
            )
            if one["attribution"]:
                lines.append(
                    f"{name}: attribution inside {told(one['attribution']['share'])}; deletion "
                    f"{told(one['deletion']['difference'])}, insertion {told(one['insertion']['difference'])} "
                    "against places in random order"
                )
        if lungs["knows_without_lungs"]:
            lines.append(
                f"WARNING: with the lungs painted over AUROC is above {evidence.OUTSIDE_LIMIT}: this reader knows the "
                "label by something else than the lungs"
            )
    return lines
