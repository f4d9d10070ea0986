"""The standing checks of a reader: does it look where findings are, and what does it know without the lungs?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ai_for_sudan.contract import OperatingPoint
from ai_for_sudan.datasets import Film, Manifest, load_pixels, patients
from ai_for_sudan.datasets.regions import load_masks
from ai_for_sudan.evaluation import attribution, each_lung
from ai_for_sudan.evaluation.readings import judged, readings_of, truth_of
from ai_for_sudan.pages import interval
from ai_for_sudan.processes import in_parallel
from ai_for_sudan.reading import Reader, Reading
from ai_for_sudan.statistics import as_json, status_table

#: films of a site, with the fewest for which a check is made
SMALLEST = 20
#: called films on which hot places are taken away: each is predicted some forty times
DELETED = 60


def lungs_of(films: Sequence[Film], folder: Path) -> dict[int, np.ndarray]:
    """Load the lungs of each film that has a mask in a folder, bool ``(224, 224)``, by the film's place.

    Raises:
        UserError: as :func:`ai_for_sudan.datasets.regions.load_masks`.
    """
    found = load_masks(folder, films, attribution.GRID)
    return {place: mask for place, mask in enumerate(found) if mask.size}


def on_boxes(
    maps: Sequence[np.ndarray], boxes: Sequence[np.ndarray], whose: np.ndarray, sites: np.ndarray
) -> dict[str, Any] | None:
    """Compare maps with boxes over all films and for each site; ``None`` with fewer than :data:`SMALLEST` films."""
    rows = np.array([number for number, one in enumerate(boxes) if one.size], int)

    def check(some: np.ndarray) -> dict[str, Any] | None:
        if len(np.unique(whose[rows[some]])) < SMALLEST:
            return None
        drawn = np.stack([boxes[i] for i in rows[some]])
        return attribution.against_regions(np.stack([maps[i] for i in rows[some]]), drawn, whose[rows[some]])

    return _over_sites(check, sites[rows])


def on_lungs(
    predict: attribution.Predict,
    pixels: np.ndarray,
    maps: np.ndarray,
    lungs: np.ndarray,
    labels: np.ndarray,
    called: np.ndarray,
    whose: np.ndarray,
    sites: np.ndarray,
) -> dict[str, Any] | None:
    """Make all checks that need the lungs, over all films and for each site; None where a class has too few films.

    Args:
        predict: films uint8 ``(N, 224, 224)`` -> probability ``(N,)``.
        labels: 0 or 1 ``(N,)``.
        called: bool ``(N,)``: films whose evidence is looked at.
    """

    def check(rows: np.ndarray) -> dict[str, Any] | None:
        counts = [len(np.unique(whose[rows][labels[rows] == label])) for label in (0, 1)]
        if min(counts) < SMALLEST:
            return None
        frames = attribution.framing(attribution.boxes_around(lungs[rows]))
        outside = attribution.outside_only(predict, pixels[rows], lungs[rows], labels[rows], whose[rows])
        result: dict[str, Any] = {
            "films": len(rows),
            "outside_only": outside.to_list(),
            "framing_only": attribution.framing_only(frames, labels[rows], whose[rows]).to_list(),
            "knows_without_lungs": outside.value > attribution.OUTSIDE_LIMIT,
            "attribution": None,
        }
        shown = rows[called[rows]]
        if len(np.unique(whose[shown])) >= 2:
            result["attribution"] = attribution.against_regions(maps[shown], lungs[shown], whose[shown])
            some = shown[:DELETED]
            result |= attribution.deletion_insertion(predict, pixels[some], maps[some], lungs[some], whose[some])
        return result

    return _over_sites(check, sites)


@dataclass(frozen=True)
class Measured:
    """A reader's readings of films whose truth is known.

    Attributes:
        rows: numbers of the films that take part.
        readings: of all films of the manifest, with heatmap and lungs.
        truth: 0, 1 or NaN of all films.
        point: from its upper cut-off on a film is called.
    """

    reader: Reader
    manifest: Manifest
    rows: np.ndarray
    readings: Sequence[Reading]
    truth: np.ndarray
    point: OperatingPoint

    @classmethod
    def by(cls, reader: Reader, manifest: Manifest, point: OperatingPoint) -> tuple[Measured, list[str]]:
        """Read all films; all with a probability and a label take part. Return also why films cannot be read, in words.

        Raises:
            UserError: as :func:`ai_for_sudan.evaluation.readings.truth_of`.
        """
        truth = truth_of(manifest, reader.card)
        readings, excluded = readings_of(reader, manifest, operating_point=point.name, keep_maps=True)
        has_probability = np.array([reading.probability is not None for reading in readings], bool)
        rows = np.flatnonzero(has_probability & ~np.isnan(truth))
        return cls(reader, manifest, rows, readings, truth, point), excluded

    @property
    def probability(self) -> np.ndarray:
        """Return the probability of the positive class of all films ``(N,)``, NaN where there is none."""
        return np.array([np.nan if one.probability is None else one.probability for one in self.readings])

    def statuses(self) -> dict[str, Any]:
        """Return the status table of all films with a label, as plain JSON."""
        statuses = np.array([reading.status for reading in self.readings], object)
        return as_json(status_table(self.truth, statuses, self._whose))

    def evidence(self, boxes: Sequence[np.ndarray], masks: Path | None, *, cache_dir: Path | None) -> dict[str, Any]:
        """Make the standing checks that there are boxes and lungs for; plain JSON.

        Args:
            boxes: of all films, see :func:`ai_for_sudan.datasets.regions.load_boxes`.
            masks: a folder of lungs that people drew.

        Returns:
            ``boxes`` (:func:`on_boxes`); ``lungs`` (:func:`on_lungs`, of masks) and ``films_without_mask``; and
            ``own_lungs`` (the same, of lungs that the reader found) and ``films_without_lungs``; and ``each_lung``
            (:func:`ai_for_sudan.evaluation.each_lung.checks`, of these lungs).
        """
        found: dict[str, Any] = {"boxes": None, "lungs": None, "own_lungs": None}
        rows = np.array([i for i in self.rows if self.readings[i].heatmap is not None], int)
        if any(boxes[i].size for i in rows):
            maps = [self._map(i) for i in rows]
            found["boxes"] = on_boxes(maps, [boxes[i] for i in rows], self._whose[rows], self._sites[rows])
        if masks is not None:
            drawn = lungs_of([self.manifest.films[i] for i in rows], masks)
            found["films_without_mask"] = len(rows) - len(drawn)
            found["lungs"] = self._on_lungs({int(rows[place]): mask for place, mask in drawn.items()}, cache_dir)
        own = {
            int(i): attribution.at_side(lungs, attribution.GRID)
            for i in rows
            if (lungs := self.readings[i].lungs) is not None
        }
        if own:
            own = {i: lungs for i, lungs in own.items() if lungs.mean() > attribution.FOUND}
            found["films_without_lungs"] = len(rows) - len(own)
            found["own_lungs"] = self._on_lungs(own, cache_dir)
            found["each_lung"] = self._on_each_lung(own, boxes, cache_dir)
        return found

    def _on_each_lung(
        self, lungs: dict[int, np.ndarray], boxes: Sequence[np.ndarray], cache_dir: Path | None
    ) -> dict[str, Any] | None:
        have = np.array(sorted(lungs), int)
        if not len(have):
            return None
        nothing = np.zeros((attribution.GRID, attribution.GRID), bool)
        films = each_lung.Films(
            np.asarray(load_pixels(self._manifest_of(have), cache_dir=cache_dir)),
            np.stack([lungs[i] for i in have]),
            self.truth[have].astype(int),
            self._whose[have],
            np.stack([boxes[i] if boxes[i].size else nothing for i in have]),
        )

        def read(pixels: np.ndarray) -> np.ndarray:
            return np.array([status for _, status in in_parallel(judged(self.reader, self.point), pixels)], object)

        return each_lung.checks(films, np.stack([self._map(i) for i in have]), read)

    def _on_lungs(self, lungs: dict[int, np.ndarray], cache_dir: Path | None) -> dict[str, Any] | None:
        have = np.array(sorted(lungs), int)
        if not len(have):
            return None
        return on_lungs(
            lambda pixels: np.array(list(in_parallel(self._probability, pixels))),
            np.asarray(load_pixels(self._manifest_of(have), cache_dir=cache_dir)),
            np.stack([self._map(i) for i in have]),
            np.stack([lungs[i] for i in have]),
            self.truth[have].astype(int),
            np.array([(self.readings[i].probability or 0.0) >= self.point.suspected_from for i in have]),
            self._whose[have],
            self._sites[have],
        )

    def _manifest_of(self, rows: np.ndarray) -> Manifest:
        return replace(self.manifest, films=tuple(self.manifest.films[i] for i in rows))

    @property
    def _whose(self) -> np.ndarray:
        return patients(self.manifest)

    @property
    def _sites(self) -> np.ndarray:
        return np.array([film.facts.get("site", "") for film in self.manifest.films])

    def _map(self, row: int) -> np.ndarray:
        heatmap = self.readings[row].heatmap
        assert heatmap is not None
        return attribution.at_side(heatmap, self._side)

    @cached_property
    def _side(self) -> int:
        """Cells a side of the reader's map; of a film with a plain surround the map has more."""
        return min(len(one.heatmap) for one in self.readings if one.heatmap is not None)

    def _probability(self, film: np.ndarray) -> float:
        return float(self.reader.outputs(np.ascontiguousarray(film))["probability"][self.reader.card.positive_index])


def _over_sites(check: Any, sites: np.ndarray) -> dict[str, Any] | None:
    whole = check(np.arange(len(sites))) if len(sites) else None
    if whole is None:
        return None
    named = attribution.by_site(sites, check)
    return {**whole, "sites": {name: found for name, found in named.items() if found} if len(named) > 1 else {}}


def verdicts(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Sum up each standing check in a line: passed, failed or, with ``None``, not measured.

    Args:
        found: as :meth:`Measured.evidence` returns it.
    """
    rows = _box_verdicts(found.get("boxes"))
    if found.get("lungs") is not None:
        rows += _lung_verdicts(found["lungs"], "lungs as drawn")
    if "own_lungs" in found:
        rows += _lung_verdicts(found["own_lungs"], "lungs as found")
    return rows + _each_lung_verdicts(found.get("each_lung") or {})


def verdict(check: str, meaning: str, passed: bool | None = None, found: str = "") -> dict[str, Any]:
    """Put a check into a line of plain JSON; without ``passed`` it was not measured."""
    return {"check": check, "passed": passed, "found": found or "not measured: too few films", "meaning": meaning}


def order_verdicts(found: dict[str, Any] | None, where: str) -> list[dict[str, Any]]:
    """Sum up deletion and insertion (:func:`ai_for_sudan.evaluation.attribution.deletion_insertion`)."""
    rows = []
    for kind, sign, meaning in (
        ("deletion", -1, "Removing the hottest places must lower the score more than removing others."),
        ("insertion", 1, "Showing only the hottest places must raise the score more than showing others."),
    ):
        line = f"{kind} inside {where}", meaning
        if found is None:
            rows.append(verdict(*line))
        else:
            one = found[kind]
            passed = min(sign * bound for bound in one["difference"][1:]) > 0
            said = f"{one['map']:.2f} against {one['random']:.2f}, difference {interval(one['difference'], 3)}"
            rows.append(verdict(*line, passed, said))
    return rows


def _box_verdicts(boxes: dict[str, Any] | None) -> list[dict[str, Any]]:
    pointing = (
        "hottest place inside the boxes",
        "Must be inside more often than for the best map that is the same for every film.",
    )
    share = (
        "attribution inside the boxes",
        "Must be larger than for the best map that is the same for every film.",
    )
    if boxes is None:
        return [verdict(*pointing), verdict(*share)]
    said = (
        f"{interval(boxes['pointing'], 3)}, best constant map {interval(boxes['pointing_constant'], 3)}, "
        f"gain {interval(boxes['pointing_gain'], 3)}"
    )
    constant = f"{interval(boxes['share'], 3)}, best constant map {interval(boxes['share_constant'], 3)}"
    return [
        verdict(*pointing, boxes["pointing_gain"][1] > 0, said),
        verdict(*share, boxes["share"][1] > boxes["share_constant"][2], constant),
    ]


def _lung_verdicts(lungs: dict[str, Any] | None, name: str) -> list[dict[str, Any]]:
    painted = (
        f"{name}, painted over",
        f"Without lungs the label must not be predictable: AUROC at most {attribution.OUTSIDE_LIMIT}.",
    )
    shown = lungs if lungs and lungs["attribution"] else None
    rows = [
        verdict(
            *painted,
            not lungs["knows_without_lungs"],
            f"AUROC {interval(lungs['outside_only'])}; their frame alone {interval(lungs['framing_only'])}",
        )
        if lungs
        else verdict(*painted)
    ]
    return [*rows, share_verdict(shown and shown["attribution"], name), *order_verdicts(shown, name)]


def _each_lung_verdicts(found: dict[str, Any]) -> list[dict[str, Any]]:
    named = "the side of a finding in one lung", "The sick lung must have more attribution oftener than by chance."
    halves = (
        "a sick lung beside another patient's healthy one",
        "Must be suspected oftener than two healthy lungs of two patients.",
    )
    seam = "the seam of two healthy lungs", "They must not be suspected oftener than the films that they are from."
    equal = "lungs of equal shape", "The outline of the lungs must tell nothing where sick and healthy ones share it."
    rows = []
    if one := found.get("side"):
        rows.append(verdict(*named, one["named"][1] > 0.5, f"{interval(one['named'], 2)} of {one['films']} films"))
    else:
        rows.append(verdict(*named))
    if one := found.get("half_films"):
        sick, healthy = one["sick"], one["healthy"]
        said = (
            f"suspected {interval(sick['suspected'], 2)}, left to a person {interval(sick['uncertain'], 2)}; two "
            f"healthy ones suspected {interval(healthy['suspected'], 2)}"
        )
        rows.append(verdict(*halves, sick["suspected"][1] > healthy["suspected"][2], said))
        rows.append(verdict(*seam, one["seam"][1] <= 0, f"oftener by {interval(one['seam'], 2)}"))
    else:
        rows += [verdict(*halves), verdict(*seam)]
    if one := found.get("shape"):
        said = f"AUROC {interval(one['equal'], 2)}; of their own shapes {interval(one['alone'], 2)}"
        return [*rows, verdict(*equal, one["equal"][1] <= 0.5, said)]
    return [*rows, verdict(*equal)]


def share_verdict(found: dict[str, Any] | None, where: str) -> dict[str, Any]:
    """Sum up the share of attribution inside (:func:`ai_for_sudan.evaluation.attribution.against_regions`)."""
    line = f"attribution inside {where}", "Must be larger than the share of the film that they cover."
    if found is None:
        return verdict(*line)
    return verdict(
        *line, found["share"][1] > found["area"], f"{interval(found['share'], 3)} where they cover {found['area']:.2f}"
    )


def in_words(found: dict[str, Any]) -> list[str]:
    """Put into lines for the terminal what ``audit`` and ``explaincheck`` keep under ``evidence``."""
    lines = []
    if boxes := found.get("boxes"):
        for name, one in (("boxes", boxes), *boxes["sites"].items()):
            lines.append(
                f"{name}: hottest place inside {interval(one['pointing'], 2)}, best constant map "
                f"{interval(one['pointing_constant'], 2)}; attribution inside {interval(one['share'], 2)} where boxes "
                f"cover {one['area']:.2f} ({one['films']} films, {one['blank']} blank)"
            )
    for title, key in (("lungs as drawn", "lungs"), ("lungs as found", "own_lungs")):
        lungs = found.get(key)
        for name, one in ((title, lungs), *lungs["sites"].items()) if lungs else ():
            lines.append(
                f"{name}: painted over AUROC {interval(one['outside_only'], 2)}, their frame alone "
                f"{interval(one['framing_only'], 2)} ({one['films']} films)"
            )
            if one["attribution"]:
                lines.append(
                    f"{name}: attribution inside {interval(one['attribution']['share'], 2)}; deletion "
                    f"{interval(one['deletion']['difference'], 2)}, insertion "
                    f"{interval(one['insertion']['difference'], 2)} against places in random order"
                )
        if lungs and lungs["knows_without_lungs"]:
            lines.append(
                f"WARNING: with the lungs painted over AUROC is above {attribution.OUTSIDE_LIMIT}: "
                "this reader predicts the label from something other than the lungs"
            )
    checks = _each_lung_verdicts(found.get("each_lung") or {})
    return [*lines, *(f"{one['check']}: {one['found']}" for one in checks if one["passed"] is not None)]
