"""What a reader file is made with: films of the training data, and other pictures for the gate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ai_for_sudan.datasets import Pixels, squash
from ai_for_sudan.errors import UnreadableFilm, UserError
from ai_for_sudan.radiographs import find_films, read_radiograph


@dataclass(frozen=True)
class Films:
    """Films at network size with labels and patients.

    Attributes:
        pixels: uint8 ``(N, S, S)``; may be picked from a memory map.
        labels: class numbers ``(N,)`` or findings ``(N, C)``.
        patients: ``(N,)``.
        sites: the hospital of each film, str ``(N,)``, where they are of several.
    """

    pixels: Pixels
    labels: np.ndarray
    patients: np.ndarray
    sites: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.pixels)


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


@dataclass(frozen=True)
class Healthy:
    """Films of healthy people of another hospital, which the promise of few false alarms is held to as well.

    Attributes:
        site: the name of the hospital or of its data.
        films: what was not trained on.
    """

    site: str
    films: Pictures
