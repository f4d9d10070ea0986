from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ai_for_sudan.cli import main

COMMAND = [sys.executable, "-c", "import sys; from ai_for_sudan.cli import main; sys.exit(main(sys.argv[1:]))", "read"]


@pytest.fixture
def folder(tmp_path: Path, samples: Path) -> Path:
    """Two folders with a film of one name each, a bad file and a note that is not a film."""
    films = tmp_path / "films"
    for name, source in (("a/x.png", "normal_01.png"), ("b/x.png", "pneumonia_01.png"), ("b/y.png", "normal_02.png")):
        (films / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(samples / source, films / name)
    (films / "a" / "bad.jpg").write_bytes(b"\xff\xd8 cut")
    (films / "notes.txt").write_text("no film")
    return films


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_film_is_read_once_and_a_bad_one_does_not_stop_the_rest(
    folder: Path, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(folder), str(folder / "b" / "x.png"), str(folder / "a" / "*.png"), "--reader", str(tiny), "--json"]
    assert main(["read", *given]) == 1
    found = lines(capsys.readouterr().out)
    names = sorted(Path(str(line["file"])).relative_to(folder).as_posix() for line in found)
    assert names == ["a/bad.jpg", "a/x.png", "b/x.png", "b/y.png"]
    assert {line["status"] for line in found if line["probability"] is None} == {"failed"}
    assert main(["read", str(folder / "b"), "--reader", str(tiny), "--json"]) == 0


def test_what_a_folder_holds_beside_films_is_said(folder: Path, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(folder), "--reader", str(tiny), "--json", "--overlays", str(folder / "b" / "overlays")]
    assert main(["read", *given]) == 1
    assert "skipped: files without a film's content: 1 (the first: " in capsys.readouterr().err
    (folder.parent / "link").symlink_to(folder)
    assert main(["read", str(folder.parent / "link"), "--reader", str(tiny), "--json"]) == 1
    said = capsys.readouterr()
    assert len(lines(said.out)) == 4 and "pictures that this program made: 3" in said.err


def test_the_table_is_for_people(folder: Path, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", str(folder), "--reader", str(tiny)]) == 1
    out = capsys.readouterr().out
    assert "a clinician decides" in out and "is not a readable picture" in out and "could not be read" in out


def test_csv_overlays_and_report(folder: Path, tiny: Path, tmp_path: Path) -> None:
    shutil.move(folder / "b" / "y.png", folder / "b" / "<b>=1+1.png")
    out = tmp_path / "out"
    arguments = ["--csv", out / "r.csv", "--overlays", out / "overlays", "--report", out / "r.html", "--reader", tiny]
    assert main(["read", str(folder / "a"), str(folder / "b"), *map(str, arguments)]) == 1
    with (out / "r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 and {row["operating_point"] for row in rows} == {"balanced"}
    overlays = sorted(path.relative_to(out / "overlays").as_posix() for path in (out / "overlays").rglob("*.png"))
    assert overlays == ["a/x.png.overlay.png", "b/<b>=1+1.png.overlay.png", "b/x.png.overlay.png"]
    page = (out / "r.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg") == 6 and "<b>=1+1" not in page and "&lt;b&gt;=1+1" in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page) and "a clinician decides" in page
    statuses = re.findall(r'<article class="(\w+)"', page)
    assert statuses == sorted(statuses, key=["suspected", "uncertain", "failed", "refused", "not_seen"].index)
    assert not list(out.rglob("*.part"))


def test_overlays_written_among_the_films_are_not_read(folder: Path, tiny: Path, tmp_path: Path) -> None:
    for _ in range(2):
        arguments = ["--overlays", str(folder / "overlays"), "--csv", str(tmp_path / "r.csv"), "--reader", str(tiny)]
        assert main(["read", str(folder), *arguments]) == 1
        assert len((tmp_path / "r.csv").read_text().splitlines()) == 5


def test_an_interrupted_list_is_continued_where_it_was(
    folder: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "readings.jsonl"
    given = ["read", str(folder), "--reader", str(tiny), "--output", str(output)]
    assert main(given) == 1
    whole = output.read_bytes()
    first, second = whole.splitlines(keepends=True)[:2]
    output.write_bytes(first + second[: len(second) // 2])  # a power cut in the middle of a line
    report = tmp_path / "report.html"
    assert main([*given, "--report", str(report), "--json"]) in (0, 1)
    again = lines(output.read_text())
    assert len(again) == 4 and len({line["file"] for line in again}) == 4
    assert report.read_text().count("<article") == 4  # those of the earlier run too
    capsys.readouterr()
    assert main([*given, "--operating-point", "screening"]) == 2
    assert "holds readings by tiny 0.1 at 'balanced'" in capsys.readouterr().err
    output.write_text("no readings\n")
    assert main(given) == 2
    assert output.read_text() == "no readings\n"


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_end_keeps_what_was_read(
    samples: Path, tiny: Path, tmp_path: Path, start: Callable[..., subprocess.Popen[str]], asked: int
) -> None:
    films = tmp_path / "films"
    films.mkdir()
    for index in range(3000):
        os.link(samples / "normal_01.png", films / f"{index}.png") if index else shutil.copy(
            samples / "normal_01.png", films / "0.png"
        )
    output, table = tmp_path / "r.jsonl", tmp_path / "r.csv"
    command = [*COMMAND, films, "--reader", tiny, "--output", output, "--csv", table]
    process = start(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while not (output.exists() and output.stat().st_size > 2000) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(asked)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "interrupted" in errors and "Traceback" not in errors
    kept = lines(output.read_text())
    assert 0 < len(kept) < 3000
    assert len(table.read_text().splitlines()) == len(kept) + 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [".r.jsonl.lock", "films", "r.csv", "r.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--reader", "nothing"], "no reader 'nothing'"),
        (["--operating-point", "best"], "no operating point 'best'"),
        (["--threads", "0"], "--threads must be 1 to "),
        (["--threads", "100000"], "--threads must be 1 to "),
        (["--engine", "ray", "--report", "x.html"], "--engine ray writes only JSON lines and CSV"),
        (["--csv", "/dev/null/x.csv"], "cannot write"),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_2(
    folder: Path, tiny: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    given = [*arguments, *([] if "--reader" in arguments else ["--reader", str(tiny)])]
    assert main(["read", str(folder), *given]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_two_spellings_of_a_film_are_one_film(folder: Path, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    relative = os.path.relpath(folder / "b")
    assert main(["read", relative, str(folder / "b"), "--reader", str(tiny), "--json"]) == 0
    assert len(lines(capsys.readouterr().out)) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode on this system")
def test_a_name_that_is_no_text_is_read_like_any_other(folder: Path, tiny: Path, tmp_path: Path) -> None:
    name = folder / os.fsdecode(b"b/\xff.png")
    shutil.move(folder / "b" / "y.png", name)
    out = tmp_path / "out"
    arguments = ["--output", out / "r.jsonl", "--csv", out / "r.csv", "--report", out / "r.html", "--reader", tiny]
    done = subprocess.run(
        [*COMMAND, str(folder / "b"), *map(str, arguments)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    found = lines((out / "r.jsonl").read_bytes().decode("utf-8"))
    assert str(name) in {line["file"] for line in found}
    assert "\\udcff.png" in (out / "r.csv").read_text(encoding="utf-8")
    assert "\\udcff.png" in (out / "r.html").read_text(encoding="utf-8")


def test_what_cannot_be_looked_at_has_failed_and_the_others_are_read(
    folder: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = folder / "b"
    (good / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (good / "loop.png").symlink_to(good / "loop.png")
    os.mkfifo(good / "pipe.png")
    given = [str(good / "*.png"), "x" * 300 + ".png", str(good / "x.png" / "below.png")]
    table = tmp_path / "r.csv"
    assert (
        main(["read", *given, "--reader", str(tiny), "--csv", str(table), "--output", str(tmp_path / "r.jsonl")]) == 1
    )
    said = capsys.readouterr()
    assert "Traceback" not in said.err and "cannot write" not in said.err
    with table.open(newline="") as file:
        statuses = {Path(row["file"]).name[:8]: (row["status"], row["codes"]) for row in csv.DictReader(file)}
    failed = {
        "gone.png": "missing",
        "loop.png": "unreadable",
        "pipe.png": "no_file",
        "xxxxxxxx": "unreadable",
        "below.pn": "unreadable",
    }
    assert {name: code for name, (status, code) in statuses.items() if status == "failed"} == failed
    assert statuses.keys() - failed == {"x.png", "y.png"}


def test_an_empty_path_is_an_error(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "", "--reader", str(tiny)]) == 2
    assert "an empty path was given" in capsys.readouterr().err


def test_a_continued_run_makes_the_overlays_that_are_missing(folder: Path, tiny: Path, tmp_path: Path) -> None:
    output, overlays = tmp_path / "r.jsonl", tmp_path / "o"
    given = [
        "read",
        str(folder / "b"),
        "--reader",
        str(tiny),
        "--output",
        str(output),
        "--csv",
        str(tmp_path / "r.csv"),
    ]
    assert main(given) == 0
    before = output.read_bytes()
    for _ in range(2):
        assert main([*given, "--overlays", str(overlays)]) == 0
        assert sorted(path.name for path in overlays.iterdir()) == ["x.png.overlay.png", "y.png.overlay.png"]
        (overlays / "x.png.overlay.png").unlink()
    assert output.read_bytes() == before and len((tmp_path / "r.csv").read_text().splitlines()) == 3


def test_a_film_that_changed_is_marked_where_both_readings_are_listed(
    folder: Path, samples: Path, tiny: Path, tmp_path: Path
) -> None:
    output, table, page = tmp_path / "r.jsonl", tmp_path / "r.csv", tmp_path / "r.html"
    given = ["read", str(folder / "b"), "--reader", str(tiny), "--output", str(output)]
    assert main([*given]) == 0
    shutil.copy(samples / "normal_03.png", folder / "b" / "x.png")
    assert main([*given, "--csv", str(table), "--report", str(page)]) == 0
    with table.open(newline="") as file:
        rows = [(Path(row["file"]).name, row["warning_codes"]) for row in csv.DictReader(file)]
    assert sorted(rows) == [("x.png", ""), ("x.png", "film_changed"), ("y.png", "")]
    assert "has changed since an earlier reading" in page.read_text()
    assert [line["warning_codes"] for line in lines(output.read_text())] == [[], [], ["film_changed"]]


def test_a_request_to_end_while_the_reader_computes_is_one_line(
    samples: Path, build_tiny: Callable[..., Path], start: Callable[..., subprocess.Popen[str]]
) -> None:
    """Its self-test never ends; the thread that computes it must not bring the process down with an abort."""
    code = "import sys; from ai_for_sudan.cli import program; program(sys.argv[1:])"
    endless = build_tiny(endless=True)
    command = [sys.executable, "-X", "importtime", "-c", code, "read", samples / "normal_01.png", "--reader", endless]
    process = start(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    while "onnxruntime" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    said = [line for line in errors.splitlines() if not line.startswith("import time:")]
    assert (process.returncode, said) == (130, ["ai-for-sudan read: interrupted"])


def test_an_empty_folder_says_what_was_expected(tmp_path: Path, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", str(tmp_path), "--reader", str(tiny)]) == 2
    assert "no films were found" in capsys.readouterr().err
