from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_for_sudan.cli import main
from ai_for_sudan.cli.interrupts import terminable, uninterrupted
from ai_for_sudan.reading.table import Table


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Those of a program begun from a terminal; a test may run where SIGINT is ignored."""
    before = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    kept = {number: signal.signal(number, handler) for number, handler in before.items()}
    yield
    now = {number: signal.getsignal(number) for number in before}
    for number, handler in kept.items():
        signal.signal(number, handler)
    assert now == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_waits_until_the_block_is_done(number: signal.Signals) -> None:
    done = []

    def work() -> None:
        with uninterrupted():
            signal.raise_signal(number)
            signal.raise_signal(number)
            done.append("in the block")
        done.append("after it")

    with pytest.raises(KeyboardInterrupt), terminable():
        work()
    assert done == ["in the block"]


def test_a_fault_in_the_block_gives_the_handlers_back() -> None:
    with pytest.raises(ValueError, match="spoilt"), uninterrupted():
        raise ValueError("spoilt")


def test_what_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
    assert signal.signal(signal.SIGINT, signal.default_int_handler) is signal.SIG_IGN


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_film_is_in_all_that_is_kept_or_in_none(
    number: signal.Signals, samples: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = Table.add

    def add(self: Table, line: dict[str, object]) -> None:
        added(self, line)
        signal.raise_signal(number)

    monkeypatch.setattr(Table, "add", add)
    output, table = tmp_path / "r.jsonl", tmp_path / "r.csv"
    assert main(["read", str(samples), "--reader", str(tiny), "--output", str(output), "--csv", str(table)]) == 130
    assert len(output.read_text().splitlines()) == 1
    assert len(table.read_text().splitlines()) == 2
