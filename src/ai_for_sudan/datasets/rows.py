"""The films that a folder, a CSV or a MedMNIST file names, with the names of their classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ai_for_sudan.datasets.film import archived
from ai_for_sudan.datasets.table import read_table
from ai_for_sudan.errors import InvalidDataset

_SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_SIDES = ("train", "val", "test")
_PNEUMONIAMNIST = ("normal", "pneumonia")  # of the numbers 0 and 1
_FINDING = {"1": 1.0, "1.0": 1.0, "0": 0.0, "0.0": 0.0, "": None, "nan": None, "-1": None, "-1.0": None}
#: what operating systems write beside films; any other file in a class folder is taken for a film
_SYSTEM_FILES = ("thumbs.db", "desktop.ini", "__macosx")


@dataclass(frozen=True)
class Row:
    """A film as its source names it.

    Attributes:
        label: the name of its class, or an empty one; of a table of findings 1, 0 or None (no label) for each.
        patient, split, facts: as of :class:`ai_for_sudan.datasets.Film`.
    """

    file: str
    label: str | tuple[float | None, ...] = ""
    patient: str | None = None
    split: str | None = None
    facts: dict[str, str] = field(default_factory=dict)


def rows_of_folder(path: Path, unlabelled: bool) -> tuple[list[Row], list[str]]:
    """Return the films of ``[train|val|test]/CLASS/film``, and the names of the classes."""
    folders = [child for child in _inside(path) if child.is_dir()]
    if unlabelled and not folders:
        return [Row(str(file)) for file in _inside(path)], []
    sides = {child: _SPLITS[child.name.lower()] for child in folders if child.name.lower() in _SPLITS}
    if sides and len(sides) < len(folders):
        others = ", ".join(child.name for child in folders if child not in sides)
        raise InvalidDataset(
            f"{path} contains both split folders ({', '.join(s.name for s in sides)}) and others ({others}); "
            "expected either train/ val/ [test/] or one folder for each class"
        )
    rows: list[Row] = []
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
            rows += [Row(str(file), folder.name.lower(), split=side) for file in files]
            if not files:
                raise InvalidDataset(f"the class folder {folder} contains no films; add them or delete it")
    return rows, sorted(names)


def rows_of_csv(path: Path, unlabelled: bool) -> tuple[list[Row], list[str]]:
    """Return the films of a CSV with the columns ``file`` and ``label``, and the names of the classes."""
    rows: list[Row] = []
    for line, entry in _lines(path, () if unlabelled else ("label",)):
        label = entry.get("label", "").lower()
        if not label and not unlabelled:
            raise InvalidDataset(f"{path}, line {line}: no label for {entry['file']}; remove the line or add a label")
        rows.append(_row(path, line, entry, label))
    return rows, sorted({str(row.label) for row in rows})


def rows_of_findings(path: Path, columns: Sequence[str]) -> tuple[list[Row], list[str]]:
    """Return the films of a CSV with a column for each finding, or one that lists them, and the findings' names."""
    columns = [column.lower() for column in columns]
    lines = _lines(path, columns)
    if len(columns) == 1 and any(entry[columns[0]].lower() not in _FINDING for _, entry in lines):
        listed = [_listed(entry[columns[0]]) for _, entry in lines]
        names = sorted(set().union(*listed))
        values = [tuple(float(name in present) for name in names) for present in listed]
        return [_row(path, *line, value, columns) for line, value in zip(lines, values, strict=True)], names
    rows = []
    for line, entry in lines:
        for column in columns:
            if entry[column].lower() not in _FINDING:
                raise InvalidDataset(
                    f"{path}, line {line}: {column} is '{entry[column]}'; expected 0, 1 or nothing (no label)"
                )
        rows.append(_row(path, line, entry, tuple(_FINDING[entry[column].lower()] for column in columns), columns))
    return rows, columns


def _lines(path: Path, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    rows = read_table(path, ("file", *needed))
    if without := [number for number, row in rows if not row["file"]]:
        raise InvalidDataset(f"{path}, line {without[0]}: no file is named")
    return rows


def _row(
    path: Path,
    line: int,
    entry: dict[str, str],
    label: str | tuple[float | None, ...],
    findings: Sequence[str] = (),
) -> Row:
    split = entry.get("split", "").lower()
    if split and split not in _SPLITS:
        raise InvalidDataset(f"{path}, line {line}: split '{split}' is not train, val or test")
    used = ("file", "label", "patient", "split", *findings)
    facts = {name: value for name, value in entry.items() if name not in used and value}
    file = entry["file"] if Path(entry["file"]).is_absolute() else str(path.parent / entry["file"])
    return Row(file, label, entry.get("patient") or None, _SPLITS.get(split), facts)


def _listed(text: str) -> set[str]:
    return {name.strip().lower() for name in text.split("|")} - {"", "no finding"}


def rows_of_npz(path: Path) -> tuple[list[Row], list[str]]:
    """Return the films of a MedMNIST file, and the names of the classes."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            sides = {
                side: archive[f"{side}_labels"]
                for side in ("train", "val", "test")
                if f"{side}_labels" in archive.files
            }
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
    names = list(_PNEUMONIAMNIST) if known else [str(number) for number in numbers]
    name = dict(zip(numbers, names, strict=True))
    rows = [
        Row(archived(path, side, index), name[int(value[0])], split=side)
        for side, values in flat.items()
        for index, value in enumerate(values)
    ]
    return rows, names


def _inside(folder: Path) -> list[Path]:
    return sorted(c for c in folder.iterdir() if not c.name.startswith(".") and c.name.lower() not in _SYSTEM_FILES)


def _some(folder: Path) -> str:
    return ", ".join(sorted(child.name for child in folder.iterdir())[:5]) or "nothing"
