"""What every kind of PACS can be asked to do, and what may become of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ai_for_sudan.errors import UserError


class Away(UserError):
    """The PACS cannot be reached, or ended the conversation; nothing is wrong with the results."""


@dataclass(frozen=True)
class Sending:
    """A result to send: the file and what it is asked for by."""

    delivery: int
    file: Path
    sop_class: str
    sop_uid: str
    series_uid: str
    study_uid: str


@dataclass(frozen=True)
class Outcome:
    """What a PACS said to one result, in words: ``taken``, ``later`` (it may be taken another time) or ``refused``.

    ``uncertain``: it went away while the result was on its way, and may have it.
    """

    delivery: int
    state: str
    words: str = ""


class Peer(Protocol):
    """A PACS."""

    def send(self, results: Sequence[Sending]) -> list[Outcome]:
        """Send some results in one conversation; those that it was not asked about any more have no outcome.

        Raises:
            Away: before any was sent.
        """

    def has(self, results: Sequence[Sending]) -> set[int]:
        """Ask for some results: the deliveries that are there.

        Raises:
            Away: it cannot be asked now.
        """

    def commit(self, results: Sequence[Sending], transaction: str) -> None:
        """Ask for a promise to keep some results (PS3.4 J); the answer comes to the clinic's node.

        Args:
            transaction: UID that the answer will name.

        Raises:
            Away: it cannot be asked now, or never promises anything.
        """

    def check(self) -> str:
        """Whether it answers, for `clinic doctor`: what it said.

        Raises:
            Away: it does not.
        """
