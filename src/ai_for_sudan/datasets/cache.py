"""Films decoded once: uint8 at network size, kept by content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image
from tqdm import tqdm

from ai_for_sudan.datasets.content import content_keys
from ai_for_sudan.datasets.film import Film
from ai_for_sudan.datasets.manifest import Manifest
from ai_for_sudan.errors import UnreadableFilm, UserError
from ai_for_sudan.files import replacing
from ai_for_sudan.processes import in_parallel

Item = TypeVar("Item")
#: raised when decoding changes, so that films are decoded again
DECODER = 1


def load_pixels(manifest: Manifest, *, size: int = 224, cache_dir: Path | None = None) -> np.ndarray:
    """Every film of the manifest, squashed to ``size`` a side as the reader file does (antialiased, bilinear).

    Decoded films are kept in one file for each set of contents, replaced in one step: an interrupted run leaves
    nothing half-written, and two runs at once write the same file.

    Args:
        cache_dir: where; ``AI_FOR_SUDAN_CACHE`` or ``~/.cache/ai-for-sudan`` if not given.

    Returns:
        uint8 ``(N, size, size)``, a read-only memory map in the order of the manifest.

    Raises:
        UserError: a film cannot be read (:func:`ai_for_sudan.datasets.verify` names them all).
    """
    keys = content_keys(manifest)
    name = hashlib.sha256("\n".join([str(DECODER), str(size), *keys]).encode()).hexdigest()[:24]
    path = _folder(cache_dir) / f"films-{name}.npy"
    if not path.exists():
        with replacing(path) as temporary:
            shape = {"descr": "|u1", "fortran_order": False, "shape": (len(keys), size, size)}
            # Not through a memory map: on a full disk that ends the process instead of raising an error.
            with temporary.open("wb") as file:
                np.lib.format.write_array_header_1_0(file, shape)
                films = in_parallel(lambda film: _squashed(film, size), manifest.films)
                for pixels in _with_progress(films, len(keys), "decoding"):
                    file.write(pixels.tobytes())
    return np.load(path, mmap_mode="r")


def _squashed(film: Film, size: int) -> np.ndarray:
    try:
        return squash(film.pixels(), size)
    except UnreadableFilm as error:
        raise UserError(f"{film.file}: {error.reason}") from error


def unreadable(manifest: Manifest) -> list[tuple[str, str]]:
    """Every film that cannot be decoded, with the reason."""
    found = _checked(manifest.films, tuple(content_keys(manifest)))
    return [(film.file, reason) for film, (_, reason) in zip(manifest.films, found, strict=True) if reason]


def picture_keys(manifest: Manifest) -> list[str]:
    """SHA-256 of the decoded pixels of each film: films that differ only in their container share it."""
    return [key for key, _ in _checked(manifest.films, tuple(content_keys(manifest)))]


@lru_cache(maxsize=2)
def _checked(films: tuple[Film, ...], keys: tuple[str, ...]) -> list[tuple[str, str]]:
    return list(_with_progress(in_parallel(_check, films), len(films), "verifying"))


def _check(film: Film) -> tuple[str, str]:
    try:
        pixels = film.pixels()
    except UnreadableFilm as error:
        return "", error.reason
    return hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest(), ""


def squash(pixels: np.ndarray, size: int) -> np.ndarray:
    """uint8 ``(H, W)`` -> ``(size, size)``, antialiased bilinear, whatever the aspect."""
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR))


def _with_progress(items: Iterator[Item], count: int, label: str) -> Iterator[Item]:
    yield from tqdm(items, total=count, desc=label, unit="film", leave=False, disable=None)


def _folder(given: Path | None) -> Path:
    return given or Path(os.environ.get("AI_FOR_SUDAN_CACHE", Path.home() / ".cache" / "ai-for-sudan"))
