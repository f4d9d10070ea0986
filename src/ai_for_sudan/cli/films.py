"""The films that a command is given, and where the pictures that it makes of them go."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ai_for_sudan.files import replacing
from ai_for_sudan.radiographs import find_films

if TYPE_CHECKING:
    from PIL.Image import Image


def once(given: Sequence[str], *, below: Path | None = None, but: Collection[str] = ()) -> Iterator[Path]:
    """Every film that was asked for once, even if a folder and a file inside it, or two spellings, were given.

    Args:
        below: where pictures are written: they are no films.
        but: films to leave out.
    """
    seen = {os.path.abspath(film) for film in but}  # noqa: PTH100 (links must stay as they were given)
    for path in find_films(given):
        place = os.path.abspath(path)  # noqa: PTH100
        if place not in seen and not (below and path.is_relative_to(below)):
            seen.add(place)
            yield path


def common_parent(given: Sequence[str]) -> Path:
    """The deepest folder that holds everything that was given."""
    tops = []
    for top in map(Path, given):
        fixed = Path(*itertools.takewhile(lambda part: not any(sign in part for sign in "*?["), top.parts))
        folder = top if top.is_dir() else fixed.parent if fixed == top else fixed
        tops.append(os.path.abspath(folder))  # noqa: PTH100 (links must stay as they were given)
    return Path(os.path.commonpath(tops))


def picture_path(folder: Path, parent: Path, file: str | Path, kind: str = "overlay") -> Path:
    """The film's own path below the common parent, so that films of one name in two folders do not meet."""
    path = Path(os.path.abspath(file)).relative_to(parent)  # noqa: PTH100
    return folder / path.with_name(f"{path.name}.{kind}.png")


def save_png(picture: Image, path: Path) -> None:
    with replacing(path) as temporary:
        picture.save(temporary, format="PNG")
