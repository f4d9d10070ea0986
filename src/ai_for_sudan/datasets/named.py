"""What belongs to a film by its name: masks in a folder, rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import TypeVar

T = TypeVar("T")


def named_like(file: str, named: Mapping[str, T]) -> T | None:
    """That whose name has the most of a film's folders in common with it, with or without the film's suffix."""
    path = PurePath(file)
    for start in range(len(path.parts)):
        name = PurePath(*path.parts[start:])
        for key in (name.as_posix(), name.with_suffix("").as_posix()):
            if key in named:
                return named[key]
    return None


def masks_in(folder: Path) -> dict[str, Path]:
    """Each PNG below a folder by the name of its film, without suffix: ``PNEUMONIA/p1``."""
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.rglob("*.png"))}
