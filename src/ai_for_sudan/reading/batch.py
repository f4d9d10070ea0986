"""Many films: every file answered exactly once, in constant memory, all cores busy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from ai_for_sudan.processes import in_parallel
from ai_for_sudan.reading.reader import Reader
from ai_for_sudan.reading.reading import Reading

Result = TypeVar("Result")


def read_all(
    reader: Reader,
    files: Iterable[Path],
    *,
    operating_point: str | None = None,
    workers: int | None = None,
    then: Callable[[Reading], Result],
) -> Iterator[Result]:
    """Read films side by side, answered in order.

    Args:
        workers: films at once; as many as there are cores if not given.
        then: what to make of a reading, in the worker (drawing, writing): the film itself is dropped afterwards, so
            that a long list needs no more memory than a short one.
    """

    def work(file: Path) -> Result:
        return then(reader.read(file, operating_point=operating_point))

    return in_parallel(work, files, threads=workers)
