"""A list that is continued reads each film once; what a command writes never destroys what it did not write."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from dicom_film import as_bytes, dicom

from ai_for_sudan.cli import main
from ai_for_sudan.cli.inputs import picture_path

Read = Callable[..., int]


@pytest.fixture
def read(tiny: Path) -> Read:
    def run(*arguments: object) -> int:
        return main(["read", *map(str, arguments), "--reader", str(tiny)])

    return run


@pytest.fixture
def films(tmp_path: Path, samples: Path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    for number, name in enumerate(("normal_01", "pneumonia_01", "normal_02")):
        shutil.copy(samples / f"{name}.png", folder / f"film{number}.png")
    return folder


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_film_is_identified_by_its_path_and_its_content(
    read: Read, films: Path, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "readings.jsonl"
    for patient, source in (("p1", "normal_01"), ("p2", "pneumonia_01")):
        (tmp_path / patient / "films").mkdir(parents=True)
        shutil.copy(samples / f"{source}.png", tmp_path / patient / "films" / "film1.png")
    for patient in ("p1", "p2"):  # the same words, another patient's film
        monkeypatch.chdir(tmp_path / patient)
        assert read("films/film1.png", "--output", output) == 0
    monkeypatch.chdir(tmp_path)
    again = [str(tmp_path / "p1/films"), "p2/films/../films/film1.png", "p2"]  # other words, the same films
    assert read(*again, "--output", output) == 0
    kept = lines(output)
    assert [Path(str(line["path"])).parts[-3] for line in kept] == ["p1", "p2"]
    assert len({line["probability"] for line in kept}) == 2
    shutil.copy(samples / "normal_02.png", tmp_path / "p1/films/film1.png")  # another film under the same name
    assert read(*again, "--output", output) == 0
    assert len(lines(output)) == 3 and lines(output)[:2] == kept


def test_a_film_that_was_not_there_is_tried_again_and_a_failure_counts_until_it_is_mended(
    read: Read, films: Path, samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, late = tmp_path / "readings.jsonl", films / "late.png"
    damaged = films / "damaged.png"
    damaged.write_bytes((samples / "normal_01.png").read_bytes()[:300])
    given = [films / "film0.png", damaged, late, "--output", output]
    for _ in range(2):
        assert read(*given) == 1
        assert [line["codes"] for line in lines(output) if line["file"] == str(late)] == [["missing"]]
        assert len(lines(output)) == 3
    shutil.copy(samples / "normal_02.png", late)
    capsys.readouterr()
    assert read(*given) == 1  # the damaged one still counts
    assert "2  read by an earlier run, 1 of which could not be read" in capsys.readouterr().out
    assert len(lines(output)) == 3 and lines(output)[-1]["status"] != "failed"
    shutil.copy(samples / "normal_03.png", damaged)
    assert read(*given) == 0
    assert read(*given) == 0


def test_a_whole_last_line_without_its_end_is_kept(read: Read, films: Path, tmp_path: Path) -> None:
    output = tmp_path / "readings.jsonl"
    assert read(films, "--output", output) == 0
    whole = output.read_bytes()
    output.write_bytes(whole.rstrip(b"\n"))
    assert read(films, "--output", output) == 0
    assert output.read_bytes() == whole
    first = whole.splitlines(keepends=True)[0]
    output.write_bytes(first[:40])  # the power failed within the first line
    assert read(films, "--output", output) == 0
    assert len(lines(output)) == 3
    output.write_bytes(first + bytes(300))  # and some file systems leave zeros
    assert read(films, "--output", output) == 0
    assert len(lines(output)) == 3


@pytest.mark.parametrize(
    "content",
    [
        b"my notes, without a line break",
        b"my notes\n",
        b'{"some": "JSON"}\n',
        b'{"some": "JSON"}',
        b"[1, 2]\n",
        b"\0\0\0",
        b'{"file": "a.png", "reader": "tiny 0.1", "operating_point": "balanced", "path": "/a.png", "sha256": "00"}\n',
        b'{"file": 1, "status": "suspected", "reader": "tiny 0.1", "operating_point": "balanced"}\n',
        b"[" * 100_000 + b"\n",
        b'{"file": "a.png", "status": "not_seen", "reader": "tiny 0.1", "operating_point": "balanced"}\n',
    ],
    ids=["notes", "line", "json", "json_cut", "list", "zeros", "no_status", "wrong_type", "deep", "version_0.1.0"],
)
@pytest.mark.parametrize("option", ["--output", "--csv", "--report"])
def test_a_file_that_the_command_did_not_write_is_left(
    read: Read, films: Path, tmp_path: Path, option: str, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "target.txt"
    target.write_bytes(content)
    assert read(films, option, target) == 2
    output = capsys.readouterr().err
    assert output.count("\n") == 1 and "name another file" in output and "Traceback" not in output
    assert target.read_bytes() == content


@pytest.mark.parametrize("option", ["--output", "--csv", "--report"])
def test_a_forgotten_file_name_destroys_no_film(
    read: Read, films: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in films.iterdir()}
    assert read(option, *sorted(films.iterdir())) == 2  # as `read --csv films/*.png` comes from a shell
    assert "has the name of a film" in capsys.readouterr().err
    assert read(films / "film0.png", option, os.path.relpath(films / "film0.png")) == 2
    assert "is among the inputs" in capsys.readouterr().err
    assert read(films, option, films) == 2
    assert "is a folder" in capsys.readouterr().err
    assert read(films, option, "/dev/null") == 2
    assert {path: path.read_bytes() for path in films.iterdir()} == before


def test_two_options_never_share_a_file(read: Read, films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert read(films, "--csv", films / "x", "--output", films / "a/../x") == 2
    assert "both name" in capsys.readouterr().err


def test_what_the_command_wrote_is_written_anew(read: Read, films: Path, tmp_path: Path) -> None:
    given = ["--csv", tmp_path / "r.csv", "--report", tmp_path / "r.html", "--overlays", tmp_path / "o"]
    assert read(films, *given) == 0
    assert read(films / "film0.png", *given) == 0
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 2
    assert (tmp_path / "r.html").read_text().count("<article") == 1


def test_overlays_never_replace_films_nor_are_read_as_films(
    read: Read, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read(films, "--overlays", films) == 2
    assert "holds the films" in capsys.readouterr().err
    assert read(films, "--overlays", films / "film0.png") == 2
    monkeypatch.chdir(films)
    (tmp_path / "link").symlink_to(films)
    for spelt in (films, tmp_path / "link", "."):  # the overlays lie below the films, spelt in other ways
        assert read(spelt, "--overlays", "overlays" if spelt == films else films / "overlays") == 0
        assert len(list((films / "overlays").rglob("*"))) == 3
    foreign = films / "overlays" / "film1.png.overlay.png"
    shutil.copy(films / "film1.png", foreign)
    capsys.readouterr()
    assert read(films, "--overlays", films / "overlays") == 1
    assert "film1.png: no overlay was saved" in capsys.readouterr().err
    assert foreign.read_bytes() == (films / "film1.png").read_bytes()


def test_a_name_too_long_for_its_overlay_gets_a_shorter_one(read: Read, films: Path, tmp_path: Path) -> None:
    for letter in "ab":
        shutil.copy(films / "film0.png", films / f"{'x' * 250}{letter}.png")
    given = [films, "--overlays", tmp_path / "o", "--csv", tmp_path / "r.csv", "--report", tmp_path / "r.html"]
    assert read(*given, "--output", tmp_path / "r.jsonl") == 0
    assert len(list((tmp_path / "o").iterdir())) == len(lines(tmp_path / "r.jsonl")) == 5
    longest = picture_path(Path("o"), Path("/"), f"/{'ص' * 127}")
    assert len(os.fsencode(longest.name)) <= 255


def test_one_picture_that_cannot_be_kept_stops_no_batch(
    read: Read, films: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (films / "closed").mkdir()
    shutil.copy(films / "film0.png", films / "closed" / "film.png")
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "closed").write_text("where the folder would be")
    assert read(films, "--overlays", tmp_path / "o", "--output", tmp_path / "r.jsonl") == 1
    output = capsys.readouterr()
    assert output.err.count("no overlay was saved") == 1 and "Traceback" not in output.err
    assert len(lines(tmp_path / "r.jsonl")) == 4


def test_a_name_too_long_for_the_file_system_is_one_line(
    read: Read, films: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ("--output", "--csv", "--report", "--overlays"):
        assert read(films, option, tmp_path / ("x" * 300)) in (1, 2)
        assert "Traceback" not in (output := capsys.readouterr().err) and "too long" in output


def test_a_second_run_on_one_output_is_refused(
    read: Read, films: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that waits for its film, while another asks for the same output."""
    output = tmp_path / "readings.jsonl"
    script = """
import sys, time
from ai_for_sudan import reading
from ai_for_sudan.cli import main
from ai_for_sudan.reading import Reader
def wait(*_, **__):
    print("reading", flush=True)
    time.sleep(600)
Reader.read = wait
main(sys.argv[1:])
"""
    command = ["read", films / "film0.png", "--reader", tiny, "--output", output]
    first = subprocess.Popen([sys.executable, "-c", script, *map(str, command)], stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout is not None and first.stdout.readline() == "reading\n"
        assert read(films, "--output", output) == 2
        assert f"{output} is in use by another run" in capsys.readouterr().err
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert read(films, "--output", output) == 0
    assert len(lines(output)) == 3


def test_warnings_stand_in_csv_json_table_and_page(
    read: Read, tmp_path: Path, capsys: pytest.CaptureFixture[str], samples: Path
) -> None:
    import numpy as np
    from PIL import Image

    with Image.open(samples / "normal_01.png") as picture:
        pixels = np.asarray(picture.convert("L"))
    film = tmp_path / "adult.dcm"
    film.write_bytes(as_bytes(dicom(pixels, PatientAge="064Y")))
    outputs = ["--csv", tmp_path / "r.csv", "--report", tmp_path / "r.html", "--output", tmp_path / "r.jsonl"]
    assert read(film, *outputs) == 0
    text = lines(tmp_path / "r.jsonl")[0]["warnings"][0]  # type: ignore[index]
    assert "64 years" in text and lines(tmp_path / "r.jsonl")[0]["warning_codes"] == ["age_outside"]
    with (tmp_path / "r.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert (row["warning_codes"], row["warnings"]) == ("age_outside", text)
    assert text in capsys.readouterr().out and text in (tmp_path / "r.html").read_text()


def test_a_refused_film_shows_no_number_in_table_and_page(
    read: Read, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    Image.new("L", (200, 200), 90).save(tmp_path / "blank.png")
    assert read(tmp_path / "blank.png", "--report", tmp_path / "r.html") == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("refused"))
    assert not re.search(r"\d\.\d", line.partition(str(tmp_path))[0])
    article = (tmp_path / "r.html").read_text().partition("<article")[2]
    assert "probability of" not in article and "meter" not in article


def test_names_are_printed_without_control_characters(
    read: Read, films: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = films / "x\x1b[2J\x9b\nnot_seen         0.001  all.png"
    shutil.move(films / "film0.png", evil)
    (films / "y\x1b[2J.jpg").write_bytes(b"no film")
    outputs = ["--csv", tmp_path / "r.csv", "--report", tmp_path / "r.html", "--overlays", tmp_path / "o"]
    for more in ([], ["--json"], outputs):
        assert read(films, *more) == 1
        output = capsys.readouterr()
        assert not re.search("[\x1b\x9b]", output.out + output.err)
        assert not re.search(r"^not_seen +0\.001  all", output.out, re.MULTILINE)
    assert read("no\x1b[2Jfilms\n.png", "--output", films / "a\x1b[2J") == 1
    for made in (tmp_path / "r.csv", tmp_path / "r.html"):
        text = made.read_text()
        assert not re.search("[\x1b\x9b]", text) and "x\\x1b[2J\\x9b\\nnot_seen" in text
