"""Which files are films: in a folder those whose name or content says so; what is passed over is counted."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ai_for_sudan.errors import UnreadableFilm, UserError
from ai_for_sudan.radiographs.decoding import is_dicom
from ai_for_sudan.radiographs.source import one_line, open_film

#: HEIC too: such a photo is reported with what to do about it
FILM_SUFFIXES = (".dcm", ".dicom", ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".heic", ".heif")
#: what every picture that this program makes of a film carries, so that it is never taken for one (PNG 11.3.4.3)
PICTURE = b"tEXtSoftware\0ai-for-sudan"
_PNG = b"\x89PNG\r\n\x1a\n"
_PICTURES = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|RIFF....WEBP|....ftyphe", re.DOTALL)
_DICOMDIR = b"1.2.840.10008.1.3.10"  # Media Storage Directory Storage (PS3.4 B.5)
_LOOK = 4096


@dataclass
class Skipped:
    """What was passed over while films were looked for: how many of each kind, and the first of them by name."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, Path] = field(default_factory=dict)

    def add(self, kind: str, path: Path) -> None:
        self.counts[kind] += 1
        self.first.setdefault(kind, path)

    def __str__(self) -> str:
        """One line, such as ``skipped: hidden files: 2 (the first: .notes)``; empty for nothing."""
        parts = (f"{kind}: {count} (the first: {one_line(self.first[kind])})" for kind, count in self.counts.items())
        return f"skipped: {', '.join(parts)}" if self.counts else ""


def find_films(paths: Iterable[str | Path], skipped: Skipped | None = None) -> Iterator[Path]:
    """Every film that was asked for, in order, in constant memory.

    A file is given as it is; a folder gives the films in it and below: files with a film's suffix, with none or with
    digits for one (as DICOM receivers write them), and whatever else holds a film by its content; a pattern with ``*``
    or ``?`` gives the files that it matches. What cannot be looked at (a missing path, a closed folder, a link that
    leads nowhere, a pipe) is given as it is, so that it is reported like any film that cannot be read.

    Args:
        skipped: gets what was passed over.

    Raises:
        UserError: a path is empty.
    """
    skipped = Skipped() if skipped is None else skipped
    for given in paths:
        if not str(given):
            raise UserError("an empty path was given; give files, folders or patterns")
        path = Path(given)
        if is_folder(path):
            yield from _below(path, skipped)
        elif not os.path.lexists(path) and any(sign in str(given) for sign in "*?["):
            matches = sorted(glob.glob(str(given), recursive=True))  # noqa: PTH207 (the pattern may be absolute)
            yield from _matched(map(Path, matches), skipped) if matches else (path,)
        else:
            yield path


def is_folder(path: str | Path) -> bool:
    """Tell whether a path is a folder; False where it cannot be looked at, since opening it says why."""
    return os.path.isdir(path)  # noqa: PTH112 (Path.is_dir raises for a closed folder or a name that is too long)


def _matched(paths: Iterable[Path], skipped: Skipped) -> Iterator[Path]:
    for path in paths:
        if is_folder(path):
            skipped.add("folders that a pattern matched", path)
        elif path.suffix.lower() == ".png" and _is_ours(_head(path)):
            skipped.add("pictures that this program made", path)
        else:
            yield path


def _below(folder: Path, skipped: Skipped) -> Iterator[Path]:
    closed: list[Path] = []
    for parent, folders, files in os.walk(folder, onerror=lambda error: closed.append(Path(error.filename))):
        folders.sort()
        for name in folders:
            if (path := Path(parent, name)).is_symlink():
                skipped.add("links to folders", path)
        for name in sorted(files):
            path = Path(parent, name)
            kind = _no_film(path)
            if kind:
                skipped.add(kind, path)
            else:
                yield path
        yield from closed
        closed.clear()
    yield from closed


def _no_film(path: Path) -> str | None:
    """Why a file in a folder is passed over; None of a film."""
    suffix = path.suffix.lower()
    if path.name.startswith("."):
        return "hidden files"
    if suffix in FILM_SUFFIXES and suffix != ".png":
        return None
    head = _head(path)
    if _is_ours(head):
        return "pictures that this program made"
    if is_dicom(head):
        return "DICOM directories" if _DICOMDIR in head or path.name == "DICOMDIR" else None
    if suffix in (".png", "") or suffix[1:].isdigit() or _PICTURES.match(head):
        return None if path.name != "DICOMDIR" else "DICOM directories"
    return "files without a film's content"


def _is_ours(head: bytes) -> bool:
    return head.startswith(_PNG) and PICTURE in head


def _head(path: Path) -> bytes:
    try:
        with open_film(path) as file:
            return file.read(_LOOK)
    except (UnreadableFilm, OSError):
        return b""
