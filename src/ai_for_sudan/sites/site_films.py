"""The films of a site, read once: all that `adapt` needs afterwards is in these arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ai_for_sudan.contract.reference import picture_statistics
from ai_for_sudan.datasets import Manifest, contradicted, labels, load_manifest
from ai_for_sudan.datasets.cache import squash
from ai_for_sudan.datasets.split import groups
from ai_for_sudan.errors import UserError
from ai_for_sudan.processes import in_parallel
from ai_for_sudan.reading import Card, Reader
from ai_for_sudan.statistics import positive_truth


@dataclass(frozen=True)
class Seen:
    """A film as the reader sees it: its embedding ``(D,)``, and its picture in the numbers of ``PICTURE`` ``(6,)``."""

    embedding: np.ndarray
    picture: np.ndarray


@dataclass(frozen=True)
class Refused:
    """A film that the reader refuses, and the codes it gives."""

    file: str
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Excluded:
    """A film that takes no part: it could not be read, or contradicts another."""

    file: str
    reason: str


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
        patients_known: whether the manifest names the patient of each film.
    """

    files: list[str]
    index: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    facts: list[dict[str, str]]
    embeddings: np.ndarray
    pictures: np.ndarray
    refused: list[Refused]
    excluded: list[Excluded]
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
    refused: list[Refused] = []
    excluded: list[Excluded] = []
    seen: dict[int, Seen] = {}

    def one(index: int) -> Seen | Refused | Excluded:
        reading = reader.read(manifest.films[index].source)
        if reading.status == "failed":
            return Excluded(names[index], "; ".join(reading.reasons))
        if index in of_two_labels:
            return Excluded(names[index], "the same film is also listed with another label")
        if reading.status == "refused":
            return Refused(names[index], reading.codes)
        assert reading.embedding is not None and reading.pixels is not None and reading.probability is not None
        if not (np.isfinite(reading.probability) and np.isfinite(reading.embedding).all()):
            return Excluded(names[index], "the reader's probability is not a number")
        return Seen(reading.embedding, picture_statistics(squash(reading.pixels, 224)))

    of_two_labels = contradicted(manifest, positive)
    outcomes = in_parallel(one, range(len(names)), threads=threads)
    bar = tqdm(outcomes, total=len(names), desc="reading", unit="film", leave=False, disable=None)
    for index, outcome in enumerate(bar):
        if isinstance(outcome, Seen):
            seen[index] = outcome
        elif isinstance(outcome, Refused):
            refused.append(outcome)
        else:
            excluded.append(outcome)
    if not seen:
        first = [f"{each.file}: {each.reason}" for each in excluded]
        first += [f"{each.file}: refused ({each.codes[0]})" for each in refused]
        raise UserError(
            f"{manifest.source}: none of {len(names)} films could be read ({len(refused)} were refused); {first[0]}"
        )
    kept = list(seen)
    return SiteFilms(
        files=[names[i] for i in kept],
        index=np.array(kept),
        labels=np.asarray(positive, np.float64)[kept],
        patients=groups(manifest)[kept],
        facts=[manifest.films[i].facts for i in kept],
        embeddings=np.array([each.embedding for each in seen.values()], np.float64),
        pictures=np.array([each.picture for each in seen.values()], np.float64),
        refused=refused,
        excluded=excluded,
        patients_known=all(film.patient for film in manifest.films),
    )


def _short(file: str, manifest: Manifest) -> str:
    base = manifest.source if manifest.source.is_dir() else manifest.source.parent
    return Path(file).relative_to(base).as_posix() if Path(file).is_relative_to(base) else file
