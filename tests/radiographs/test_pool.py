"""Decoding in processes with limits: what a film does to its process, its neighbours must not notice."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs import RefusedByHeader, pool, read_radiograph

#: other programs are started
pytestmark = pytest.mark.slow

TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
GREY = np.arange(40 * 50, dtype=np.uint8).reshape(40, 50)
posix = pytest.mark.skipif(os.name != "posix", reason="signals and limits are POSIX's")


def tiff() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, "TIFF")
    return buffer.getvalue()


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """No process is there from before, nor stays."""
    pool.end_all()
    yield monkeypatch
    pool.end_all()


def with_decoder(fresh: pytest.MonkeyPatch, body: str) -> None:
    """A decoder of pictures that does what ``body`` says, in the processes that are started from now on."""
    code = (
        "import ai_for_sudan.radiographs.worker as worker\n"
        "import ai_for_sudan.radiographs.picture as picture\n"
        f"def decode(data):\n    {body}\n"
        "real, picture.decode = picture.decode, lambda data: decode(data) if b'evil' in data else real(data)\n"
    )
    start = pool._START.replace("; from", "\nfrom").replace("; main()", f"\n{code}worker.SECONDS = 2\nmain()")
    fresh.setattr(pool, "_START", start)


@posix
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("import ctypes; ctypes.string_at(0)", "crashed"),
        ("import os; os.abort()", "crashed"),
        ("import os; os._exit(0)", "crashed"),
        ("import os; os.kill(os.getpid(), 9)", "too_large"),
        pytest.param(
            "return bytearray(3_000_000_000)",
            "too_large",
            marks=pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not keep RLIMIT_AS"),
        ),
        ("raise MemoryError", "too_large"),
        ("raise SystemError('broken')", "damaged"),
        pytest.param("while True: pass", "too_slow", marks=pytest.mark.timeout(60)),
        ("import sys; sys.stdout.write('x' * 100000); sys.stdout.flush(); print('y'); raise ValueError", "damaged"),
    ],
)
def test_a_film_that_ends_its_decoder_gets_a_reason_and_the_next_one_is_decoded(
    body: str, code: str, fresh: pytest.MonkeyPatch
) -> None:
    with_decoder(fresh, body)
    with pytest.raises(UnreadableFilm) as caught:
        read_radiograph(b"evil" * 100)
    assert caught.value.code == code and caught.value.reason.isprintable()
    np.testing.assert_array_equal(read_radiograph(tiff()).pixels, GREY)


@pytest.mark.timeout(60)
def test_a_decoder_that_waits_for_ever_is_ended(fresh: pytest.MonkeyPatch) -> None:
    """Where processor time is not counted (Windows), or not used."""
    with_decoder(fresh, "import time; time.sleep(1000)")
    fresh.setattr(pool, "PATIENCE", 0.5)
    with pytest.raises(UnreadableFilm) as caught:
        read_radiograph(b"evil" * 100)
    assert caught.value.code == "too_slow"


def test_without_a_process_the_film_fails_with_the_reason(fresh: pytest.MonkeyPatch) -> None:
    fresh.setattr(sys, "executable", "/no/python/here")
    with pytest.raises(UnreadableFilm, match="no process can be started") as caught:
        read_radiograph(tiff())
    assert caught.value.code == "crashed"
    pool.prepare()


def test_a_process_is_kept_for_the_next_film_and_replaced_when_it_died(fresh: pytest.MonkeyPatch) -> None:
    read_radiograph(tiff())
    (worker,) = pool._idle
    read_radiograph(TEST_FILES / "CT_small.dcm")
    assert pool._idle == [worker]
    worker._process.kill()
    worker._process.wait()
    np.testing.assert_array_equal(read_radiograph(tiff()).pixels, GREY)
    assert pool._idle != [worker]


def test_a_process_that_has_grown_is_replaced(fresh: pytest.MonkeyPatch) -> None:
    with_decoder(fresh, "import numpy; numpy.ones(500_000_000, numpy.uint8); return numpy.zeros((9, 9), 'u1')")
    assert read_radiograph(b"evil" * 100).pixels.shape == (9, 9)
    assert pool._idle == []
    np.testing.assert_array_equal(read_radiograph(tiff()).pixels, GREY)


def test_many_threads_get_each_their_own_film() -> None:
    names = ["CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "rtplan.dcm"]

    def decoded(name: str) -> object:
        try:
            return read_radiograph(TEST_FILES / name).pixels.shape
        except UnreadableFilm as error:
            return error.code

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(decoded, names * 10))
    assert found == [(128, 128), (64, 64), (1024, 256), "header_modality"] * 10


def test_a_refusal_and_a_header_come_through_whole(tmp_path: Path) -> None:
    with pytest.raises(RefusedByHeader) as caught:
        read_radiograph(TEST_FILES / "rtplan.dcm")
    assert caught.value.code == "header_modality" and caught.value.refusals[0][0] == "header_modality"
    film = read_radiograph(TEST_FILES / "CT_small.dcm")
    assert film.header is not None and film.header.modality == "CT"
    assert film.refusals[0][0] == "header_modality" and film.pixels.flags.writeable


def test_the_settings_of_the_host_program_are_its_own() -> None:
    code = (
        "import sys, warnings, pydicom\n"
        "from pydicom import config\n"
        "def settings():\n"
        "    mine = config.settings\n"
        "    return mine.reading_validation_mode, mine.writing_validation_mode, warnings.filters[:]\n"
        "before = settings()\n"
        "from ai_for_sudan.radiographs import read_radiograph\n"
        "import ai_for_sudan.radiographs.dicom, ai_for_sudan.radiographs.picture\n"
        "read_radiograph(sys.argv[1])\n"
        "read_radiograph(sys.argv[2])\n"
        "print(before == settings())\n"
    )
    samples = Path(__file__).resolve().parents[2] / "samples"
    done = subprocess.run(
        [sys.executable, "-c", code, TEST_FILES / "CT_small.dcm", samples / "normal_01.png"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "True\n" and done.stderr == ""


def test_pictures_decoded_in_threads_leave_the_filters_of_warnings_as_they_were(samples: Path) -> None:
    before = warnings.filters[:]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(read_radiograph, [samples / "normal_01.png"] * 200))
    assert warnings.filters == before


@posix
@pytest.mark.timeout(60)
@pytest.mark.parametrize("ending", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_no_process_is_left_behind(ending: str, tmp_path: Path) -> None:
    """In the middle of a film: the decoder notices that its parent is gone."""
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import ai_for_sudan.radiographs.pool as pool\n"
        "pool._START = pool._START.replace('main()', 'import ai_for_sudan.radiographs.picture as p, time; "
        "p.decode = lambda data: time.sleep(1000); main()')\n"
        "worker = pool._borrow(); print(worker._process.pid, flush=True); pool._give_back(worker)\n"
        "pool.decode(b'film' * 100)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert parent.stdout
    child = int(parent.stdout.readline())
    time.sleep(0.5)
    os.kill(child, 0)
    parent.send_signal(getattr(signal, ending))
    parent.wait()
    while True:  # pytest's timeout ends this
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            break
        if Path(f"/proc/{child}/stat").exists() and Path(f"/proc/{child}/stat").read_text().split()[2] == "Z":
            break  # ended, and nobody has asked for its exit code
        time.sleep(0.05)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_fork_has_processes_of_its_own() -> None:
    read_radiograph(tiff())
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, bytes(read_radiograph(tiff()).pixels[:1, :5]))
        finally:
            os._exit(0)
    for _ in range(20):
        np.testing.assert_array_equal(read_radiograph(tiff()).pixels, GREY)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == bytes(GREY[:1, :5])
    os.close(reading)
    os.close(writing)


def test_ctrl_c_in_the_middle_of_an_answer_leaves_no_answer_for_the_next_film(fresh: pytest.MonkeyPatch) -> None:
    with_decoder(fresh, "import time; time.sleep(1); return real(data)")
    worker = pool._borrow()
    pool._give_back(worker)
    interrupted = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
    interrupted.start()
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            read_radiograph(b"evil" * 100)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert worker not in pool._idle and worker._process.poll() is not None
    np.testing.assert_array_equal(read_radiograph(tiff()).pixels, GREY)
