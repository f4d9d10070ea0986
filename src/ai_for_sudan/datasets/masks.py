"""Lungs that people drew: a finder is fitted to them, and a network may be trained through them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from tqdm import tqdm

from ai_for_sudan.datasets.cache import squash
from ai_for_sudan.datasets.film import Film
from ai_for_sudan.datasets.named import masks_in, named_like
from ai_for_sudan.datasets.regions import read_mask
from ai_for_sudan.datasets.rules import patient_by_rule
from ai_for_sudan.datasets.table import read_table
from ai_for_sudan.errors import InvalidDataset, UnreadableFilm
from ai_for_sudan.processes import in_parallel
from ai_for_sudan.radiographs import read_radiograph

#: share of a film that lungs fill at least: less is a stray spot
_LEAST = 0.02
#: share of a film's edge that is lung at most: more is a mask whose lungs are black
_EDGE = 0.6


@dataclass(frozen=True)
class MaskedFilms:
    """Squashed films with masks.

    Attributes:
        pixels: uint8 ``(N, S, S)``.
        masks: uint8 ``(N, S, S)``: 255 is lung.
        patient_ids: ``(N,)``.
    """

    pixels: np.ndarray
    masks: np.ndarray
    patient_ids: np.ndarray


def load_masked(table: Path, films: Path, masks: Path, size: int, patient_rule: str | None = None) -> MaskedFilms:
    """Read the films and masks of a CSV with the columns ``film`` (or ``file``) and ``mask``.

    Args:
        films, masks: folders that the paths of the table start from.
        patient_rule: see :func:`ai_for_sudan.datasets.load_manifest`; without one each film is a patient of its own.

    Raises:
        InvalidDataset: names every film or mask that is missing, cannot be read, marks next to nothing or the film's
            edge, or has another shape than it.
    """
    rows = _rows(table)
    problems: list[str] = []
    pixels, drawn, patient_ids = [], [], []
    for file, mask_file in tqdm(rows, desc=table.parent.name, unit="film", leave=False, disable=None):
        try:
            film = read_radiograph(films / file).pixels
            mask = _mask(masks / mask_file, film.shape, size)
        except (UnreadableFilm, ValueError) as error:
            problems.append(f"{file}: {error}")
            continue
        pixels.append(squash(film, size))
        drawn.append(mask)
        patient_ids.append(patient_by_rule(patient_rule, file)[0] if patient_rule else file)
    _refuse(problems, table, len(rows))
    return MaskedFilms(np.stack(pixels), np.stack(drawn), np.array(patient_ids))


def load_lungs(films: Sequence[Film], source: Path, size: int) -> np.ndarray:
    """The lungs of every film, uint8 ``(N, size, size)`` in the frame of the squashed film, 255 where lung is.

    Args:
        source: a folder with one PNG a film, named like it (``PNEUMONIA/p1.png``, or ``p1.png``, for
            ``PNEUMONIA/p1.jpeg``), or a CSV with the columns ``film`` (or ``file``) and ``mask``, whose paths start
            from its own folder. White is lung.

    Raises:
        InvalidDataset: names every film whose mask is missing, cannot be read, has another shape than the film, marks
            next to nothing or the film's edge all round, or belongs to another film as well.
    """
    masks = _by_name(source)
    found = [named_like(film.file, masks) for film in films]
    uses = Counter(path for path in found if path is not None)

    def one(pair: tuple[Film, Path | None]) -> np.ndarray | str:
        film, path = pair
        if path is None:
            return f"{film.file}: it has no mask"
        if uses[path] > 1:
            return (
                f"{film.file}: the mask {path} would belong to {uses[path]} films; "
                "put masks in the same folders as the films"
            )
        try:
            return _mask(path, film.pixels().shape, size)
        except (UnreadableFilm, ValueError) as error:
            return f"{film.file}: {error}"

    pairs = list(zip(films, found, strict=True))
    read = list(tqdm(in_parallel(one, pairs), total=len(pairs), desc="masks", unit="film", leave=False, disable=None))
    _refuse([each for each in read if isinstance(each, str)], source, len(films))
    return np.stack([each for each in read if not isinstance(each, str)])


def _by_name(source: Path) -> dict[str, Path]:
    """Name of a film, with the folders that are told -> its mask."""
    if source.is_dir():
        return masks_in(source)
    return {PurePath(file).as_posix(): source.parent / mask for file, mask in _rows(source)}


def _rows(table: Path) -> list[tuple[str, str]]:
    """The films of a table and their masks, as it names them."""
    rows = [row for _, row in read_table(table, ("mask",))]
    column = next((name for name in ("film", "file") if name in rows[0]), None)
    if column is None:
        raise InvalidDataset(f"{table}: expected a CSV with the columns film and mask")
    return [(row[column], row["mask"]) for row in rows]


def _refuse(problems: list[str], source: Path, count: int) -> None:
    if problems:
        title = (
            f"{source}: {len(problems)} of {count} films or masks cannot be used; correct them or leave the films out:"
        )
        raise InvalidDataset("\n  ".join([title, *problems]))


def _mask(path: Path, shape: tuple[int, ...], size: int) -> np.ndarray:
    """uint8 ``(size, size)``, 255 where lung is; raises ``ValueError`` with the reason."""
    mask = read_mask(path, shape)
    mask = (mask > (0 if mask.max() == 1 else 127)).astype(np.uint8) * 255
    if (share := float((mask > 0).mean())) < _LEAST:
        raise ValueError(f"the mask {path} marks {share:.1%} of the film, which is too little for lungs")
    if (np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]) > 0).mean() > _EDGE:
        raise ValueError(
            f"the mask {path} marks the whole edge of the film; lung must be white and everything else black"
        )
    return (squash(mask, size) > 127).astype(np.uint8) * 255
