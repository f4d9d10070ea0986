"""Files in one piece, and one run at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ai_for_sudan.errors import UserError, printable
from ai_for_sudan.files import alone, replacing, write_text

HOLD = """
import sys, time
from ai_for_sudan.files import alone
with alone(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


def holder(target: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, target], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("kind", ["file", "folder", "new"])
def test_a_second_run_is_refused_until_the_first_ends_however_it_ends(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "outputs"
    if kind == "folder":
        target.mkdir()
    if kind == "file":
        target.write_text("kept")
    process = holder(target)
    try:
        with pytest.raises(UserError, match=r"outputs is in use by another run"), alone(target):
            pass
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    with alone(target), pytest.raises(UserError, match="in use"), alone(target):  # the crash has let go of it
        pass
    with alone(target):
        pass
    assert kind != "file" or target.read_text() == "kept"


def test_only_one_of_many_at_once_holds_it(tmp_path: Path) -> None:
    """Never may two hold one target."""
    script = f"""
import os, sys
from ai_for_sudan.errors import UserError
from ai_for_sudan.files import alone
for _ in range(300):
    try:
        with alone({str(tmp_path / "x")!r}):
            os.close(os.open({str(tmp_path / "mine")!r}, os.O_CREAT | os.O_EXCL))
            os.unlink({str(tmp_path / "mine")!r})
    except UserError:
        pass
"""
    processes = [subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True) for _ in range(4)]
    ended = [(process.communicate()[1], process.returncode) for process in processes]
    assert ended == [("", 0)] * 4


def test_a_file_has_one_lock_however_it_is_spelt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "readings.jsonl"
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "folder").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    with alone(target):
        for spelt in ("link", "folder/link", "./readings.jsonl", tmp_path / "folder" / "readings.jsonl"):
            with pytest.raises(UserError, match="in use by another run"), alone(spelt):
                pass
    with alone("link"), pytest.raises(UserError, match="in use"), alone(target):
        pass


def test_every_name_can_be_locked_and_no_two_share_a_lock(tmp_path: Path) -> None:
    for name in ("ص" * 127, "x" * 255):
        with alone(tmp_path / name), alone(tmp_path / (name[:-1] + "y")):
            pass
    assert max(len(os.fsencode(path.name)) for path in tmp_path.iterdir()) <= 255


def test_an_error_of_another_file_is_not_blamed_on_this_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="other"), replacing(tmp_path / "table.csv"):
        (tmp_path / "other").read_bytes()
    assert list(tmp_path.iterdir()) == []


def test_a_name_as_long_as_the_file_system_allows_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    write_text(path, "all of it")
    assert path.read_text() == "all of it"
    with pytest.raises(UserError, match="cannot write"):
        write_text(tmp_path / ("x" * 256), "nothing")
    assert [item.name for item in tmp_path.iterdir()] == ["x" * 255]


def test_what_fails_halfway_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("before")
    halfway = replacing(path)
    halfway.__enter__().write_text("half")
    with pytest.raises(ZeroDivisionError):
        halfway.gen.throw(ZeroDivisionError())  # type: ignore[attr-defined]
    assert path.read_text() == "before" and os.listdir(tmp_path) == ["page.html"]  # noqa: PTH208


def test_what_could_drive_a_terminal_or_forge_a_line_is_escaped() -> None:
    assert printable("a\x1b[2J\nb\x9b\u202ec\udcff\x7f") == "a\\x1b[2J\\nb\\x9b\\u202ec\\udcff\\x7f"
    assert printable("صدر الطفل é 胸 x.png") == "صدر الطفل é 胸 x.png"
