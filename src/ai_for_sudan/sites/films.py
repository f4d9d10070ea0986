"""The films of a site, read once: all that `adapt` needs afterwards is in these arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ai_for_sudan.contract.reference import picture_statistics
from ai_for_sudan.datasets import Film, Manifest, labels, load_manifest
from ai_for_sudan.datasets.cache import squash
from ai_for_sudan.datasets.content import content_keys
from ai_for_sudan.datasets.split import groups
from ai_for_sudan.errors import UserError
from ai_for_sudan.processes import in_parallel
from ai_for_sudan.reading import Card, Reader
from ai_for_sudan.statistics import positive_truth


@dataclass(frozen=True)
class SiteFilms:
    """The films of a site that a reader reads, as it sees them.

    Attributes:
        files: names, ``(N,)``.
        index: their places in the manifest, ``(N,)``.
        labels: 1 positive, 0 not, NaN no label, float64 ``(N,)``.
        patients: int64 ``(N,)``; films of one patient, and copies of one film, share a number.
        facts: the further columns of each film.
        embeddings: float64 ``(N, D)``.
        pictures: see :data:`ai_for_sudan.contract.reference.PICTURE`, float64 ``(N, 6)``.
        refused: ``(file, codes)`` of the films that the reader refuses.
        excluded: ``(file, reason)`` of the films that could not be read or contradict each other.
        patients_known: whether the manifest told whose each film is.
    """

    files: list[str]
    index: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    facts: list[dict[str, str]]
    embeddings: np.ndarray
    pictures: np.ndarray
    refused: list[tuple[str, tuple[str, ...]]]
    excluded: list[tuple[str, str]]
    patients_known: bool

    def __len__(self) -> int:
        return len(self.files)


def site_manifest(
    source: str | Path, card: Card, *, patient_rule: str | None = None, label_columns: Sequence[str] | None = None
) -> Manifest:
    """A manifest in the terms of the reader; films may lack a label.

    Raises:
        UserError: the data has labels that the reader does not know, or lacks what it reports.
    """
    return load_manifest(
        source,
        classes=card.classes if card.task == "exclusive" and not label_columns else None,
        positive=card.positive,
        patient_rule=patient_rule,
        label_columns=label_columns,
        unlabelled=True,
    )


def read_site(reader: Reader, manifest: Manifest, *, threads: int | None = None) -> SiteFilms:
    """Read every film of the manifest once, on all cores. What cannot take part is named, never dropped.

    Raises:
        UserError: not one film could be read.
    """
    truth = labels(manifest)
    column = manifest.classes.index(manifest.positive)
    positive = positive_truth(truth, column)
    names = [_short(film.file, manifest) for film in manifest.films]
    refused: list[tuple[str, tuple[str, ...]]] = []
    excluded: list[tuple[str, str]] = []
    rows: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def one(film: Film) -> tuple[np.ndarray, np.ndarray] | tuple[str, ...] | str:
        reading = reader.read(film.source)
        if reading.status == "failed":
            return "; ".join(reading.reasons)
        if reading.status == "refused":
            return reading.codes
        assert reading.embedding is not None and reading.pixels is not None and reading.probability is not None
        if not (np.isfinite(reading.probability) and np.isfinite(reading.embedding).all()):
            return "the reader's answer is not a number"
        return reading.embedding, picture_statistics(squash(reading.pixels, 224))

    contradicted = _contradicted(manifest, positive)
    answers = in_parallel(one, manifest.films, threads=threads)
    bar = tqdm(answers, total=len(names), desc="reading", unit="film", leave=False, disable=None)
    for index, answer in enumerate(bar):
        if isinstance(answer, str):
            excluded.append((names[index], answer))
        elif index in contradicted:
            excluded.append((names[index], "the same film is there with another label"))
        elif all(isinstance(code, str) for code in answer):
            refused.append((names[index], answer))
        else:
            rows[index] = answer
    if not rows:
        first = [f"{name}: {reason}" for name, reason in excluded] or [f"{f}: refused ({c[0]})" for f, c in refused]
        raise UserError(
            f"{manifest.source}: none of {len(names)} films could be read ({len(refused)} were refused); {first[0]}"
        )
    kept = list(rows)
    embeddings, pictures = (np.array([rows[i][part] for i in kept], np.float64) for part in range(2))
    return SiteFilms(
        files=[names[i] for i in kept],
        index=np.array(kept),
        labels=np.asarray(positive, np.float64)[kept],
        patients=groups(manifest)[kept],
        facts=[manifest.films[i].facts for i in kept],
        embeddings=embeddings,
        pictures=pictures,
        refused=refused,
        excluded=excluded,
        patients_known=all(film.patient for film in manifest.films),
    )


def _contradicted(manifest: Manifest, positive: np.ndarray) -> set[int]:
    """Films with the same bytes as another that has another label."""
    by_content: dict[str, list[int]] = {}
    for index, key in enumerate(content_keys(manifest)):
        if not np.isnan(positive[index]):
            by_content.setdefault(key, []).append(index)
    return {i for films in by_content.values() if len({positive[j] for j in films}) > 1 for i in films}


def _short(file: str, manifest: Manifest) -> str:
    base = manifest.source if manifest.source.is_dir() else manifest.source.parent
    return Path(file).relative_to(base).as_posix() if Path(file).is_relative_to(base) else file
