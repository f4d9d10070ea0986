"""One film of a dataset: what is known of it, and how it is opened."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs import content_hash, one_line, read_radiograph

#: MedMNIST films have 28 a side; what has fewer than this shows nothing
SMALLEST_SIDE = 16
_INSIDE = ".npz#"


@dataclass(frozen=True)
class Film:
    """One film of a dataset.

    Attributes:
        file: its path, or ``file.npz#side/number`` of a film inside a MedMNIST file.
        label: class number; for findings a tuple of 0, 1 and ``None`` (no label); ``None`` for a film without a
            label, in a manifest that allows them.
        patient: who it is of, where that is known.
        split: ``train``, ``val``, ``test``, or ``None`` where the data does not say.
        facts: other columns of a manifest (sex, age, view, site ...), and ``finding`` of a rule.
    """

    file: str
    label: int | tuple[float | None, ...] | None
    patient: str | None = None
    split: str | None = None
    facts: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def path(self) -> Path:
        """The file that it lies in."""
        return Path(self.file.partition("#")[0] if _INSIDE in self.file else self.file)

    @property
    def source(self) -> str | np.ndarray:
        """What a reader or :func:`ai_for_sudan.radiographs.read_radiograph` opens: a path, or the pixels themselves.

        Raises:
            UnreadableFilm: the MedMNIST file that holds it cannot be read.
        """
        if _INSIDE not in self.file:
            return self.file
        side, _, number = self.file.partition("#")[2].partition("/")
        try:
            if not self.path.is_file():
                raise FileNotFoundError("there is no such file")
            pixels: np.ndarray = _side(self.path, side, self.stamp)[int(number)]
        except Exception as error:  # NumPy, zipfile and zlib raise many kinds for a damaged file
            raise UnreadableFilm(
                "damaged", f"{self.path} contains no film {side}/{number}: {one_line(error)}"
            ) from error
        return pixels

    @property
    def stamp(self) -> int:
        """When its file was last written, so that what is remembered of it ends with it; 0 if it is not there."""
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return 0

    def pixels(self) -> np.ndarray:
        """Decoded, at its own size, uint8 ``(H, W)``.

        Raises:
            UnreadableFilm: it cannot be decoded, or is too small.
        """
        return large_enough(read_radiograph(self.source).pixels)

    def content_key(self) -> str:
        """SHA-256 of its bytes; of a missing or unreadable one, of its name."""
        try:
            source = self.source
            return content_hash(source) if isinstance(source, str) else hashlib.sha256(source.tobytes()).hexdigest()
        except UnreadableFilm:
            return hashlib.sha256(self.file.encode("utf-8", "surrogatepass")).hexdigest()


def archived(archive: Path, side: str, number: int) -> str:
    """How a film inside a MedMNIST file is named."""
    return f"{archive}#{side}/{number}"


def large_enough(pixels: np.ndarray) -> np.ndarray:
    """The film itself, ``(H, W)``.

    Raises:
        UnreadableFilm: it has fewer pixels a side than :data:`SMALLEST_SIDE`.
    """
    height, width = pixels.shape
    if min(height, width) < SMALLEST_SIDE:
        raise UnreadableFilm("too_small", f"the picture has {width} x {height} pixels; at least 16 per side are needed")
    return pixels


@lru_cache(maxsize=3)
def _side(path: Path, side: str, stamp: int) -> np.ndarray:
    with np.load(path, allow_pickle=False) as archive:
        pixels: np.ndarray = archive[f"{side}_images"]
    return pixels
