"""What a command may write to: never a film, never an input, never what another program wrote."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ai_for_sudan.errors import UserError
from ai_for_sudan.radiographs import FILM_SUFFIXES, PICTURE

#: how pages of this project begin, within their first bytes
PAGE = (b'<meta name="generator" content="ai-for-sudan"', b"<title>Readings, ")
_HEAD = 4096


def check_target(option: str, path: Path, marks: tuple[bytes, ...], inputs: Iterable[str | Path] = ()) -> None:
    """Make sure that writing a file destroys nothing.

    Args:
        option: as messages name it.
        marks: one of them is within the first bytes of every file that the command writes there.
        inputs: what the command reads.

    Raises:
        UserError: the target is a folder or a device, a film, an input, or was not written by this command.
    """
    name = f"{option} {path}"
    if path.is_dir():
        raise UserError(f"{name} is a folder; name a file")
    if os.path.realpath(path) in {os.path.realpath(given) for given in inputs}:
        raise UserError(f"{name} is among the inputs and would be replaced; name another file")
    if path.suffix.lower() in FILM_SUFFIXES and PICTURE not in marks:
        raise UserError(f"{name} has the name of a film; name the file to write before the films")
    if not written_here(path, marks):
        raise UserError(f"{name} was not written by this command and would be replaced; name another file")


def written_here(path: Path, marks: tuple[bytes, ...]) -> bool:
    """Whether nothing would be lost: there is no such file, it is empty, or it carries one of our marks."""
    if not path.exists():
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return not head or any(mark in head for mark in marks)


def check_folder(option: str, folder: Path, inputs: Iterable[str | Path]) -> None:
    """Make sure that pictures written below a folder are not among the films.

    Raises:
        UserError: it is not a folder, or the films lie in it.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{option} {folder} is not a folder; name one")
    place = Path(os.path.realpath(folder))
    for given in inputs:
        if Path(os.path.realpath(given)).is_relative_to(place):
            raise UserError(f"{option} {folder} holds the films ({given}); name a separate folder")


def check_apart(targets: dict[str, Path | None]) -> None:
    """Raises ``UserError`` where two options name one file."""
    seen: dict[str, str] = {}
    for option, path in targets.items():
        if path is None:
            continue
        place = os.path.realpath(path)
        if place in seen:
            raise UserError(f"{seen[place]} and {option} both name {path}; give each a different one")
        seen[place] = option
