"""Many films: every file answered exactly once, in constant memory, all cores busy."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

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
    """Read films side by side.

    Threads are enough: decoding and ONNX Runtime both let go of Python's lock.

    Args:
        workers: films at once; as many as there are cores if not given.
        then: what to make of a reading, in the worker (drawing, writing): the film itself is dropped afterwards, so
            that a long list needs no more memory than a short one.
    """
    count = workers or _cores()

    def work(file: Path) -> Result:
        return then(reader.read(file, operating_point=operating_point))

    if count == 1:
        yield from map(work, files)
        return
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(count) as pool:
        try:
            for file in files:
                waiting.append(pool.submit(work, file))
                if len(waiting) >= 2 * count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _cores() -> int:
    """Cores that this process may use: fewer than the machine has, inside a container."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
