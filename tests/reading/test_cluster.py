"""The same list on a Ray cluster of two workers, one of which dies."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import Any

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
            if (entry / "cmdline").read_bytes().startswith(b"ray::read_batch"):
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
def test_each_film_is_read_once_even_when_a_worker_dies(
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
        lines, killed = [], 0
        for line in read_on_cluster(tiny, films):
            lines.append(line)
            if not killed and len(lines) >= 8:
                for process in _workers_of_mine()[:1]:
                    os.kill(process, signal.SIGKILL)
                    killed = process
    finally:
        ray.shutdown()
    assert killed
    assert sorted(line["file"] for line in lines) == sorted(map(str, films))
    for line in lines:
        alone = reader.read(str(line["file"])).to_dict()
        assert {**line, "elapsed_ms": 0} == {**alone, "elapsed_ms": 0}


def read_batch_or_die(weights: bytes, name: str, files: list[str], *rest: Any) -> list[dict[str, Any]]:
    from ai_for_sudan.reading import cluster

    if any("crashing" in file for file in files):
        os._exit(1)
    return cluster.read_batch(weights, name, files, *rest)


def test_a_film_that_kills_every_worker_fails_alone(
    samples: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ai_for_sudan.reading import cluster

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers cannot import a test
    monkeypatch.setattr(cluster, "read_batch", read_batch_or_die)
    films = [tmp_path / f"{name}.png" for name in ("first", "crashing", "last")]
    for film in films:
        shutil.copy(samples / "normal_01.png", film)
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        lines = {line["file"]: line for line in cluster.read_on_cluster(tiny, films)}
    finally:
        ray.shutdown()
        ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    assert sorted(lines) == sorted(map(str, films))
    lost = lines[str(films[1])]
    assert (lost["status"], lost["codes"], lost["probability"]) == ("failed", ["worker_lost"], None)
    assert all(lines[str(film)]["probability"] is not None for film in (films[0], films[2]))


def test_a_cluster_that_does_not_answer_is_one_line(tiny: Path) -> None:
    from ai_for_sudan.reading.cluster import read_on_cluster

    with socket.socket() as taken:  # a port on which nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UserError, match=f"no Ray cluster answers at {address}"):
            next(read_on_cluster(tiny, [tiny], address=address))
