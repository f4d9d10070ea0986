"""How much of the machine this process may use, and work that is spread over it."""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """Cores that this process may use: fewer than the machine has, inside a container or on a cluster."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(allowed, container_quota(Path("/sys/fs/cgroup")))))


def container_quota(control: Path) -> float:
    """Processor time that a container gets each second (``docker --cpus``), which its affinity does not show."""
    try:
        if (control / "cpu.max").exists():  # version 2 of Linux's control groups
            given, each = (control / "cpu.max").read_text().split()
        else:
            given = (control / "cpu" / "cpu.cfs_quota_us").read_text()
            each = (control / "cpu" / "cpu.cfs_period_us").read_text()
        quota = int(given) / int(each)
    except (OSError, ValueError, ZeroDivisionError):  # no such system, or "max"
        return math.inf
    return quota if quota > 0 else math.inf


def in_parallel(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int | None = None
) -> Iterator[Result]:
    """``work`` of each item, in order, by threads; of a long list only a few items are held at a time.

    Threads are enough for films: decoders, ONNX Runtime and NumPy let go of Python's lock.

    Args:
        threads: as many as there are :func:`cores` if not given.
    """
    count = threads or cores()
    if count == 1:
        yield from map(work, items)
        return
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(count) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= 2 * count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # at Ctrl-C, what has not begun is left
            for future in waiting:
                future.cancel()
