"""Errors that a caller can act on; docs/promises.md says which of them are promised."""

from __future__ import annotations


def printable(text: object) -> str:
    """Escape control characters, which could drive a terminal or forge a line.

    File names and texts out of files go through here on their way to a terminal, a table or a page. So do undecodable
    bytes of names (lone surrogates), which no terminal and no UTF-8 file takes.
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in str(text)
    )


class UserError(Exception):
    """Bad input, a missing file, an impossible request.

    The message is one clear line: what was received, what was expected, what to do next. The command line prints
    it without a traceback and exits with :attr:`exit_code`.
    """

    exit_code = 2


class UnreadableFilm(UserError):
    """A file that cannot be decoded to a film.

    Attributes:
        code: a short, stable word for machines, such as ``truncated`` or ``multi_frame``.
        reason: the same for people.
    """

    exit_code = 1

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason

    def __reduce__(self) -> tuple[type[UnreadableFilm], tuple[str, str]]:
        return type(self), (self.code, self.reason)


class InvalidReader(UserError):
    """No such reader, no reader file, an invalid card, or a self-test that fails on this machine."""


class InvalidCheckpoint(UserError):
    """No such checkpoint, a damaged one, or one of another architecture."""


class InvalidDataset(UserError):
    """A folder, a table, a split, masks or boxes that cannot be used as films with labels."""
