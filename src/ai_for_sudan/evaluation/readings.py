"""Which films a reader is measured on, and what is true of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ai_for_sudan.contract import Card, OperatingPoint, Remark
from ai_for_sudan.contract.colours import OUTLINE_AT
from ai_for_sudan.datasets import Film, Manifest, contradicted, labels, saved_split
from ai_for_sudan.errors import UserError
from ai_for_sudan.processes import in_parallel
from ai_for_sudan.reading import Reader, Reading, judge
from ai_for_sudan.statistics import positive_truth


def truth_of(manifest: Manifest, card: Card) -> np.ndarray:
    """Return 1 for films of the class that the reader reports, 0 for others, NaN without a label: float ``(N,)``.

    A film that is listed again with another label has none (:func:`ai_for_sudan.datasets.contradicted`).

    Raises:
        UserError: the data lacks that class, or has classes that the reader does not know.
    """
    unknown = sorted(set(manifest.classes) - set(card.classes)) if manifest.task == "exclusive" else []
    if card.positive not in manifest.classes or unknown:
        raise UserError(
            f"{manifest.source} has the labels {', '.join(manifest.classes)}; {card.title} has the classes "
            f"{', '.join(card.classes)} and reports '{card.positive}': use the same labels, or leave out "
            "films of other classes"
        )
    truth = positive_truth(labels(manifest), manifest.classes.index(card.positive))
    truth[sorted(contradicted(manifest, truth))] = np.nan
    return truth


def without_truth(manifest: Manifest, truth: np.ndarray, card: Card, films: np.ndarray) -> list[str]:
    """Return why each of the films (numbers) whose truth (:func:`truth_of`) is NaN is left out, in words."""
    listed = positive_truth(labels(manifest), manifest.classes.index(card.positive))
    return [
        f"{manifest.films[i].file} was left out: "
        + ("no label" if np.isnan(listed[i]) else "the same film is also listed with another label")
        for i in films[np.isnan(truth[films])]
    ]


def chosen_films(split: Path | None, manifest: Manifest, seed: int, most: int) -> np.ndarray:
    """At most so many film numbers, drawn by the seed: of what a training run held out, or of all.

    Raises:
        UserError: no such split, or one that fits other films.
    """
    rows = np.arange(len(manifest.films)) if split is None else np.array(saved_split(split, manifest).validation)
    return np.sort(np.random.default_rng(seed).permutation(rows)[:most])


def readings_of(
    reader: Reader, manifest: Manifest, *, operating_point: str | None = None, keep_maps: bool = False
) -> tuple[list[Reading], list[str]]:
    """A reading of each film, without its pixels; without a probability where it is of no use, and why in words.

    Args:
        operating_point: a name of the card's; the reader's own if not given.
        keep_maps: keep heatmap and lungs, these as bool.
    """

    def one(film: Film) -> Reading:
        reading = reader.read(film.source, operating_point=operating_point)
        lungs = reading.lungs >= OUTLINE_AT if keep_maps and reading.lungs is not None else None
        heatmap = reading.heatmap if keep_maps else None
        reading = replace(reading, radiograph=None, embedding=None, heatmap=heatmap, lungs=lungs)
        if reading.probability is not None and not np.isfinite(reading.probability):
            return replace(reading, probability=None, remarks=(Remark("not_read", "the probability is not a number"),))
        return reading

    readings = list(in_parallel(one, manifest.films))
    excluded = [
        f"{film.file} was left out: {'; '.join(reading.reasons)}"
        for film, reading in zip(manifest.films, readings, strict=True)
        if reading.probability is None
    ]
    return readings, excluded


def judged(reader: Reader, point: OperatingPoint) -> Callable[[np.ndarray], tuple[float, str]]:
    """Return a function that reads a film uint8 ``(S, S)`` at network size: its probability and its status."""

    def one(film: np.ndarray) -> tuple[float, str]:
        found = reader.outputs(np.ascontiguousarray(film))
        probability = float(found["probability"][reader.card.positive_index])
        abnormal = float(found["abnormal"][0]) if "abnormal" in found else None
        # Films at network size stand for larger ones: their own size is no reason to refuse them.
        size = (max(224, film.shape[0]), max(224, film.shape[1]))
        said = judge(reader.card, probability, found["gate"].tolist(), size, point, abnormal=abnormal)
        return probability, said.status

    return one
