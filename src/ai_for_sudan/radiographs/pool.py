"""Processes that decode films under limits: kept for the next film, as many as there are cores, ended with this one."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Any, cast

import numpy as np

from ai_for_sudan.contract import Remark
from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.processes import cores
from ai_for_sudan.radiographs.radiograph import FullRange, Header, Radiograph, RefusedByHeader
from ai_for_sudan.radiographs.worker import REPLY, REQUEST, SECONDS

#: seconds by the clock after which a process is ended: where processor time is not counted, or one that only waits
PATIENCE = 600.0 if hasattr(signal, "SIGXCPU") else float(SECONDS)

#: without the set-up of `site`, whose result it is given: what Python looks through for modules
_START = "import sys; sys.path[:] = sys.argv[1:]; from ai_for_sudan.radiographs.worker import main; main()"
_HOME = str(Path(__file__).resolve().parents[2])


def decode(source: Path | bytes) -> Radiograph:
    """Decode a file, or the bytes of one, at most as many at once as there are cores.

    Raises:
        UnreadableFilm: the film's own fault, or ``too_slow``, ``too_large`` or ``crashed`` where it ended its process.
    """
    kind, content = (b"b", source) if isinstance(source, bytes) else (b"p", os.fsencode(source.absolute()))
    reply, pixels = _answer(kind, content)
    header = Header(**reply["header"]) if reply["header"] else None
    film = pixels.reshape(reply["shape"])
    return Radiograph(film, header, _remarks(reply["refusals"]), _remarks(reply["warnings"]))


def full_range(path: Path) -> FullRange | None:
    """The values of a DICOM file before its window, or None where it has none; as many at once as :func:`decode`.

    Raises:
        UnreadableFilm: as :func:`decode`.
    """
    reply, values = _answer(b"f", os.fsencode(path.absolute()))
    if "window" not in reply:
        return None
    black, white = reply["window"]
    return FullRange(values.view(np.uint16).reshape(reply["shape"]), (black, white))


def _answer(kind: bytes, content: bytes) -> tuple[dict[str, Any], np.ndarray]:
    with _places:
        worker = _borrow()
        try:
            return worker.answer(kind, content)
        finally:
            _give_back(worker)


def prepare() -> None:
    """Start a process now, so that it is ready when the first film comes."""
    with contextlib.suppress(UnreadableFilm):  # which the film itself then tells
        _give_back(_borrow())


class _Worker:
    def __init__(self) -> None:
        #: whether it waits for a film
        self.ready = True
        # Not multiprocessing: it would import the program's main module again, and needs a guard there.
        alone: dict[str, object] = (
            {"start_new_session": True}  # Ctrl-C in a terminal is for the parent
            if os.name == "posix"
            else {"creationflags": 0x08000200}  # CREATE_NO_WINDOW, CREATE_NEW_PROCESS_GROUP
        )
        threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}  # each reserves address space
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-S", "-W", "ignore", "-c", _START, *map(os.path.abspath, [*sys.path, _HOME])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # decoders quote damaged bytes there
                env=os.environ | threads | {"MALLOC_ARENA_MAX": "1"},
                **alone,  # type: ignore[call-overload]
            )
        except OSError as error:
            raise UnreadableFilm(
                "crashed", f"no process can be started to decode the film: {error.strerror}"
            ) from error

    def answer(self, kind: bytes, content: bytes) -> tuple[dict[str, Any], np.ndarray]:
        """What it replies, and the bytes that belong to it, uint8 ``(N,)``."""
        slow = threading.Event()

        def stop() -> None:
            slow.set()
            self._process.kill()

        self.ready = False
        clock = threading.Timer(PATIENCE, stop)
        clock.daemon = True
        clock.start()
        try:
            reply, pixels = self._ask(kind, content)
        except (OSError, EOFError) as error:
            raise self._death(slow.is_set()) from error
        finally:
            clock.cancel()
        self.ready = not reply.pop("last")
        if "code" in reply:
            raise UnreadableFilm(reply["code"], reply["reason"])
        if "refusals" in reply and "shape" not in reply:
            raise RefusedByHeader(_remarks(reply["refusals"]))
        return reply, pixels

    def _ask(self, kind: bytes, content: bytes) -> tuple[dict[str, Any], np.ndarray]:
        requests, replies = cast(BufferedWriter, self._process.stdin), cast(BufferedReader, self._process.stdout)
        requests.write(REQUEST.pack(kind, len(content)))
        requests.write(content)
        requests.flush()
        said, size = REPLY.unpack(_exactly(replies, REPLY.size))
        reply = json.loads(_exactly(replies, said))
        pixels = np.empty(size, dtype=np.uint8)
        if replies.readinto(pixels.data) != size:
            raise EOFError
        return reply, pixels

    def _death(self, slow: bool) -> UnreadableFilm:
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:  # it closed its pipes and lives
            code = None
        if slow or code == -getattr(signal, "SIGXCPU", 0):
            return UnreadableFilm("too_slow", f"decoding the file takes longer than {SECONDS} s; save it uncompressed")
        if code == -getattr(signal, "SIGKILL", 0):
            return UnreadableFilm("too_large", "the system ended the film's decoder, most likely for lack of memory")
        return UnreadableFilm("crashed", f"the film crashed its decoder (exit {code}); save it uncompressed, or as PNG")

    @property
    def alive(self) -> bool:
        return self.ready and self._process.poll() is None

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


_places = threading.BoundedSemaphore(cores())
_lock = threading.Lock()
_idle: list[_Worker] = []


def _borrow() -> _Worker:
    with _lock:
        while _idle:
            worker = _idle.pop()
            if worker.alive:
                return worker
            worker.end()
    return _Worker()


def _give_back(worker: _Worker) -> None:
    if not worker.alive:
        worker.end()
        return
    with _lock:
        _idle.append(worker)


def end_all() -> None:
    """End the processes that wait for a film; the next film starts a new one."""
    with _lock:
        while _idle:
            _idle.pop().end()


def _forget() -> None:
    """In a fork: the processes are the parent's, whose pipes must not be spoken into from two sides."""
    global _places, _lock, _idle
    _places, _lock, _idle = threading.BoundedSemaphore(cores()), threading.Lock(), []


atexit.register(end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _exactly(replies: BufferedReader, size: int) -> bytes:
    data = replies.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _remarks(pairs: list[list[str]]) -> tuple[Remark, ...]:
    return tuple(Remark(*pair) for pair in pairs)
