"""Where the lungs or the findings are, as people drew them: mask pictures, or boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ai_for_sudan.datasets.film import Film
from ai_for_sudan.datasets.named import masks_in, named_like
from ai_for_sudan.datasets.table import read_table
from ai_for_sudan.errors import InvalidDataset, UserError

#: a mask may differ from its film in aspect by so much: rounding, not another film
_ASPECT = 0.02
#: a box may miss the edge of its film by so much of it, as its numbers are rounded
_ROUNDED = 0.01
#: columns of a table of boxes in pixels
_PIXELS = ("x", "y", "width", "height")
#: the region of a film of which none was drawn
_NONE = np.zeros((0, 0), bool)


def read_mask(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """A mask as it was drawn, in grey uint8 ``(H, W)``.

    Args:
        shape: of its film ``(H, W)``; the mask has the same aspect, and may be larger or smaller.

    Raises:
        ValueError: with the reason: it is missing, no picture, of another aspect or black all over.
    """
    if not path.is_file():
        raise ValueError(f"there is no mask {path}")
    try:
        with Image.open(path) as opened:
            mask = np.asarray(opened.convert("L"))
    except OSError as error:
        raise ValueError(f"the mask {path} cannot be read ({error})") from error
    if abs(np.log(mask.shape[1] / mask.shape[0] * shape[0] / shape[1])) > _ASPECT:
        raise ValueError(
            f"the mask {path} has {mask.shape[1]} x {mask.shape[0]} pixels, its film {shape[1]} x {shape[0]}"
        )
    if not mask.any():
        raise ValueError(f"the mask {path} is empty: it marks nothing")
    return mask


def load_masks(folder: Path, films: Sequence[Film], size: int) -> list[np.ndarray]:
    """Masks in a folder, named like the films (anything but black is inside), at ``size`` a side.

    Returns:
        for each film bool ``(size, size)``, or an empty array ``(0, 0)`` for a film without a mask.

    Raises:
        InvalidDataset: no folder, no mask for any film, or a mask that cannot be used (:func:`read_mask`).
    """
    if not folder.is_dir():
        raise InvalidDataset(f"there is no folder {folder}; expected one PNG for each film, named like the film")
    masks, found = masks_in(folder), []
    for film in films:
        path = named_like(film.file, masks)
        try:
            mask = None if path is None else read_mask(path, film.pixels().shape) > 0
        except ValueError as error:
            raise InvalidDataset(str(error)) from error
        found.append(
            _NONE if mask is None else np.array(Image.fromarray(mask).resize((size, size), Image.Resampling.NEAREST))
        )
    if not any(mask.size for mask in found):
        raise InvalidDataset(
            f"{folder} has no mask for any of the {len(films)} films; expected e.g. {Path(films[0].file).stem}.png"
        )
    return found


def load_boxes(films: Sequence[Film], size: int, table: Path | None = None) -> list[np.ndarray]:
    """The boxes of each film, drawn as a region bool ``(size, size)``; ``(0, 0)`` for a film without any.

    Args:
        table: a CSV ``file,boxes`` (see :func:`parse_boxes`), or ``file,x,y,width,height`` in pixels from the film's
            upper left corner with a row a box; a row's file is a film's path or the end of it. If not given, the
            column ``boxes`` of the films themselves.

    Raises:
        InvalidDataset: names the film whose boxes are invalid; or a table without a box for any film.
    """
    boxes = (
        [_of_film(film, film.facts.get("boxes", "")) for film in films] if table is None else _of_table(films, table)
    )
    return [draw_boxes(each, size) if len(each) else _NONE for each in boxes]


def parse_boxes(text: str) -> np.ndarray:
    """``x y w h;x y w h`` in shares of the film's width and height -> float64 ``(K, 4)``.

    Raises:
        InvalidDataset: no numbers, not four of them, or a box outside of the film.
    """
    try:
        boxes = [[float(number) for number in box.split()] for box in text.split(";") if box.strip()]
    except ValueError as error:
        raise InvalidDataset(
            f"boxes '{text[:60]}' contain something that is not a number; expected x y w h;x y w h"
        ) from error
    if any(len(box) != 4 for box in boxes):
        raise InvalidDataset(f"boxes '{text[:60]}': a box has four numbers, x y w h, in shares of the film")
    found = np.array(boxes, np.float64).reshape(-1, 4)
    if not _inside(found).all():
        raise InvalidDataset(f"boxes '{text[:60]}': a box lies outside the film; x y w h are shares of it, 0 to 1")
    return found


def draw_boxes(boxes: np.ndarray, size: int) -> np.ndarray:
    """Boxes ``(K, 4)`` as a region bool ``(size, size)``: places whose centre lies in a box."""
    centres = (np.arange(size) + 0.5) / size
    region = np.zeros((size, size), bool)
    for x, y, width, height in boxes:
        rows, columns = (centres >= y) & (centres < y + height), (centres >= x) & (centres < x + width)
        region |= rows[:, None] & columns[None]
    return region


def _of_film(film: Film, text: str) -> np.ndarray:
    try:
        return parse_boxes(text)
    except UserError as error:
        raise InvalidDataset(f"{film.file}: {error}") from error


def _of_table(films: Sequence[Film], table: Path) -> list[np.ndarray]:
    lines = read_table(table, ("file",))
    as_text = "boxes" in lines[0][1]
    if not as_text:
        lines = read_table(table, ("file", *_PIXELS))
    rows: dict[str, list[tuple[int, dict[str, str]]]] = {}
    for line, row in lines:
        rows.setdefault(row["file"], []).append((line, row))
    found = []
    for film in films:
        own = named_like(film.file, rows) or []
        if as_text:
            found.append(_of_film(film, ";".join(row["boxes"] for _, row in own)))
        else:
            found.append(np.array(_in_shares(film, table, own), np.float64).reshape(-1, 4))
    if not any(len(boxes) for boxes in found):
        raise InvalidDataset(f"{table} has no box for any of the {len(films)} films")
    return found


def _in_shares(film: Film, table: Path, rows: list[tuple[int, dict[str, str]]]) -> list[np.ndarray]:
    if not rows:
        return []
    tall, wide = film.pixels().shape
    found = []
    for line, row in rows:
        try:
            box = np.array([float(row[name]) for name in _PIXELS])
        except ValueError as error:
            raise InvalidDataset(f"{table}, line {line}: x, y, width and height must be numbers") from error
        found.append(box / (wide, tall, wide, tall))
        if not _inside(found[-1]).all():
            x, y, width, height = box
            raise InvalidDataset(
                f"{table}, line {line}: the box {x:g},{y:g} {width:g}x{height:g} lies outside its film ({wide}x{tall})"
            )
    return found


def _inside(boxes: np.ndarray) -> np.ndarray:
    """Does each box ``(..., 4)`` in shares of a film lie in it?"""
    start, extent = boxes[..., :2], boxes[..., 2:]
    return ((start >= -_ROUNDED) & (extent > 0) & (start + extent <= 1 + _ROUNDED)).all(-1)
