"""Splits and folds by patient: stratified, seeded, saved and reused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from ai_for_sudan.datasets.content import content_keys
from ai_for_sudan.datasets.manifest import Manifest, labels, patients
from ai_for_sudan.errors import InvalidDataset
from ai_for_sudan.files import write_json


@dataclass(frozen=True)
class Split:
    """Which films train and which validate, as indices into a manifest.

    Attributes:
        grouped_by: ``patient``, or ``image`` where no patient is known.
        identity: SHA-256 over the content and the side of every film: equal for the same split of the same films.
    """

    train: list[int]
    validation: list[int]
    grouped_by: str
    identity: str


def split_manifest(manifest: Manifest, *, fraction: float = 0.15, seed: int = 0, path: Path | None = None) -> Split:
    """Hold out about ``fraction`` of the films, with all films of a patient (and all copies of a film) on one side.

    Films that the data itself marks as ``test`` take no part.

    Args:
        path: a JSON file; an earlier split of the same films there is reused, else the new one is written.

    Raises:
        InvalidDataset: the saved split is of other films, or the fraction is impossible.
    """
    if not 0.01 <= fraction <= 0.5:
        raise InvalidDataset(f"the share to hold out must be in 0.01..0.5, not {fraction}")
    keys = content_keys(manifest)
    if path is not None and path.exists():
        sides = _saved(path, manifest, {"fraction": fraction, "seed": seed})
        validation = set(sides[0])
    else:
        validation = set(_stratified(manifest, round(1 / fraction), seed)[0])
    train = [i for i in _taking_part(manifest) if i not in validation]
    grouped = "patient" if all(film.patient for film in manifest.films) else "image"
    order = sorted((keys[i], i in validation) for i in _taking_part(manifest))
    identity = hashlib.sha256(json.dumps(order).encode()).hexdigest()
    split = Split(train, sorted(validation), grouped, identity)
    if path is not None and not path.exists():
        facts = {"fraction": fraction, "seed": seed, "grouped_by": grouped, "identity": identity}
        _save(path, manifest, facts, [split.validation])
    return split


def saved_split(path: Path, manifest: Manifest) -> Split:
    """Return the split that a training run saved as ``split.json``.

    Raises:
        InvalidDataset: there is none, it is not a split, or it is of other films.
    """
    if not path.is_file():
        raise InvalidDataset(f"there is no split at {path}; expected the split.json of a training run")
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        fraction, seed = float(saved["fraction"]), int(saved["seed"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidDataset(f"{path} is not a split.json of a training run ({error})") from error
    return split_manifest(manifest, fraction=fraction, seed=seed, path=path)


def folds(manifest: Manifest, count: int, seed: int = 0, path: Path | None = None) -> list[list[int]]:
    """``count`` disjoint sets of films, each the test side of one fold; grouped and saved as a split is.

    Raises:
        InvalidDataset: fewer than two folds, too few patients, or the saved folds are of other films.
    """
    if count < 2:
        raise InvalidDataset(f"{count} folds are too few; give 2 or more")
    if path is not None and path.exists():
        return _saved(path, manifest, {"folds": count, "seed": seed})
    parts = _stratified(manifest, count, seed)
    if path is not None:
        _save(path, manifest, {"folds": count, "seed": seed}, parts)
    return parts


def _stratified(manifest: Manifest, count: int, seed: int) -> list[list[int]]:
    chosen = np.array(_taking_part(manifest), dtype=np.int64)
    if not len(chosen):
        raise InvalidDataset(f"{manifest.source}: all films are marked as test; there are none to train on")
    truth = labels(manifest)
    if truth.ndim == 2:  # findings: stratified by the reported one, films without its label a class of their own
        truth = np.nan_to_num(truth[:, manifest.classes.index(manifest.positive)], nan=2.0).astype(int)
    group_ids = groups(manifest)[chosen]
    truth = truth[chosen]
    smallest = min(len({group_ids[i] for i in np.flatnonzero(truth == c)}) for c in np.unique(truth))
    if smallest < count:
        raise InvalidDataset(
            f"{manifest.source}: the smallest class has {smallest} patients; {count} parts need at least {count}"
        )
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    return [chosen[side].tolist() for _, side in splitter.split(truth, truth, group_ids)]


def _taking_part(manifest: Manifest) -> list[int]:
    return [i for i, film in enumerate(manifest.films) if film.split != "test"]


def groups(manifest: Manifest) -> np.ndarray:
    """A number for each film, int64 ``(N,)``: films linked by a patient or by equal content share it (union-find)."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    patient_ids = patients(manifest).tolist()
    for patient, key in zip(patient_ids, content_keys(manifest), strict=True):
        parent[root(f"content:{key}")] = root(f"patient:{patient}")
    roots = [root(f"patient:{patient}") for patient in patient_ids]
    return np.unique(roots, return_inverse=True)[1]


def _names(manifest: Manifest) -> list[str]:
    base = manifest.source if manifest.source.is_dir() else manifest.source.parent
    return [
        Path(f.file).relative_to(base).as_posix() if Path(f.file).is_relative_to(base) else f.file
        for f in manifest.films
    ]


def _save(path: Path, manifest: Manifest, facts: dict[str, object], parts: list[list[int]]) -> None:
    names = _names(manifest)
    write_json(path, {**facts, "films": len(names), "parts": [[names[i] for i in part] for part in parts]})


def _saved(path: Path, manifest: Manifest, expected: dict[str, object]) -> list[list[int]]:
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        parts = saved["parts"]
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise InvalidDataset(f"{path} is not a split of this project; delete it to make a new one") from error
    differs = [key for key, value in expected.items() if saved.get(key) != value]
    number = {name: index for index, name in enumerate(_names(manifest))}
    if saved.get("films") != len(number) or any(name not in number for part in parts for name in part):
        raise InvalidDataset(
            f"{path} is a split of films other than those of {manifest.source}; delete it or give another --output_dir"
        )
    if differs:
        raise InvalidDataset(
            f"{path} is of a run that differs in {', '.join(differs)}; delete it or give another --output_dir"
        )
    return [[number[name] for name in part] for part in parts]
