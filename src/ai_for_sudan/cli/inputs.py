"""The films that a command is given, and where the pictures that it makes of them go."""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ai_for_sudan.cli.targets import check_folder, check_target, written_here
from ai_for_sudan.errors import UserError
from ai_for_sudan.files import replacing
from ai_for_sudan.radiographs import FILM_SUFFIXES, PICTURE, Skipped, find_films, is_folder

if TYPE_CHECKING:
    from PIL.Image import Image

#: an --output that ends so is one picture; any other is a folder
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
#: bytes of a name that every file system takes
_LONGEST_NAME = 255


def add_film_options(parser: argparse.ArgumentParser) -> None:
    """The options of `inference` and `gradcam` that name the films and the model."""
    parser.add_argument("--image", nargs="+", required=True, metavar="FILM", help="files, folders and patterns")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        required=True,
        help="best_model.pth, quantized_model.pth, a .safetensors file or a reader file (.onnx)",
    )
    parser.add_argument("--model_type", help="the architecture that it should contain")


def no_films(given: Sequence[str]) -> UserError:
    """Make the error of a command that finds nothing to read."""
    return UserError(f"no films were found in {', '.join(given)}; expected {', '.join(FILM_SUFFIXES)}")


def once(given: Sequence[str], *, below: Path | None = None, skipped: Skipped | None = None) -> Iterator[Path]:
    """Every film that was asked for once, even if a folder and a file inside it, or two spellings, were given.

    Args:
        below: where pictures are written: they are not films.
        skipped: gets what was passed over.
    """
    seen: set[str] = set()
    pictures = Path(os.path.realpath(below)) if below else None
    for path in find_films(given, skipped):
        place = os.path.realpath(path)
        if place not in seen and not (pictures and Path(place).is_relative_to(pictures)):
            seen.add(place)
            yield path


def common_parent(given: Sequence[str]) -> Path:
    """The deepest folder that holds everything that was given."""
    tops = []
    for top in map(Path, given):
        fixed = Path(*itertools.takewhile(lambda part: not any(sign in part for sign in "*?["), top.parts))
        folder = top if is_folder(top) else fixed.parent if fixed == top else fixed
        tops.append(os.path.abspath(folder))  # noqa: PTH100 (links must stay as they were given)
    return Path(os.path.commonpath(tops))


def picture_path(folder: Path, parent: Path, file: str | Path, kind: str = "overlay") -> Path:
    """The film's own path below the common parent, so that films of one name in two folders do not meet."""
    path = Path(os.path.abspath(file)).relative_to(parent)  # noqa: PTH100
    name = f"{path.name}.{kind}.png"
    if len(os.fsencode(name)) > _LONGEST_NAME:
        # Shortened, with a mark that keeps it apart from others that begin alike.
        mark = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]
        name = f"{path.name[:40]}.{mark}.{kind}.png"
    return folder / path.with_name(name)


def films_and_place(given: list[str], output: Path, kind: str) -> tuple[list[Path], Callable[[Path], Path]]:
    """The films, and where the picture of each goes: ``output`` itself for one film, else a file below it.

    Raises:
        UserError: no films, several films for one picture, or something else would be replaced.
    """
    single = output.suffix.lower() in PICTURES and not output.is_dir()
    if single:
        if output.suffix.lower() != ".png":
            raise UserError(f"--output {output}: pictures are written as PNG; give a name ending in .png")
        check_target("--output", output, (PICTURE,), given)
    else:
        check_folder("--output", output, given)
    films = list(once(given, below=None if single else output))
    if not films:
        raise no_films(given)
    if single:
        if len(films) > 1:
            raise UserError(f"--output {output} is one file for {len(films)} films; give a folder")
        return films, lambda film: output
    parent = common_parent(given)
    return films, lambda film: picture_path(output, parent, film, kind)


def save_png(picture: Image, path: Path) -> None:
    """Write a picture, marked as one of ours.

    Raises:
        UserError: it cannot be written, or another file lies there.
    """
    from PIL.PngImagePlugin import PngInfo

    if not written_here(path, (PICTURE,)):
        raise UserError(f"{path} was not written by this command and would be replaced; name another place")
    mark = PngInfo()
    mark.add_text("Software", "ai-for-sudan")
    with replacing(path) as temporary:
        picture.save(temporary, format="PNG", pnginfo=mark)
