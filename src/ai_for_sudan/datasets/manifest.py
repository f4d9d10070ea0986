"""What films there are: from class folders, a CSV or a MedMNIST file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ai_for_sudan.datasets.film import Film, archived
from ai_for_sudan.datasets.rules import label_by_rule, patient_by_rule
from ai_for_sudan.datasets.table import read_table
from ai_for_sudan.errors import InvalidDataset

SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
SPLIT_ORDER = ("train", "val", "test")
DEFAULT_POSITIVE = "pneumonia"
PNEUMONIAMNIST = ("normal", "pneumonia")  # of the numbers 0 and 1
FINDING = {"1": 1.0, "1.0": 1.0, "0": 0.0, "0.0": 0.0, "": None, "nan": None, "-1": None, "-1.0": None}
#: what operating systems write beside films; any other file in a class folder is taken for a film
SYSTEM_FILES = ("thumbs.db", "desktop.ini", "__macosx")


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
    """Class numbers int64 ``(N,)`` (-1: no label), or findings float32 ``(N, C)`` in 0, 1, NaN (no label)."""
    if manifest.task == "exclusive":
        return np.array([-1 if film.label is None else film.label for film in manifest.films], dtype=np.int64)
    table = [[np.nan if value is None else value for value in film.label] for film in manifest.films]  # type: ignore[union-attr]
    return np.array(table, dtype=np.float32)


def patients(manifest: Manifest) -> np.ndarray:
    """Whom each film is of, str ``(N,)``; a film without a patient is its own."""
    return np.array([f"file:{film.file}" if film.patient is None else film.patient for film in manifest.films])


def without_patient(manifest: Manifest) -> int:
    """How many films are of nobody known: each counts as a patient of its own, so intervals are too narrow."""
    return sum(film.patient is None for film in manifest.films)


def sites_of(manifest: Manifest) -> np.ndarray | None:
    """The column ``site`` of each film, str ``(N,)``, or nothing where films of one site only, or of none, are named.

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
    if path.is_dir():
        rows, found = _from_folder(path, unlabelled)
    elif path.suffix.lower() == ".csv":
        if label_columns:
            return _findings(path, list(label_columns), positive, patient_rule)
        rows, found = _from_csv(path, unlabelled)
    elif path.suffix.lower() == ".npz":
        rows, found = _from_npz(path)
    else:
        raise InvalidDataset(f"{path} is not a folder, a .csv or a .npz file")
    if label_rule:
        rows = [replace(row, label=label_by_rule(label_rule, row.file)) for row in rows]
        found = sorted({row.label for row in rows})
    names = _order([name for name in found if name], classes, positive, path)
    number = {name: index for index, name in enumerate(names)}
    films = []
    for row in rows:
        if row.label and row.label not in number:
            raise InvalidDataset(
                f"{path}: the label '{row.label}' of {row.file} is not one of the classes {', '.join(names)}"
            )
        if patient_rule and row.patient is None:
            patient, more = patient_by_rule(patient_rule, row.file)
            row = replace(row, patient=patient, facts={**row.facts, **more})
        films.append(Film(row.file, number[row.label] if row.label else None, row.patient, row.split, row.facts))
    _same_file_once(path, films)
    return Manifest(path, tuple(films), names, "exclusive", _positive(names, positive, path))


@dataclass(frozen=True)
class _Row:
    """A film as its source names it: with the name of its class, or an empty one."""

    file: str
    label: str = ""
    patient: str | None = None
    split: str | None = None
    facts: dict[str, str] = field(default_factory=dict)


def _from_folder(path: Path, unlabelled: bool) -> tuple[list[_Row], list[str]]:
    folders = [child for child in _inside(path) if child.is_dir()]
    if unlabelled and not folders:
        return [_Row(str(file)) for file in _inside(path)], []
    sides = {child: SPLITS[child.name.lower()] for child in folders if child.name.lower() in SPLITS}
    if sides and len(sides) < len(folders):
        others = ", ".join(child.name for child in folders if child not in sides)
        raise InvalidDataset(
            f"{path} contains both split folders ({', '.join(s.name for s in sides)}) and others ({others}); "
            "expected either train/ val/ [test/] or one folder for each class"
        )
    rows: list[_Row] = []
    names: set[str] = set()
    for top, side in sides.items() if sides else [(path, None)]:
        classes = [child for child in _inside(top) if child.is_dir()]
        if not classes:
            raise InvalidDataset(
                f"{top} contains no class folders (found: {_some(top)}); "
                f"expected {top.name}/pneumonia/ and {top.name}/normal/"
            )
        for folder in classes:
            inner = [child.name for child in _inside(folder) if child.is_dir()]
            files = [child for child in _inside(folder) if child.is_file()]
            if inner:
                raise InvalidDataset(
                    f"{folder} contains folders ({', '.join(inner[:5])}) where films are expected; the dataset seems "
                    f"to be nested wrongly: films must lie directly in their class folder; give --data_dir {folder} if "
                    "these are the class folders"
                )
            names.add(folder.name.lower())
            rows += [_Row(str(file), folder.name.lower(), split=side) for file in files]
            if not files:
                raise InvalidDataset(f"the class folder {folder} contains no films; add them or delete it")
    return rows, sorted(names)


def _from_csv(path: Path, unlabelled: bool) -> tuple[list[_Row], list[str]]:
    rows: list[_Row] = []
    for line, entry in _lines(path, ("file",) if unlabelled else ("file", "label")):
        label = entry.get("label", "").lower()
        if not label and not unlabelled:
            raise InvalidDataset(f"{path}, line {line}: no label for {entry['file']}; remove the line or add a label")
        rows.append(_Row(_beside(path, entry["file"]), label, *_known(path, line, entry, ("file", "label"))))
    return rows, sorted({row.label for row in rows})


def _findings(path: Path, columns: list[str], positive: str | None, patient_rule: str | None) -> Manifest:
    films = []
    columns = [column.lower() for column in columns]
    lines = _lines(path, ("file", *columns))
    listed = len(columns) == 1 and any(entry[columns[0]].lower() not in FINDING for _, entry in lines)
    names = tuple(sorted({name for _, entry in lines for name in _listed(entry[columns[0]])}) if listed else columns)
    for line, entry in lines:
        if listed:
            present = _listed(entry[columns[0]])
            values: list[float | None] = [float(name in present) for name in names]
        else:
            for column in columns:
                if entry[column].lower() not in FINDING:
                    raise InvalidDataset(
                        f"{path}, line {line}: {column} is '{entry[column]}'; expected 0, 1 or nothing (no label)"
                    )
            values = [FINDING[entry[column].lower()] for column in columns]
        patient, split, facts = _known(path, line, entry, ("file", "label", *columns))
        file = _beside(path, entry["file"])
        if patient_rule and patient is None:
            patient, _ = patient_by_rule(patient_rule, file)
        films.append(Film(file, tuple(values), patient, split, facts))
    _same_file_once(path, films)
    return Manifest(path, tuple(films), names, "multilabel", _positive(names, positive, path))


def _lines(path: Path, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    rows = read_table(path, needed)
    if without := [number for number, row in rows if not row["file"]]:
        raise InvalidDataset(f"{path}, line {without[0]}: no file is named")
    return rows


def _listed(text: str) -> set[str]:
    return {name.strip().lower() for name in text.split("|")} - {"", "no finding"}


def _same_file_once(path: Path, films: Sequence[Film]) -> None:
    counts = Counter(film.file for film in films)
    if twice := [file for file, count in counts.items() if count > 1]:
        raise InvalidDataset(f"{path} names {len(twice)} films more than once: {', '.join(twice[:10])}")


def _known(
    path: Path, line: int, entry: dict[str, str], used: Sequence[str]
) -> tuple[str | None, str | None, dict[str, str]]:
    """Patient, split and all other columns of a manifest's line."""
    split = entry.get("split", "").lower()
    if split and split not in SPLITS:
        raise InvalidDataset(f"{path}, line {line}: split '{split}' is not train, val or test")
    others = {k: v for k, v in entry.items() if k not in (*used, "patient", "split") and v}
    return entry.get("patient") or None, SPLITS.get(split), others


def _beside(path: Path, file: str) -> str:
    return file if Path(file).is_absolute() else str(path.parent / file)


def _from_npz(path: Path) -> tuple[list[_Row], list[str]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            sides = {side: archive[f"{side}_labels"] for side in SPLIT_ORDER if f"{side}_labels" in archive.files}
            shapes = {side: archive[f"{side}_images"].shape for side in sides}
    except KeyError as error:
        raise InvalidDataset(f"{path}: {error.args[0]}; expected images and labels for each side") from error
    except Exception as error:  # NumPy, zipfile and zlib raise many kinds for a damaged file
        raise InvalidDataset(f"{path} cannot be read as a MedMNIST file: {error}") from error
    if not sides:
        raise InvalidDataset(f"{path} contains no train_labels, val_labels or test_labels; expected a MedMNIST file")
    for side, values in sides.items():
        if values.dtype.kind not in "iu" or values.ndim == 0 or len(shapes[side]) < 3:
            raise InvalidDataset(
                f"{path}: {side} has labels {values.dtype}{list(values.shape)} for images {list(shapes[side])}; "
                "expected class numbers [N] or [N, 1] for images [N, H, W]"
            )
        if len(values) != shapes[side][0]:
            raise InvalidDataset(f"{path} has different numbers of images and labels in {side}")
    flat = {side: values.reshape(len(values), -1) for side, values in sides.items()}
    if any(values.shape[1] != 1 for values in flat.values()):
        raise InvalidDataset(f"{path} has several labels per film; only one class per film is read from .npz files")
    numbers = sorted({int(v) for values in flat.values() for v in values[:, 0]})
    # Only that data set's own file says what its numbers mean: elsewhere 1 may be the healthy class.
    known = numbers == [0, 1] and path.name.lower().startswith("pneumoniamnist")
    names = list(PNEUMONIAMNIST) if known else [str(number) for number in numbers]
    name = dict(zip(numbers, names, strict=True))
    rows = [
        _Row(archived(path, side, index), name[int(value[0])], split=side)
        for side, values in flat.items()
        for index, value in enumerate(values)
    ]
    return rows, names


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


def _inside(folder: Path) -> list[Path]:
    return sorted(c for c in folder.iterdir() if not c.name.startswith(".") and c.name.lower() not in SYSTEM_FILES)


def _some(folder: Path) -> str:
    return ", ".join(sorted(child.name for child in folder.iterdir())[:5]) or "nothing"
