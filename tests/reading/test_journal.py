"""The file of readings: what it takes for its own, what it drops, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ai_for_sudan.errors import UserError
from ai_for_sudan.reading.journal import Journal, identity


def line(film: Path, **changes: Any) -> dict[str, Any]:
    facts = {"file": str(film), "status": "not_seen", "reader": "r 1", "operating_point": "balanced"}
    return facts | identity(film) | changes


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.png"
    path.write_bytes(b"pixels")
    return path


def journal(path: Path) -> Journal:
    return Journal(path, "r 1", "balanced")


def test_folders_that_are_missing_are_made_and_lines_are_added(tmp_path: Path, film: Path) -> None:
    path = tmp_path / "a" / "b" / "readings.jsonl"
    with journal(path) as opened:
        assert opened.outcome(identity(film)) is None
        opened.add(line(film))
        assert len(path.read_text().splitlines()) == 1, "it is there before the file is closed"
    with journal(path) as opened:
        opened.add(line(film, status="failed"))
    rows = [json.loads(row) for row in path.read_text().splitlines()]
    assert [row["status"] for row in rows] == ["not_seen", "failed"]
    assert all(row["read_at"][10] == "T" and len(row["read_at"]) == 25 for row in rows)


def test_the_outcome_of_a_film_is_that_of_its_last_reading(tmp_path: Path, film: Path) -> None:
    path = tmp_path / "readings.jsonl"
    with journal(path) as opened:
        opened.add(line(film, status="failed"))
    assert journal(path).outcome(identity(film)) == "failed"
    with journal(path) as opened:
        opened.add(line(film))
    assert journal(path).outcome(identity(film)) == "read"
    kept: list[dict[str, Any]] = []
    Journal(path, "r 1", "balanced", kept.append)
    assert [row["status"] for row in kept] == ["failed", "not_seen"]
    assert not journal(path).changed(identity(film))
    film.write_bytes(b"other pixels")
    assert journal(path).outcome(identity(film)) is None, "another content is another film"
    assert journal(path).changed(identity(film))
    copy = tmp_path / "copy.png"
    copy.write_bytes(b"pixels")
    assert journal(path).outcome(identity(copy)) is None, "the same content elsewhere is another film"
    assert not journal(path).changed(identity(copy))


def test_a_film_that_was_not_there_is_dropped_wherever_it_stands(tmp_path: Path, film: Path) -> None:
    path = tmp_path / "readings.jsonl"
    lost = line(tmp_path / "lost.png", status="failed")
    assert lost["sha256"] is None
    path.write_text("".join(json.dumps(row) + "\n" for row in (line(film), lost, line(film))))
    with journal(path) as opened:
        assert opened.outcome(identity(tmp_path / "lost.png")) is None and opened.outcome(identity(film)) == "read"
    assert [json.loads(row)["file"] for row in path.read_text().splitlines()] == [str(film)] * 2


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_last_line_without_its_end_is_ended(tmp_path: Path, film: Path, end: str) -> None:
    path = tmp_path / "readings.jsonl"
    path.write_text(json.dumps(line(film)) + end)
    with journal(path) as opened:
        opened.add(line(film))
    assert [json.loads(row)["file"] for row in path.read_bytes().splitlines()] == [str(film)] * 2


@pytest.mark.parametrize("rest", ['{"file": "/films/2.p', "\0\0\0", "\0"])
def test_what_a_power_cut_left_is_dropped(tmp_path: Path, film: Path, rest: str) -> None:
    path = tmp_path / "readings.jsonl"
    path.write_text(json.dumps(line(film)) + "\n" + rest)
    with journal(path) as opened:
        assert opened.outcome(identity(film)) == "read"
    assert path.read_text() == json.dumps(line(film)) + "\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]\n", "not a JSON object"),
        ("notes without an end", "Expecting value"),
        ("\0\0", "Expecting value"),
        ("[" * 100_000 + "\n", "nested too deeply"),
        ('{"file": "a"}\n', "no reading"),
    ],
)
def test_a_file_of_somebody_else_is_left_as_it_is(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        journal(path)
    assert str(caught.value) == (f"{path} is not a file of readings that can be continued (line 1); name another file")
    assert reason in str(caught.value.__cause__) and path.read_text() == text


def test_one_line_that_begins_as_ours_do_and_does_not_end_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "readings.jsonl"
    path.write_text('{"file": "a"}')
    kept: list[dict[str, Any]] = []
    Journal(path, "r 1", "balanced", kept.append)
    assert kept == []


def test_readings_by_another_reader_are_named(tmp_path: Path, film: Path) -> None:
    path = tmp_path / "readings.jsonl"
    path.write_text(json.dumps(line(film)) + "\n")
    for reader, point in (("r 2", "balanced"), ("r 1", "screening")):
        with pytest.raises(UserError) as caught:
            Journal(path, reader, point)
        assert str(caught.value) == (
            f"{path} holds readings by r 1 at 'balanced', these would be by {reader} at '{point}'; name another file"
        )
    for wrong in ({"status": "fine"}, {"path": 3}, {"sha256": 3}):
        path.write_text(json.dumps(line(film, **wrong)) + "\n")
        with pytest.raises(UserError, match="not a file of readings"):
            journal(path)
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(UserError, match=r"folder is not a file; name a file for the readings$"):
        journal(folder)


def test_a_journal_that_is_not_open_takes_nothing(tmp_path: Path, film: Path) -> None:
    with pytest.raises(ValueError, match="the journal is not open; use it in a with statement"):
        journal(tmp_path / "readings.jsonl").add(line(film))
