"""Films decoded once: uint8 at network size, kept by content."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image
from tqdm import tqdm

from ai_for_sudan.datasets.content import content_keys
from ai_for_sudan.datasets.film import Film
from ai_for_sudan.datasets.manifest import Manifest
from ai_for_sudan.datasets.picked import Picked, Pixels
from ai_for_sudan.errors import InvalidDataset, UnreadableFilm, UserError
from ai_for_sudan.files import replacing
from ai_for_sudan.processes import in_parallel

Item = TypeVar("Item")
#: raised when decoding changes, so that films are decoded again
DECODER = 2
#: of what is wrong, at most so many are named
SHOWN = 10


@dataclass(frozen=True)
class Decoded:
    """The films of a manifest, decoded once.

    Attributes:
        manifest: of the films that can be decoded.
        pixels: uint8 ``(N, size, size)``, read-only, in the order of the manifest.
        pictures: SHA-256 of the pixels of each film at its own size, whatever its container.
        left_out: file and reason of each film that cannot be decoded.
    """

    manifest: Manifest
    pixels: Pixels
    pictures: list[str]
    left_out: list[tuple[str, str]]


def decode(
    manifest: Manifest, *, size: int = 224, cache_dir: Path | None = None, skip_unreadable: bool = False
) -> Decoded:
    """Decode every film of the manifest, squashed to ``size`` a side as the reader file does (antialiased, bilinear).

    Decoded films are kept in one file for each set of contents, replaced in one step: an interrupted run leaves
    nothing half-written, and two runs at once write the same file.

    Args:
        cache_dir: where; ``AI_FOR_SUDAN_CACHE`` or ``~/.cache/ai-for-sudan`` if not given.
        skip_unreadable: leave out films that cannot be decoded.

    Raises:
        InvalidDataset: films cannot be decoded and are not to be left out, or none can; ten are named, with the count.
    """
    keys = content_keys(manifest)
    name = hashlib.sha256("\n".join([str(DECODER), str(size), *keys]).encode()).hexdigest()[:24]
    path = _folder(cache_dir) / f"films-{name}.npy"
    if not path.exists() or _mended(path, manifest):
        _write(path, manifest.films, size, skip_unreadable)
    pixels, notes = _read(path)
    left_out = [(film.file, reason) for film, (_, reason) in zip(manifest.films, notes, strict=True) if reason]
    if not left_out:
        return Decoded(manifest, pixels, [picture for picture, _ in notes], [])
    if not skip_unreadable:
        raise _cannot_be_read(left_out, len(keys))
    rows = [row for row, (_, reason) in enumerate(notes) if not reason]
    kept = replace(manifest, films=tuple(manifest.films[row] for row in rows))
    return Decoded(kept, Picked(pixels, rows), [notes[row][0] for row in rows], left_out)


def load_pixels(manifest: Manifest, *, size: int = 224, cache_dir: Path | None = None) -> Pixels:
    """Return the pixels of :func:`decode`, uint8 ``(N, size, size)``.

    Raises:
        InvalidDataset: a film cannot be decoded.
    """
    return decode(manifest, size=size, cache_dir=cache_dir).pixels


def squash(pixels: np.ndarray, size: int) -> np.ndarray:
    """Resize uint8 ``(H, W)`` to ``(size, size)``, antialiased bilinear, whatever the aspect."""
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR))


def listing(title: str, lines: Sequence[str]) -> str:
    """Return a title and at most :data:`SHOWN` lines below it."""
    more = [f"... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n  ".join([f"{title}:", *lines[:SHOWN], *more])


def _write(path: Path, films: Sequence[Film], size: int, skip_unreadable: bool) -> None:
    """Write the pixels as NumPy does, and after them each film's hash and why it cannot be decoded, as JSON."""
    notes = []
    with replacing(path) as temporary:
        shape = {"descr": "|u1", "fortran_order": False, "shape": (len(films), size, size)}
        # Not through a memory map: on a full disk that ends the process instead of raising an error.
        with temporary.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, shape)
            found = in_parallel(lambda film: _decoded(film, size), films)
            for pixels, picture, reason in _with_progress(found, len(films), "decoding"):
                file.write(pixels)
                notes.append((picture, reason))
            file.write(json.dumps(notes).encode())
        left_out = [(film.file, reason) for film, (_, reason) in zip(films, notes, strict=True) if reason]
        if left_out and (not skip_unreadable or len(left_out) == len(films)):
            raise _cannot_be_read(left_out, len(films))


def _read(path: Path) -> tuple[np.memmap, list[tuple[str, str]]]:
    """The pixels, and for each film the hash of its picture and why it cannot be decoded."""
    pixels: np.memmap = np.load(path, mmap_mode="r")
    with path.open("rb") as file:
        file.seek(pixels.offset + pixels.nbytes)
        return pixels, [(picture, reason) for picture, reason in json.loads(file.read())]


def _mended(path: Path, manifest: Manifest) -> bool:
    """Whether a film that could not be decoded now can, because a decoder was installed since."""
    missing = [film for film, (_, reason) in zip(manifest.films, _read(path)[1], strict=True) if reason]
    return any(not _decoded(film, 1)[2] for film in missing)


def _decoded(film: Film, size: int) -> tuple[bytes, str, str]:
    """Squashed pixels, the hash of the picture, and no reason; or black pixels, no hash, and the reason."""
    try:
        pixels = film.pixels()
    except UnreadableFilm as error:
        return bytes(size * size), "", error.reason
    picture = hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest()
    return squash(pixels, size).tobytes(), picture, ""


def _cannot_be_read(left_out: Sequence[tuple[str, str]], count: int) -> UserError:
    title = f"{len(left_out)} of {count} films cannot be read (--skip_unreadable leaves them out)"
    return InvalidDataset(listing(title, [f"{file}: {reason}" for file, reason in left_out]))


def _with_progress(items: Iterator[Item], count: int, label: str) -> Iterator[Item]:
    yield from tqdm(items, total=count, desc=label, unit="film", leave=False, disable=None)


def _folder(given: Path | None) -> Path:
    return given or Path(os.environ.get("AI_FOR_SUDAN_CACHE", Path.home() / ".cache" / "ai-for-sudan"))
