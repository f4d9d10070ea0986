"""What `inference` and `gradcam` share: films one by one, each bad one named, pictures put in the right place."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from ai_for_sudan.errors import UnreadableFilm, UserError
from ai_for_sudan.files import replacing
from ai_for_sudan.radiographs import find_films, read_radiograph


def add_picture_options(parser: argparse.ArgumentParser, what: str, output: str) -> None:
    parser.add_argument("--image", nargs="+", required=True, help="films: files, folders and patterns")
    parser.add_argument("--checkpoint", type=Path, required=True, help="a checkpoint of train.py")
    parser.add_argument("--model_type", help="the architecture that it should hold")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(output),
        help=f"{what}: a .png for one film, else a folder (default: %(default)s)",
    )


class Films:
    """Films to go through; what cannot be read is told on stderr and counted, and the rest goes on."""

    def __init__(self, patterns: list[str]) -> None:
        self._paths = list(find_films(patterns))
        self.failed: list[tuple[str, UnreadableFilm]] = []
        if not self._paths:
            raise UserError(f"no films were found in {', '.join(patterns)}")

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[tuple[Path, np.ndarray]]:
        for path in self._paths:
            try:
                yield path, read_radiograph(path).pixels
            except UnreadableFilm as error:
                self.failed.append((str(path), error))
                print(f"{path}: {error.reason}", file=sys.stderr)

    def place(self, output: Path, film: Path) -> Path:
        """Where a film's picture goes: ``output`` itself for one film, else a file below it; no two meet."""
        if len(self) == 1 and output.suffix.lower() == ".png":
            return output
        folder = output if output.suffix.lower() != ".png" else output.with_suffix("")
        same = [path for path in self._paths if path.name == film.name]
        name = film.name if len(same) == 1 else f"{same.index(film) + 1}_{film.name}"
        return folder / f"{name}.png"


def save_picture(picture: Image.Image, path: Path) -> None:
    with replacing(path) as temporary:
        picture.save(temporary, format="PNG")
