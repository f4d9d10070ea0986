"""Films with lung masks drawn by people."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from ai_for_sudan.datasets.cache import squash
from ai_for_sudan.datasets.rules import patient_by_rule
from ai_for_sudan.errors import UnreadableFilm, UserError
from ai_for_sudan.radiographs import read_radiograph

#: a mask may differ from its film in aspect by so much: rounding, not another film
_ASPECT = 0.02


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
        UserError: names every film or mask that is missing, cannot be read, is empty, or has another shape than its
            film.
    """
    try:
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise UserError(f"{table}: {error.strerror}; expected a CSV with the columns film and mask") from error
    column = "film" if rows and "film" in rows[0] else "file"
    if not rows or column not in rows[0] or "mask" not in rows[0]:
        raise UserError(f"{table}: expected a CSV with the columns film and mask")
    problems: list[str] = []
    pixels, drawn, patient_ids = [], [], []
    for row in tqdm(rows, desc=table.parent.name, unit="film", leave=False, disable=None):
        try:
            film = read_radiograph(films / row[column]).pixels
            mask = _mask(masks / row["mask"], film.shape)
        except (UnreadableFilm, ValueError) as error:
            problems.append(f"{row[column]}: {error}")
            continue
        pixels.append(squash(film, size))
        drawn.append((squash(mask, size) > 127).astype(np.uint8) * 255)
        patient_ids.append(patient_by_rule(patient_rule, row[column])[0] if patient_rule else row[column])
    if problems:
        raise UserError(
            f"{table}: {len(problems)} of {len(rows)} films or masks cannot be used; mend or leave out their lines: "
            + "; ".join(problems[:5])
            + ("; ..." if len(problems) > 5 else "")
        )
    return MaskedFilms(np.stack(pixels), np.stack(drawn), np.array(patient_ids))


def _mask(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """uint8 ``(h, w)``, 255 where lung is; raises ``ValueError`` with the reason."""
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
    mask = (mask > (0 if mask.max() == 1 else 127)).astype(np.uint8) * 255
    if not mask.any():
        raise ValueError(f"the mask {path} is empty: no lung is marked in it")
    return mask
