"""More films than one machine can read: the same list, the same readings, on a Ray cluster."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ai_for_sudan.errors import UnreadableFilm, UserError
from ai_for_sudan.extras import install_command
from ai_for_sudan.reading.journal import identity
from ai_for_sudan.reading.reader import Reader
from ai_for_sudan.reading.reading import Reading, Terms

#: times that a batch is given to another worker after one died
RETRIES = 2
#: films that travel together: enough to hide the messages, few enough that a dead worker costs little
BATCH = 8


def read_on_cluster(
    reader: Path,
    files: Iterable[Path],
    *,
    operating_point: str | None = None,
    address: str | None = None,
    log: bool = False,
    site: str = "",
    identify: bool = False,
) -> Iterator[dict[str, Any]]:
    """Read films on every core of a Ray cluster, one reading for each file, in any order.

    A batch whose worker dies is given to another one (Ray's task retries); a film's reading has no side effects, so
    reading it twice does no harm, and only the one reading that reaches this process is given on. Where that does not
    help, its films are tried one by one, and one that takes its worker with it even alone is reported as ``failed``.
    The reader file travels with the tasks; the films must lie where every worker sees them under the same path.

    Args:
        address: of a running cluster; without one, a cluster of this machine alone is started for the while.
        log, site: see :meth:`Reading.to_dict`.
        identify: add what a :class:`~ai_for_sudan.reading.journal.Journal` tells films apart by.

    Raises:
        UserError: Ray is not installed, the cluster cannot be reached, or its machines cannot use this reader.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # Ray reports home too, unless it is told not to before it starts
    try:
        import ray
    except ModuleNotFoundError as error:
        raise UserError(f"--engine ray needs the package ray; install it with: {install_command('cluster')}") from error

    mine = not ray.is_initialized()
    if mine:
        _check_reachable(address)
        try:
            # A cluster that exists has its own dashboard or none.
            own: dict[str, Any] = {} if address else {"include_dashboard": False}
            ray.init(address=address or "local", log_to_driver=False, configure_logging=False, **own)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UserError(f"no Ray cluster answers at '{address}': {str(error).splitlines()[0]}") from error
    try:
        weights = ray.put(reader.read_bytes())
        card = Reader.open(reader, self_test=False).card
        terms = Terms.of(card, card.operating_point(operating_point))
        task = ray.remote(num_cpus=1, max_retries=RETRIES)(read_batch)
        cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
        waiting: dict[Any, list[str]] = {}

        def submit(batch: list[str]) -> None:
            waiting[task.remote(weights, reader.name, batch, operating_point, log, site, identify)] = batch

        def finished() -> list[dict[str, Any]]:
            done, _ = ray.wait(list(waiting), num_returns=1)
            batch = waiting.pop(done[0])
            try:
                return list(ray.get(done[0]))
            except ray.exceptions.RayTaskError as error:  # raised by our own code there: no film raises
                reason = (str(error.cause).splitlines() or [type(error.cause).__name__])[0]
                raise UserError(f"a machine of the cluster cannot read films: {reason}") from error
            except ray.exceptions.RayError:
                if len(batch) > 1:
                    for file in batch:
                        submit([file])
                    return []
                lost = UnreadableFilm(
                    "worker_lost",
                    "the process that read this film was killed each time, perhaps because it ran out of memory",
                )
                line = Reading.unread(terms, batch[0], lost).to_dict(log=log, site=site)
                return [line | (identity(batch[0]) if identify else {})]

        for batch in _batches(files):
            submit(batch)
            if len(waiting) >= 2 * cores:
                yield from finished()
        while waiting:
            yield from finished()
    finally:
        if mine:
            ray.shutdown()


def _check_reachable(address: str | None) -> None:
    """Ray itself tries for minutes."""
    match = re.fullmatch(r"(?:ray://)?([^/:]+):(\d+)", address or "")
    if match is None:  # none, "auto" or "local": Ray knows what is on this machine
        return
    try:
        socket.create_connection((match[1], int(match[2])), timeout=5).close()
    except OSError as error:
        raise UserError(
            f"no Ray cluster answers at {address} ({error.strerror or error}); start one with: ray start --head"
        ) from error


def _batches(files: Iterable[Path]) -> Iterator[list[str]]:
    batch: list[str] = []
    for file in files:
        batch.append(str(file))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


_opened: dict[str, Reader] = {}


def read_batch(
    weights: bytes, name: str, files: list[str], operating_point: str | None, log: bool, site: str, identify: bool
) -> list[dict[str, Any]]:
    """In a worker: open the reader once for the life of the process, then read."""
    import hashlib

    key = hashlib.sha256(weights).hexdigest()
    if key not in _opened:
        _opened.clear()
        _opened[key] = Reader.from_bytes(weights, name)
    lines = []
    for file in files:
        known = identity(file) if identify else {}
        lines.append(_opened[key].read(file, operating_point=operating_point).to_dict(log=log, site=site) | known)
    return lines
