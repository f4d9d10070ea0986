"""The films of a dataset, with their labels and patients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ai_for_sudan.datasets.film import Film
from ai_for_sudan.datasets.rows import Row, rows_of_csv, rows_of_findings, rows_of_folder, rows_of_npz
from ai_for_sudan.datasets.rules import label_by_rule, patient_by_rule
from ai_for_sudan.errors import InvalidDataset

DEFAULT_POSITIVE = "pneumonia"


@dataclass(frozen=True)
class Manifest:
    """All films of a dataset.

    Attributes:
        classes: names; the index is the class number. Of two classes the positive one comes last.
        task: ``exclusive`` or ``multilabel``.
        positive: the class that a reading reports.
    """

    source: Path
    films: tuple[Film, ...]
    classes: tuple[str, ...]
    task: str
    positive: str


def labels(manifest: Manifest) -> np.ndarray:
    """Return class numbers int64 ``(N,)`` (-1: no label), or findings float32 ``(N, C)`` in 0, 1, NaN (no label)."""
    if manifest.task == "exclusive":
        return np.array([-1 if film.label is None else film.label for film in manifest.films], dtype=np.int64)
    table = [[np.nan if value is None else value for value in film.label] for film in manifest.films]  # type: ignore[union-attr]
    return np.array(table, dtype=np.float32)


def patients(manifest: Manifest) -> np.ndarray:
    """Return the patient of each film, str ``(N,)``; a film without one is a patient of its own."""
    return np.array([f"file:{film.file}" if film.patient is None else film.patient for film in manifest.films])


def without_patient(manifest: Manifest) -> int:
    """Count the films whose patient is unknown: each counts as a patient of its own, so intervals are too narrow."""
    return sum(film.patient is None for film in manifest.films)


def sites_of(manifest: Manifest) -> np.ndarray | None:
    """Return the column ``site`` of each film, str ``(N,)``; None where it names one site only, or none.

    Raises:
        InvalidDataset: some films have a site and others none.
    """
    sites = [film.facts.get("site", "") for film in manifest.films]
    if not any(sites):
        return None
    if without := sites.count(""):
        raise InvalidDataset(
            f"{manifest.source}: {without} films have no site though others do; add it, or give --sites ignore"
        )
    return np.array(sites) if len(set(sites)) > 1 else None


def load_manifest(
    source: str | Path,
    *,
    classes: Sequence[str] | None = None,
    positive: str | None = None,
    patient_rule: str | None = None,
    label_rule: str | None = None,
    label_columns: Sequence[str] | None = None,
    unlabelled: bool = False,
) -> Manifest:
    """Read what films there are; nothing is decoded.

    Args:
        source: a folder ``[train|val|test]/CLASS/film`` in any letter case, a CSV (columns ``file``, ``label``, and
            optionally ``patient``, ``split`` and others), or a MedMNIST ``.npz``.
        classes: class names in the order of the class numbers; found in the data if not given.
        positive: the class (or finding) that a reading reports; ``pneumonia`` if there is such a class.
        patient_rule: ``kermany`` or ``regex:PATTERN`` with one group, applied to file names.
        label_rule: ``kermany3`` (normal, bacterial, viral), applied to file names.
        label_columns: the findings of a multi-label CSV, a column each with 1, 0 or nothing (no label; -1, which
            CheXpert writes for uncertain, too); or the one column that lists them by name with ``|`` between, as
            ChestX-ray14 does.
        unlabelled: films of a CSV may lack a label, and a folder may hold films instead of class folders.

    Raises:
        InvalidDataset: says what was found and what is expected.
    """
    path = Path(source)
    if not path.exists():
        raise InvalidDataset(
            f"there is no dataset at {path}; expected a folder, a CSV manifest or a MedMNIST .npz file"
        )
    kind = "folder" if path.is_dir() else path.suffix.lower()
    findings = kind == ".csv" and bool(label_columns)
    if kind == "folder":
        rows, found = rows_of_folder(path, unlabelled)
    elif findings:
        rows, found = rows_of_findings(path, label_columns or ())
    elif kind == ".csv":
        rows, found = rows_of_csv(path, unlabelled)
    elif kind == ".npz":
        rows, found = rows_of_npz(path)
    else:
        raise InvalidDataset(f"{path} is not a folder, a .csv or a .npz file")
    if label_rule and not findings:
        rows = [replace(row, label=label_by_rule(label_rule, row.file)) for row in rows]
        found = sorted({str(row.label) for row in rows})
    names = tuple(found) if findings else _order([name for name in found if name], classes, positive, path)
    films = tuple(_film(path, row, names, patient_rule) for row in rows)
    counts = Counter(film.file for film in films)
    if twice := [file for file, count in counts.items() if count > 1]:
        raise InvalidDataset(f"{path} names {len(twice)} films more than once: {', '.join(twice[:10])}")
    return Manifest(path, films, names, "multilabel" if findings else "exclusive", _positive(names, positive, path))


def _film(path: Path, row: Row, names: tuple[str, ...], patient_rule: str | None) -> Film:
    patient, facts = row.patient, row.facts
    if patient_rule and patient is None:
        patient, more = patient_by_rule(patient_rule, row.file)
        facts = {**facts, **more}
    if isinstance(row.label, tuple):
        return Film(row.file, row.label, patient, row.split, facts)
    if row.label and row.label not in names:
        raise InvalidDataset(
            f"{path}: the label '{row.label}' of {row.file} is not one of the classes {', '.join(names)}"
        )
    return Film(row.file, names.index(row.label) if row.label else None, patient, row.split, facts)


def _order(found: Sequence[str], given: Sequence[str] | None, positive: str | None, path: Path) -> tuple[str, ...]:
    if given:
        return tuple(name.lower() for name in given)
    if len(found) < 2:
        raise InvalidDataset(
            f"{path} contains only one class ({', '.join(found) or 'none'}); expected two or more, as folders or labels"
        )
    last = (positive or DEFAULT_POSITIVE).lower()
    # Of several classes the healthy one comes first, as a reader of a table expects.
    return tuple(sorted(found, key=lambda name: (name == last, name != "normal", name)))


def _positive(names: tuple[str, ...], given: str | None, path: Path) -> str:
    if given is None:
        if DEFAULT_POSITIVE in names:
            return DEFAULT_POSITIVE
        raise InvalidDataset(
            f"{path} has the classes {', '.join(names)}: which one a reading reports is not to be guessed; "
            "give --positive CLASS"
        )
    if given.lower() not in names:
        raise InvalidDataset(f"{path} has no class '{given}'; its classes are: {', '.join(names)}")
    return given.lower()
