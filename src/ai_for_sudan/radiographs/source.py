"""A film's file as bytes: regular files of a bounded size only, since a pipe or a device may never end."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ai_for_sudan.contract.limits import LARGEST_FILE
from ai_for_sudan.errors import UnreadableFilm

#: bytes of a film that may be held in memory by each thread
SMALL = 64_000_000


def open_film(path: str | Path) -> BinaryIO:
    """Open a regular file of at most :data:`LARGEST_FILE` bytes; never waits for one that nobody writes.

    Raises:
        UnreadableFilm: it is missing, closed to this user, too large, a folder, a pipe or a device.
    """
    with _readable(path):
        _check(Path(path).stat(), path)
        # Between the look and the opening it may have become a pipe, which would wait for its writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        file = os.fdopen(handle, "rb")
        try:
            _check(os.fstat(handle), path)
        except BaseException:
            file.close()
            raise
        return file


def read_film(path: str | Path) -> bytes:
    """The whole file; see :func:`open_film`."""
    with open_film(path) as file, _readable(path):
        return file.read(os.fstat(file.fileno()).st_size)  # as it was found: what is added meanwhile is not a film yet


def read_small_film(path: str | Path) -> bytes | None:
    """Return the whole file where it has at most :data:`SMALL` bytes, as nearly every film has; else None.

    Raises:
        UnreadableFilm: as :func:`open_film`.
    """
    with open_film(path) as file, _readable(path):
        size = os.fstat(file.fileno()).st_size
        return file.read(size) if size <= SMALL else None


def content_hash(path: str | Path) -> str:
    """SHA-256 of the file, in hexadecimal digits, in constant memory; see :func:`open_film`."""
    found, size = hashlib.sha256(), 0
    with open_film(path) as file, _readable(path):
        for piece in iter(lambda: file.read(1 << 20), b""):
            check_size(size := size + len(piece))
            found.update(piece)
    return found.hexdigest()


@contextmanager
def _readable(path: str | Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise UnreadableFilm("missing", f"there is no file {one_line(path)}") from error
    except (OSError, ValueError) as error:  # a name with a NUL in it
        reason = getattr(error, "strerror", None) or error
        raise UnreadableFilm("unreadable", f"the file cannot be read: {one_line(reason)}") from error


def _check(found: os.stat_result, path: str | Path) -> None:
    if stat.S_ISDIR(found.st_mode):
        with os.scandir(path):  # one that cannot be opened is another matter: OSError
            pass
        raise UnreadableFilm("folder", f"{one_line(path)} is a folder, not a film")
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableFilm("no_file", f"{one_line(path)} is a pipe or a device, not a file; save the film first")
    check_size(found.st_size)


def check_size(size: int) -> None:
    """Refuse a file of more bytes than any film has.

    Raises:
        UnreadableFilm: it has.
    """
    if size > LARGEST_FILE:
        text = f"the file has {size / 1e6:.0f} MB or more; a film has at most {LARGEST_FILE / 1e6:.0f} MB"
        raise UnreadableFilm("too_large", text)


def one_line(text: object) -> str:
    """The text, or an error's message, in one printable line: decoders quote damaged bytes, names may hold anything."""
    printable = "".join(letter if letter.isprintable() else " " for letter in str(text))
    return " ".join(printable.split())[:200] or type(text).__name__
