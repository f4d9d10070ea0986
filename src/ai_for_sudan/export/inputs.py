"""Pictures that a reader file is made with besides the films of its training data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ai_for_sudan.datasets import squash
from ai_for_sudan.errors import UnreadableFilm, UserError
from ai_for_sudan.radiographs import find_films, read_radiograph


@dataclass(frozen=True)
class Pictures:
    """Pictures without a label.

    Attributes:
        pixels: uint8 ``(N, S, S)``.
        paths: of their files, ``N``.
    """

    pixels: np.ndarray
    paths: list[str]

    @classmethod
    def below(cls, folder: Path, size: int) -> Pictures:
        """Every picture below a folder, at ``size`` a side; what cannot be decoded is left out.

        Raises:
            UserError: none can be decoded.
        """
        pixels, paths = [], []
        for path in find_films([folder]):
            try:
                pixels.append(squash(read_radiograph(path).pixels, size))
                paths.append(str(path))
            except UnreadableFilm:
                continue
        if not pixels:
            raise UserError(f"{folder} contains no readable picture")
        return cls(np.stack(pixels), paths)


@dataclass(frozen=True)
class GatePictures:
    """What the gate is fitted on besides the films of the training data.

    Attributes:
        other_chest: good films of another site.
        not_chest: other pictures; a folder named ``lateral`` holds lateral chest films. Without them only blank,
            rotated and inverted films are refused.
    """

    other_chest: Pictures | None = None
    not_chest: Pictures | None = None
