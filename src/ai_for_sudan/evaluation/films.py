"""Which films a reader is measured on, and what is true of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ai_for_sudan.contract import Card
from ai_for_sudan.datasets import Manifest, labels, split_manifest
from ai_for_sudan.errors import UserError
from ai_for_sudan.statistics import positive_truth


def truth_of(manifest: Manifest, card: Card) -> np.ndarray:
    """1 for films of the class that the reader reports, 0 for others, NaN without a label: float ``(N,)``.

    Raises:
        UserError: the data lacks that class, or has classes that the reader does not know.
    """
    unknown = sorted(set(manifest.classes) - set(card.classes)) if manifest.task == "exclusive" else []
    if card.positive not in manifest.classes or unknown:
        raise UserError(
            f"{manifest.source} has the labels {', '.join(manifest.classes)}; {card.title} knows "
            f"{', '.join(card.classes)} and tells '{card.positive}': name the labels alike, or leave films of other "
            "classes out"
        )
    return positive_truth(labels(manifest), manifest.classes.index(card.positive))


def chosen_films(split: Path | None, manifest: Manifest, seed: int, most: int) -> np.ndarray:
    """At most so many film numbers, drawn by the seed: of what a training run held out, or of all.

    Raises:
        UserError: no such split, or one that fits other films.
    """
    if split is None:
        rows = np.arange(len(manifest.films))
    else:
        if not split.is_file():
            raise UserError(f"there is no split at {split}; expected the split.json of a training run")
        try:
            saved = json.loads(split.read_text(encoding="utf-8"))
            fraction, of = float(saved["fraction"]), int(saved["seed"])
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{split} is no split.json of a training run ({error})") from error
        rows = np.array(split_manifest(manifest, fraction=fraction, seed=of, path=split).validation)
    return np.sort(np.random.default_rng(seed).permutation(rows)[:most])
