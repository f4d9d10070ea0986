"""Which files are films."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

FILM_SUFFIXES = (".dcm", ".dicom", ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


def find_films(paths: Iterable[str | Path]) -> Iterator[Path]:
    """Every film that was asked for, in order, in constant memory.

    A file is given as it is, whatever its suffix; a folder gives the films in it and below, by their suffix (or with
    no suffix at all, as DICOM files often come); a pattern with ``*`` or ``?`` gives what it matches. A path that does
    not exist is given as it is, so that it is answered like any film that cannot be read.
    """
    for given in paths:
        path = Path(given)
        if path.is_dir():
            yield from _below(path)
        elif not path.exists() and any(sign in str(given) for sign in "*?["):
            matches = sorted(glob.glob(str(given), recursive=True))  # noqa: PTH207 (the pattern may be absolute)
            yield from (Path(match) for match in matches if Path(match).is_file()) if matches else (path,)
        else:
            yield path


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            suffix = Path(name).suffix.lower()
            if not name.startswith(".") and (suffix in FILM_SUFFIXES or not suffix) and name != "DICOMDIR":
                yield Path(parent) / name
