from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ai_for_sudan import processes
from ai_for_sudan.processes import cores, in_parallel


def test_a_container_gets_the_cores_of_its_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert processes.container_quota(tmp_path) == 1.5
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert processes.container_quota(tmp_path) == float("inf")
    (tmp_path / "cpu.max").unlink()
    assert processes.container_quota(tmp_path) == float("inf")
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("50000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert processes.container_quota(tmp_path) == 0.5
    monkeypatch.setattr(processes, "container_quota", lambda control: 0.5)
    assert cores() == 1


@pytest.mark.parametrize("threads", [1, 3, None])
def test_results_come_in_order_and_a_long_list_is_not_held(threads: int | None) -> None:
    drawn = 0

    def numbers() -> object:
        nonlocal drawn
        while drawn < 1000:
            yield drawn
            drawn += 1

    results = in_parallel(lambda number: number * 2, numbers(), threads=threads)  # type: ignore[arg-type]
    assert [next(results) for _ in range(5)] == [0, 2, 4, 6, 8]
    assert drawn <= 5 + 2 * (threads or cores())
    results.close()  # type: ignore[attr-defined]


def test_what_was_not_begun_is_left_when_the_work_is_stopped() -> None:
    begun = []
    release = threading.Event()

    def work(number: int) -> int:
        begun.append(number)
        if number > 1:
            release.wait(10)
        return number

    results = in_parallel(work, range(100), threads=2)
    assert next(results) == 0
    threading.Timer(0.2, release.set).start()
    results.close()  # type: ignore[attr-defined]
    assert len(begun) < 8
