"""Films decoded once: uint8 at network size, kept by content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from ai_for_sudan.datasets.content import content_keys, npz_film
from ai_for_sudan.datasets.manifest import Manifest
from ai_for_sudan.errors import UnreadableFilm, UserError
from ai_for_sudan.files import replacing
from ai_for_sudan.processes import in_parallel
from ai_for_sudan.radiographs import read_radiograph

#: MedMNIST films have 28 a side; what has fewer than this shows nothing
SMALLEST_SIDE = 16
#: raised when decoding changes, so that films are decoded anew
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
            jobs = [(film.file, size) for film in manifest.films]
            shape = {"descr": "|u1", "fortran_order": False, "shape": (len(keys), size, size)}
            # Not through a memory map: on a full disk that ends the process instead of raising an error.
            with temporary.open("wb") as file:
                np.lib.format.write_array_header_1_0(file, shape)
                for answer, job in zip(_spread(_squashed, jobs, "decoding"), jobs, strict=True):
                    if isinstance(answer, str):
                        raise UserError(f"{job[0]}: {answer}")
                    file.write(answer.tobytes())
    return np.load(path, mmap_mode="r")


def unreadable(manifest: Manifest) -> list[tuple[str, str]]:
    """Every film that cannot be decoded, with the reason."""
    files = [film.file for film in manifest.films]
    answers = _checked(tuple(files), tuple(content_keys(manifest)))
    return [(file, reason) for file, (_, reason) in zip(files, answers, strict=True) if reason]


def picture_keys(manifest: Manifest) -> list[str]:
    """SHA-256 of the decoded pixels of each film: films that differ only in their container share it."""
    return [key for key, _ in _checked(tuple(film.file for film in manifest.films), tuple(content_keys(manifest)))]


@lru_cache(maxsize=2)
def _checked(files: tuple[str, ...], keys: tuple[str, ...]) -> list[tuple[str, str]]:
    return list(_spread(_check, [(file,) for file in files], "verifying"))


def decode(file: str) -> np.ndarray:
    """A film of a manifest at its own size, uint8 ``(H, W)``.

    Raises:
        UnreadableFilm: it cannot be decoded, or is too small.
    """
    return large_enough(read_radiograph(npz_film(file) if ".npz#" in file else file).pixels)


def large_enough(pixels: np.ndarray) -> np.ndarray:
    """The film itself, ``(H, W)``.

    Raises:
        UnreadableFilm: it has fewer pixels a side than :data:`SMALLEST_SIDE`.
    """
    height, width = pixels.shape
    if min(height, width) < SMALLEST_SIDE:
        raise UnreadableFilm("too_small", f"the picture has {width} x {height} pixels; at least 16 a side are needed")
    return pixels


def squash(pixels: np.ndarray, size: int) -> np.ndarray:
    """uint8 ``(H, W)`` -> ``(size, size)``, antialiased bilinear, whatever the aspect."""
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR))


def _squashed(job: tuple[str, int]) -> np.ndarray | str:
    try:
        return squash(decode(job[0]), job[1])
    except UnreadableFilm as error:
        return error.reason


def _check(job: tuple[str]) -> tuple[str, str]:
    try:
        pixels = decode(job[0])
    except UnreadableFilm as error:
        return "", error.reason
    return hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest(), ""


def _spread(work: Callable[[Any], Any], jobs: list[Any], label: str) -> Iterator[Any]:
    """``work`` of each job in order, side by side."""
    yield from tqdm(in_parallel(work, jobs), total=len(jobs), desc=label, unit="film", leave=False, disable=None)


def _folder(given: Path | None) -> Path:
    return given or Path(os.environ.get("AI_FOR_SUDAN_CACHE", Path.home() / ".cache" / "ai-for-sudan"))
