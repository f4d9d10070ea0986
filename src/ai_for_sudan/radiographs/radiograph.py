"""A decoded film, with what its header says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ai_for_sudan.contract import Remark
from ai_for_sudan.errors import UnreadableFilm

#: pixels that are worked on at a time: a quarter of a megabyte of floats
STRIP = 1 << 16


@dataclass(frozen=True)
class Header:
    """What a DICOM header says of the film; ``None`` where it says nothing. ``study_date`` is ``YYYY-MM-DD``."""

    modality: str | None = None
    body_part: str | None = None
    view: str | None = None
    laterality: str | None = None
    sex: str | None = None
    age_years: float | None = None
    photometric: str | None = None
    study_date: str | None = None
    institution: str | None = None


class RefusedByHeader(UnreadableFilm):
    """A DICOM file whose header rules out a frontal chest film, and whose pixels could not be decoded either."""

    def __init__(self, refusals: tuple[Remark, ...]) -> None:
        super().__init__(*refusals[0])
        self.refusals = refusals

    def __reduce__(self) -> tuple[type[RefusedByHeader], tuple[tuple[Remark, ...]]]:  # type: ignore[override]
        return type(self), (self.refusals,)


@dataclass(frozen=True)
class Radiograph:
    """One film as a person sees it.

    Attributes:
        pixels: uint8 ``(H, W)``, bone white.
        header: the facts of a DICOM header; ``None`` for other files.
        refusals: ``(code, reason)`` for which the header alone rules out a frontal chest film.
        warnings: ``(code, text)`` that belong on the reading.
    """

    pixels: np.ndarray
    header: Header | None = None
    refusals: tuple[Remark, ...] = ()
    warnings: tuple[Remark, ...] = field(default=())


@dataclass(frozen=True)
class FullRange:
    """All that a film's file holds, before any window.

    Attributes:
        values: uint16 ``(H, W)``, bone white, from 0, in steps of the stored values; very large films are reduced.
        window: the largest value that :attr:`Radiograph.pixels` shows black, and the smallest that it shows white.
    """

    values: np.ndarray
    window: tuple[int, int]


def grey_of(values: np.ndarray) -> np.ndarray:
    """Any picture array -> uint8 ``(H, W)``."""
    colour = values.ndim == 3 and values.shape[2] in (3, 4)
    if not colour and values.ndim != 2:
        raise UnreadableFilm("shape", f"an array of shape {values.shape} is not a film; expected (H, W) or (H, W, 3)")
    if values.size == 0:
        raise UnreadableFilm("shape", "the picture has no pixels")
    if values.dtype == bool:
        values = values.astype(np.uint8) * 255
    if values.dtype.kind == "f":
        low, high = float(values.min()), float(values.max())
        if not np.isfinite([low, high]).all():
            raise UnreadableFilm("not_finite", "the film contains values that are not numbers (NaN or infinite)")
        if low < 0 or high > 1:
            raise UnreadableFilm("range", f"float pixels must lie in 0..1, not in {low:g}..{high:g}")
        scale = 255.0
    elif values.dtype in (np.uint8, np.uint16):
        scale = 1.0 if values.dtype == np.uint8 else 1 / 257
    else:
        raise UnreadableFilm(
            "type", f"pixels of type {values.dtype} are not supported; expected uint8, uint16 or float"
        )
    if values.dtype == np.uint8 and not colour:
        return np.ascontiguousarray(values)
    grey = np.empty(values.shape[:2], dtype=np.uint8)
    for rows in strips(values.shape[0], values.shape[1]):
        strip = luma(values[rows]) if colour else values[rows].astype(np.float32)
        grey[rows] = (strip * np.float32(scale) + np.float32(0.5)).clip(0, 255)
    return grey


def luma(colour: np.ndarray) -> np.ndarray:
    """ITU-R BT.601 luma, as Pillow and browsers turn colour to grey: ``(H, W, 3 or 4)`` -> float32 ``(H, W)``."""
    weights = np.array([0.299, 0.587, 0.114], dtype=np.float32)
    grey: np.ndarray = colour[..., :3].astype(np.float32) @ weights
    return grey


def strips(height: int, width: int) -> Iterator[slice]:
    """Rows, as many as stay in a core's cache: a large film must not need its size again in floats."""
    step = max(1, STRIP // max(1, width))
    for top in range(0, height, step):
        yield slice(top, top + step)
