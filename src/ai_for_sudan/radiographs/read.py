"""One film by its content: decoded here where it cannot cost much, in a process with limits otherwise."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs import plain
from ai_for_sudan.radiographs.radiograph import FullRange, Radiograph, grey_of
from ai_for_sudan.radiographs.source import check_size, read_film


def read_radiograph(source: str | Path | bytes | np.ndarray) -> Radiograph:
    """Decode a film by its content, whatever its name says.

    A film whose cost cannot be seen from its structure (all DICOM files, and unusual pictures) is decoded in a process
    with limits on time and memory (:mod:`ai_for_sudan.radiographs.pool`). Safe to use from several threads.

    Args:
        source: a path, the bytes of a file, or an array ``(H, W)`` or ``(H, W, 3)``: uint8, uint16 (its full range is
            the film's), or float in 0..1.

    Raises:
        UnreadableFilm: with a code and a reason; nothing else, whatever the bytes are. :class:`RefusedByHeader` when
            the header alone says that this is not a frontal chest film.
    """
    if isinstance(source, np.ndarray):
        return Radiograph(grey_of(source))
    from ai_for_sudan.radiographs import decoding

    if isinstance(source, bytes):
        check_size(len(source))
    elif plain.may_be_plain(source := Path(source)):
        source = read_film(source)
    if isinstance(source, bytes) and plain.is_plain(source):
        return decoding.decode(source)
    from ai_for_sudan.radiographs import pool

    return pool.decode(source)


def read_full_range(path: str | Path) -> FullRange | None:
    """The values of a DICOM film before its window, decoded in a process with limits.

    Returns:
        None where there is nothing beyond what :func:`read_radiograph` shows: pictures, colour, films of one grey.

    Raises:
        UnreadableFilm: as :func:`read_radiograph`.
    """
    from ai_for_sudan.radiographs import pool

    return pool.full_range(Path(path))


def prepare(path: str | Path) -> None:
    """Start what decoding this film needs, so that it is ready when a reader is open: both take a moment."""
    with contextlib.suppress(UnreadableFilm):  # which reading it then tells
        if not plain.may_be_plain(Path(path)):
            from ai_for_sudan.radiographs import pool

            pool.prepare()
