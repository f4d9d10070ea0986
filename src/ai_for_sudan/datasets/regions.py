"""Where the lungs or the findings are, as people drew them: mask pictures or boxes in pixels of the film."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ai_for_sudan.errors import UserError

BOX_COLUMNS = ("file", "x", "y", "width", "height")


def load_masks(folder: Path, files: Sequence[str], shapes: Sequence[tuple[int, int]], size: int) -> list[np.ndarray]:
    """Masks ``[class/]<stem of the film>.png`` (anything but black is inside), at ``size`` a side.

    Args:
        files: the films.
        shapes: their own ``(H, W)``: a mask must have the same.

    Returns:
        for each film bool ``(size, size)``, or an empty array ``(0, 0)`` for a film without a mask.

    Raises:
        UserError: no folder, no mask for any film, a file that is no picture, one of another shape than its film, or
            an empty mask.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; expected one PNG for each film, named like the film")
    found = []
    for file, shape in zip(files, shapes, strict=True):
        path = _mask_of(folder, Path(file))
        if not path.is_file():
            found.append(np.zeros((0, 0), bool))
            continue
        try:
            with Image.open(path) as picture:
                mask = np.array(picture.convert("L")) > 0
        except OSError as error:
            raise UserError(f"{path} is not a readable picture") from error
        if mask.shape != tuple(shape):
            raise UserError(
                f"{path} is {mask.shape[1]}x{mask.shape[0]}, but its film is {shape[1]}x{shape[0]}; "
                "a mask has the size of its film"
            )
        if not mask.any():
            raise UserError(f"{path} is entirely black: it marks nothing")
        found.append(_at(mask, size))
    if not any(mask.size for mask in found):
        raise UserError(
            f"{folder} has no mask for any of the {len(files)} films; expected e.g. {Path(files[0]).stem}.png"
        )
    return found


def _mask_of(folder: Path, film: Path) -> Path:
    """In the folder itself, or in a folder of the film's class inside it."""
    in_class = folder / film.parent.name / f"{film.stem}.png"
    return in_class if in_class.is_file() else folder / f"{film.stem}.png"


def load_boxes(path: Path, files: Sequence[str], shapes: Sequence[tuple[int, int]], size: int) -> list[np.ndarray]:
    """Boxes of a CSV ``file,x,y,width,height`` (pixels of the film, from its upper left corner), drawn as masks.

    A film may have several boxes. Returns and ``files`` as :func:`load_masks`; a row's file is a film's path or its
    name.

    Raises:
        UserError: no such file, a missing column, a value that is no number, a box that lies outside its film, or no
            box for any film.
    """
    if not path.is_file():
        raise UserError(f"there are no boxes at {path}")
    with path.open(newline="", encoding="utf-8-sig") as opened:
        table = csv.DictReader(opened)
        missing = [name for name in BOX_COLUMNS if name not in (table.fieldnames or ())]
        if missing:
            raise UserError(f"{path} has no column {', '.join(missing)}; expected {','.join(BOX_COLUMNS)}")
        rows = list(enumerate(table, start=2))
    numbers = {name: i for i, file in enumerate(files) for name in (file, Path(file).name)}
    drawn = [np.zeros(shape, bool) for shape in shapes]
    for line, row in rows:
        index = numbers.get(row["file"])
        if index is None:
            continue  # the box of a film that is not among those asked for
        try:
            x, y, width, height = (float(row[name]) for name in BOX_COLUMNS[1:])
        except (TypeError, ValueError) as error:
            raise UserError(f"{path}, line {line}: x, y, width and height must be numbers") from error
        tall, wide = shapes[index]
        if not (width > 0 and height > 0 and x >= 0 and y >= 0 and x + width <= wide + 1 and y + height <= tall + 1):
            raise UserError(
                f"{path}, line {line}: the box {x:g},{y:g} {width:g}x{height:g} lies outside its film ({wide}x{tall})"
            )
        drawn[index][round(y) : round(y + height), round(x) : round(x + width)] = True
    if not any(mask.any() for mask in drawn):
        raise UserError(f"{path} has no box for any of the {len(files)} films")
    return [_at(mask, size) if mask.any() else np.zeros((0, 0), bool) for mask in drawn]


def _at(mask: np.ndarray, size: int) -> np.ndarray:
    return np.array(Image.fromarray(mask).resize((size, size), Image.Resampling.NEAREST))
