"""What films there are: from class folders, a CSV or a MedMNIST file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ai_for_sudan.datasets.rules import label_by_rule, patient_by_rule
from ai_for_sudan.errors import UserError
from ai_for_sudan.radiographs import FILM_SUFFIXES

SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
SPLIT_ORDER = ("train", "val", "test")
DEFAULT_POSITIVE = "pneumonia"
MEDMNIST_POSITIVE = ("normal", "pneumonia")  # PneumoniaMNIST: 0 normal, 1 pneumonia


@dataclass(frozen=True)
class Film:
    """One film of a dataset.

    Attributes:
        file: its path, or ``file.npz#side/number``.
        label: class number; for findings a tuple of 0, 1 and ``None`` (no label).
        patient: who it is of, where that is known.
        split: ``train``, ``val``, ``test``, or ``None`` where the data does not say.
        facts: other columns of a manifest (sex, age, view, site ...), and ``finding`` of a rule.
    """

    file: str
    label: int | tuple[float | None, ...]
    patient: str | None = None
    split: str | None = None
    facts: dict[str, str] = field(default_factory=dict, hash=False)


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
    """Class numbers int64 ``(N,)``, or findings float32 ``(N, C)`` in 0, 1, NaN."""
    if manifest.task == "exclusive":
        return np.array([film.label for film in manifest.films], dtype=np.int64)
    table = [[np.nan if value is None else value for value in film.label] for film in manifest.films]  # type: ignore[union-attr]
    return np.array(table, dtype=np.float32)


def patients(manifest: Manifest) -> np.ndarray:
    """Whom each film is of, str ``(N,)``; a film without a patient is its own."""
    return np.array([f"file:{film.file}" if film.patient is None else film.patient for film in manifest.films])


def load_manifest(
    source: str | Path,
    *,
    classes: Sequence[str] | None = None,
    positive: str | None = None,
    patient_rule: str | None = None,
    label_rule: str | None = None,
    label_columns: Sequence[str] | None = None,
) -> Manifest:
    """Read what films there are; nothing is decoded.

    Args:
        source: a folder ``[train|val|test]/CLASS/film`` in any letter case, a CSV (columns ``file``, ``label``, and
            optionally ``patient``, ``split`` and others), or a MedMNIST ``.npz``.
        classes: class names in the order of the class numbers; found in the data if not given.
        positive: the class (or finding) that a reading reports; ``pneumonia`` or else the last.
        patient_rule: ``kermany`` or ``regex:PATTERN`` with one group, applied to file names.
        label_rule: ``kermany3`` (normal, bacterial, viral), applied to file names.
        label_columns: the findings of a multi-label CSV.

    Raises:
        UserError: says what was found and what is expected.
    """
    path = Path(source)
    if not path.exists():
        raise UserError(f"there is no dataset at {path}; expected a folder, a CSV manifest or a MedMNIST .npz file")
    if path.is_dir():
        rows, found = _from_folder(path)
    elif path.suffix.lower() == ".csv":
        if label_columns:
            return _findings(path, list(label_columns), positive, patient_rule)
        rows, found = _from_csv(path)
    elif path.suffix.lower() == ".npz":
        rows, found = _from_npz(path)
    else:
        raise UserError(f"{path} is neither a folder nor a .csv nor a .npz file")
    if label_rule:
        rows = [
            (file, label_by_rule(label_rule, file), patient, split, facts) for file, _, patient, split, facts in rows
        ]
        found = sorted({row[1] for row in rows})
    names = _order(found, classes, positive, path)
    number = {name: index for index, name in enumerate(names)}
    films = []
    for file, label, patient, split, facts in rows:
        if label not in number:
            raise UserError(f"{path}: the label '{label}' of {file} is none of the classes {', '.join(names)}")
        if patient_rule and patient is None:
            patient, more = patient_by_rule(patient_rule, file)
            facts = {**facts, **more}
        films.append(Film(file, number[label], patient, split, facts))
    return Manifest(path, tuple(films), names, "exclusive", _positive(names, positive, path))


Row = tuple[str, str, "str | None", "str | None", dict[str, str]]


def _from_folder(path: Path) -> tuple[list[Row], list[str]]:
    folders = sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))
    sides = {child: SPLITS[child.name.lower()] for child in folders if child.name.lower() in SPLITS}
    if sides and len(sides) < len(folders):
        others = ", ".join(child.name for child in folders if child not in sides)
        raise UserError(
            f"{path} holds both split folders ({', '.join(s.name for s in sides)}) and others ({others}); "
            "expected either train/ val/ [test/] or one folder for each class"
        )
    rows: list[Row] = []
    names: set[str] = set()
    for top, side in sides.items() if sides else [(path, None)]:
        classes = sorted(child for child in top.iterdir() if child.is_dir() and not child.name.startswith("."))
        if not classes:
            raise UserError(
                f"{top} holds no class folders (found: {_some(top)}); "
                f"expected {top.name}/pneumonia/ and {top.name}/normal/"
            )
        for folder in classes:
            inner = [child.name for child in folder.iterdir() if child.is_dir()]
            files = sorted(child for child in folder.iterdir() if _is_film(child))
            if inner and not files:
                raise UserError(
                    f"{folder} holds folders ({', '.join(sorted(inner)[:5])}) where films are expected; the dataset "
                    f"seems to be nested one folder deeper: give --data_dir {folder} or move its contents up"
                )
            names.add(folder.name.lower())
            rows += [(str(file), folder.name.lower(), None, side, {}) for file in files]
            if not files:
                raise UserError(f"the class folder {folder} holds no films (expected {', '.join(FILM_SUFFIXES)})")
    return rows, sorted(names)


def _from_csv(path: Path) -> tuple[list[Row], list[str]]:
    rows: list[Row] = []
    for line, entry in _lines(path, ("file", "label")):
        label = entry["label"].strip().lower()
        if not label:
            raise UserError(f"{path}, line {line}: no label for {entry['file']}; leave the line out or label it")
        rows.append((_beside(path, entry["file"]), label, *_known(path, line, entry, ("file", "label"))))
    return rows, sorted({row[1] for row in rows})


def _findings(path: Path, columns: list[str], positive: str | None, patient_rule: str | None) -> Manifest:
    films = []
    for line, entry in _lines(path, ("file", *columns)):
        values: list[float | None] = []
        for column in columns:
            text = entry[column].strip().lower()
            if text not in ("", "0", "1", "0.0", "1.0", "nan", "-1", "-1.0"):
                raise UserError(f"{path}, line {line}: {column} is '{text}'; expected 0, 1 or nothing (no label)")
            values.append(None if text in ("", "nan", "-1", "-1.0") else float(text))
        patient, split, facts = _known(path, line, entry, ("file", *columns))
        file = _beside(path, entry["file"])
        if patient_rule and patient is None:
            patient, _ = patient_by_rule(patient_rule, file)
        films.append(Film(file, tuple(values), patient, split, facts))
    names = tuple(column.lower() for column in columns)
    return Manifest(path, tuple(films), names, "multilabel", _positive(names, positive, path))


def _lines(path: Path, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            header = list(reader.fieldnames or [])
            missing = [column for column in needed if column not in header]
            if missing:
                raise UserError(
                    f"{path} has no column {', '.join(repr(m) for m in missing)}; "
                    f"its columns are: {', '.join(header) or 'none'}"
                )
            rows = [(number, {k: v or "" for k, v in row.items() if k}) for number, row in enumerate(reader, start=2)]
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no UTF-8 text; save the manifest as CSV UTF-8") from error
    if not rows:
        raise UserError(f"{path} names no films")
    return rows


def _known(
    path: Path, line: int, entry: dict[str, str], used: Sequence[str]
) -> tuple[str | None, str | None, dict[str, str]]:
    """Patient, split and all other columns of a manifest's line."""
    split = entry.get("split", "").strip().lower()
    if split and split not in SPLITS:
        raise UserError(f"{path}, line {line}: split '{split}' is none of train, val, test")
    others = {k: v.strip() for k, v in entry.items() if k not in (*used, "patient", "split") and v.strip()}
    return entry.get("patient", "").strip() or None, SPLITS.get(split), others


def _beside(path: Path, file: str) -> str:
    return file if Path(file).is_absolute() else str(path.parent / file)


def _from_npz(path: Path) -> tuple[list[Row], list[str]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            sides = {side: archive[f"{side}_labels"] for side in SPLIT_ORDER if f"{side}_labels" in archive.files}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a MedMNIST file: {error}") from error
    if not sides:
        raise UserError(f"{path} holds no train_labels, val_labels or test_labels; expected a MedMNIST file")
    flat = {side: values.reshape(len(values), -1) for side, values in sides.items()}
    if any(values.shape[1] != 1 for values in flat.values()):
        raise UserError(f"{path} has several labels a film; only one class a film is read from .npz files")
    numbers = sorted({int(v) for values in flat.values() for v in values[:, 0]})
    names = list(MEDMNIST_POSITIVE) if numbers == [0, 1] else [str(number) for number in numbers]
    name = dict(zip(numbers, names, strict=True))
    rows: list[Row] = [
        (f"{path}#{side}/{index}", name[int(value[0])], None, side, {})
        for side, values in flat.items()
        for index, value in enumerate(values)
    ]
    return rows, names


def _order(found: Sequence[str], given: Sequence[str] | None, positive: str | None, path: Path) -> tuple[str, ...]:
    if given:
        return tuple(name.lower() for name in given)
    if len(found) < 2:
        raise UserError(
            f"{path} holds one class only ({', '.join(found) or 'none'}); expected at least two, as folders or labels"
        )
    last = (positive or DEFAULT_POSITIVE).lower()
    # Of several classes the healthy one comes first, as a reader of a table expects.
    return tuple(sorted(found, key=lambda name: (name == last, name != "normal", name)))


def _positive(names: tuple[str, ...], asked: str | None, path: Path) -> str:
    if asked is None:
        return DEFAULT_POSITIVE if DEFAULT_POSITIVE in names else names[-1]
    if asked.lower() not in names:
        raise UserError(f"{path} has no class '{asked}'; its classes are: {', '.join(names)}")
    return asked.lower()


def _is_film(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in FILM_SUFFIXES and not path.name.startswith(".")


def _some(folder: Path) -> str:
    return ", ".join(sorted(child.name for child in folder.iterdir())[:5]) or "nothing"
