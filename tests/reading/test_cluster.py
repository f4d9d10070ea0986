"""The same list on a Ray cluster of two workers, one of which dies."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import threading
from pathlib import Path

import pytest

from ai_for_sudan.errors import UserError
from ai_for_sudan.reading import Reader

ray = pytest.importorskip("ray", reason="the extra [cluster] is not installed")


def _workers_of_mine() -> list[int]:
    """Processes that read films below this one, by /proc."""
    parents: dict[int, int] = {}
    readers = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if (entry / "cmdline").read_bytes().startswith(b"ray::_read_batch"):
                readers.append(int(entry.name))
        except (OSError, IndexError):
            continue

    def below(process: int) -> bool:
        while process > 1:
            if process == os.getpid():
                return True
            process = parents.get(process, 0)
        return False

    return [process for process in readers if below(process)]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the workers by /proc")
def test_each_film_is_answered_once_even_when_a_worker_dies(
    samples: Path, tiny: Path, reader: Reader, tmp_path: Path
) -> None:
    from ai_for_sudan.reading.cluster import read_on_cluster

    films = []
    for index in range(200):
        films.append(tmp_path / f"{index:03}.png")
        shutil.copy(sorted(samples.glob("*.png"))[index % 24], films[-1])
    films.append(tmp_path / "missing.png")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        answers, killed = [], 0
        for line in read_on_cluster(tiny, films):
            answers.append(line)
            if not killed and len(answers) >= 8:
                for process in _workers_of_mine()[:1]:
                    os.kill(process, signal.SIGKILL)
                    killed = process
    finally:
        ray.shutdown()
    assert killed
    assert sorted(line["file"] for line in answers) == sorted(map(str, films))
    for line in answers:
        alone = reader.read(str(line["file"])).to_dict()
        assert {**line, "elapsed_ms": 0} == {**alone, "elapsed_ms": 0}


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the workers by /proc")
def test_films_that_kill_every_worker_are_answered_as_failed(samples: Path, tiny: Path) -> None:
    from ai_for_sudan.reading.cluster import read_on_cluster

    films = sorted(samples.glob("*.png"))[:2]
    over = threading.Event()

    def kill() -> None:
        while not over.wait(0.02):
            for process in _workers_of_mine():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        killer.start()
        lines = list(read_on_cluster(tiny, films))
    finally:
        over.set()
        killer.join()
        ray.shutdown()
    assert sorted(line["file"] for line in lines) == sorted(map(str, films))
    assert [(line["status"], line["codes"], line["probability"]) for line in lines] == [
        ("failed", ["worker_lost"], None)
    ] * 2


def test_a_cluster_that_does_not_answer_is_one_line(tiny: Path) -> None:
    from ai_for_sudan.reading.cluster import read_on_cluster

    with socket.socket() as taken:  # a port on which nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UserError, match=f"no Ray cluster answers at {address}"):
            next(read_on_cluster(tiny, [tiny], address=address))
