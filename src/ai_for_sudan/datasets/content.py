"""Films by their content, whatever they are called."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from ai_for_sudan.datasets.manifest import Manifest


@lru_cache(maxsize=4)
def _keys(files: tuple[str, ...], stamps: tuple[int, ...]) -> list[str]:
    return [hashlib.sha256(content(file)).hexdigest() for file in files]


def content_keys(manifest: Manifest) -> list[str]:
    """SHA-256 of the bytes of each film; of a missing or unreadable one, of its name."""
    files = tuple(film.file for film in manifest.films)
    return _keys(files, tuple(_stamp(file.partition("#")[0] if ".npz#" in file else file) for file in files))


def content(file: str) -> bytes:
    """The bytes of a film's file, or the pixels of ``file.npz#side/number``."""
    if ".npz#" in file:
        return npz_film(file).tobytes()
    try:
        return Path(file).read_bytes()
    except OSError:
        return file.encode()


def npz_film(file: str) -> np.ndarray:
    """``file.npz#side/number`` -> the picture's array."""
    path, _, place = file.partition("#")
    side, _, index = place.partition("/")
    return _npz_side(path, side, _stamp(path))[int(index)]


def _stamp(path: str) -> int:
    """When a file was last written, so that what is remembered of it ends with it; 0 if it is not there."""
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=3)
def _npz_side(path: str, side: str, stamp: int) -> np.ndarray:
    with np.load(path, allow_pickle=False) as archive:
        return archive[f"{side}_images"]
