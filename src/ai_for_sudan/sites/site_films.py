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
    """A film as the reader sees it.

    Attributes:
        embedding: ``(D,)``.
        picture: in the numbers of ``PICTURE``, ``(6,)``.
        doubted: left to a person whatever its probability is, because of the picture.
        abnormal: its lungs do not look normal, so that it is never ``not_seen``.
    """

    embedding: np.ndarray
    picture: np.ndarray
    doubted: bool
    abnormal: bool


@dataclass(frozen=True)
class Unread:
    """A film that is not read: refused, with the reader's codes, or without any, with the reason.

    Attributes:
        label: 1 positive, 0 not, NaN no label.
        patient: number of its patient, as in :class:`SiteFilms`.
    """

    file: str
    label: float
    patient: int
    codes: tuple[str, ...] = ()
    reason: str = ""


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
        doubted, abnormal: see :class:`Seen`, bool ``(N,)``.
        refused: films that the reader refuses; they stay in the denominator of what a clinic experiences.
        excluded: films that could not be decoded, or contradict another.
        patients_known: whether the manifest names the patient of each film.
    """

    files: list[str]
    index: np.ndarray
    labels: np.ndarray
    patients: np.ndarray
    facts: list[dict[str, str]]
    embeddings: np.ndarray
    pictures: np.ndarray
    doubted: np.ndarray
    abnormal: np.ndarray
    refused: list[Unread]
    excluded: list[Unread]
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
    refused: list[Unread] = []
    excluded: list[Unread] = []
    seen: dict[int, Seen] = {}
    patients = groups(manifest)
    limit = reader.card.abnormal.limit if reader.card.abnormal else np.inf

    def one(index: int) -> Seen | Unread:
        reading = reader.read(manifest.films[index].source)

        def without(codes: tuple[str, ...] = (), reason: str = "") -> Unread:
            return Unread(names[index], float(positive[index]), int(patients[index]), codes, reason)

        if reading.status == "failed":
            return without(reason="; ".join(reading.reasons))
        if index in of_two_labels:
            return without(reason="the same film is also listed with another label")
        if reading.status == "refused":
            return without(reading.codes)
        assert reading.embedding is not None and reading.pixels is not None and reading.probability is not None
        if not (np.isfinite(reading.probability) and np.isfinite(reading.embedding).all()):
            return without(reason="the reader's probability is not a number")
        scores = () if reading.gate is None else reading.gate.tolist()
        doubts = [score > entry.limit for score, entry in zip(scores, reader.card.gate, strict=True)]
        abnormal = reading.abnormal is not None and reading.abnormal >= limit
        return Seen(reading.embedding, picture_statistics(squash(reading.pixels, 224)), any(doubts), abnormal)

    of_two_labels = contradicted(manifest, positive)
    outcomes = in_parallel(one, range(len(names)), threads=threads)
    bar = tqdm(outcomes, total=len(names), desc="reading", unit="film", leave=False, disable=None)
    for index, outcome in enumerate(bar):
        if isinstance(outcome, Seen):
            seen[index] = outcome
        else:
            (refused if outcome.codes else excluded).append(outcome)
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
        patients=patients[kept],
        facts=[manifest.films[i].facts for i in kept],
        embeddings=np.array([each.embedding for each in seen.values()], np.float64),
        pictures=np.array([each.picture for each in seen.values()], np.float64),
        doubted=np.array([each.doubted for each in seen.values()]),
        abnormal=np.array([each.abnormal for each in seen.values()]),
        refused=refused,
        excluded=excluded,
        patients_known=all(film.patient for film in manifest.films),
    )


def _short(file: str, manifest: Manifest) -> str:
    base = manifest.source if manifest.source.is_dir() else manifest.source.parent
    return Path(file).relative_to(base).as_posix() if Path(file).is_relative_to(base) else file
