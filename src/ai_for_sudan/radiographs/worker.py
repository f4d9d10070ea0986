"""The process in which films are decoded, under limits that no file can talk its way around.

It takes requests on standard input and replies on standard output, film by film, until its parent is gone. Here the
settings of pydicom and of warnings are this program's own; the process that wants films decoded keeps its own.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import queue
import struct
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs.radiograph import RefusedByHeader
from ai_for_sudan.radiographs.source import read_film

#: of one film: processor time where the system counts it, and address space
SECONDS, BYTES = 18, 1_300_000_000
#: a process that once needed more than this is replaced, so that no film's result depends on the films before it
GROWN = 400_000_000
#: kind (``p``: a path, ``b``: the bytes of a file, ``f``: a path of which the full range is wanted) and length of what
#: follows
REQUEST = struct.Struct(">cQ")
#: lengths of the reply, JSON, and of the pixels or values
REPLY = struct.Struct(">IQ")


def main() -> None:
    """Reply until standard input ends."""
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # What decoders print would be taken for a reply.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _limit_memory()
    waiting: queue.SimpleQueue[tuple[bytes, bytes]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, waiting), daemon=True).start()
    _prepare()
    while True:
        kind, content = waiting.get()
        _limit_time()
        said, pixels = _reply(kind, content)
        del content
        last = _most_memory() > GROWN
        reply = json.dumps(said | {"last": last}).encode()
        replies.write(REPLY.pack(len(reply), len(pixels)) + reply)
        replies.write(pixels)
        replies.flush()
        del pixels
        if last:
            os._exit(0)


def _listen(requests: BinaryIO, waiting: queue.SimpleQueue[tuple[bytes, bytes]]) -> None:
    """In a thread, so that the process ends with its parent even in the middle of a film."""
    try:
        while head := requests.read(REQUEST.size):
            kind, length = REQUEST.unpack(head)
            waiting.put((kind, requests.read(length)))
    finally:
        os._exit(0)


def _prepare() -> None:
    """Import what most of these films need, while nobody waits."""
    for name in ("requests", "tqdm"):  # by which pydicom would fetch its example films
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    from pydicom import config

    import ai_for_sudan.radiographs.dicom  # noqa: F401

    # Values outside the standard are met daily; they must not stop a reading.
    config.settings.reading_validation_mode = config.IGNORE


def _reply(kind: bytes, content: bytes) -> tuple[dict[str, Any], memoryview]:
    from ai_for_sudan.radiographs.decoding import decode, full_range

    try:
        file = content if kind == b"b" else read_film(os.fsdecode(content))
        if kind == b"f":
            found = full_range(file)
            if found is None:
                return {}, memoryview(b"")
            return {"shape": found.values.shape, "window": found.window}, found.values.data.cast("B")
        film = decode(file)
    except RefusedByHeader as error:
        return {"refusals": error.refusals}, memoryview(b"")
    except UnreadableFilm as error:
        return {"code": error.code, "reason": error.reason}, memoryview(b"")
    said = {
        "shape": film.pixels.shape,
        "header": asdict(film.header) if film.header else None,
        "refusals": film.refusals,
        "warnings": film.warnings,
    }
    return said, film.pixels.data.cast("B")


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has no such limit, macOS does not keep it
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = BYTES if hard == resource.RLIM_INFINITY else min(BYTES, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _limit_time() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time()) + SECONDS, hard))


def _most_memory() -> int:
    with contextlib.suppress(ImportError):
        import resource

        # Linux hands the starter's own peak on in ru_maxrss; VmHWM starts again with the program.
        status = Path("/proc/self/status")
        if status.exists():
            peak = next(row for row in status.read_text(encoding="ascii").splitlines() if row.startswith("VmHWM:"))
            return int(peak.split()[1]) * 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return 0
