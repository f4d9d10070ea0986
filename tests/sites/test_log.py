"""Which lines of a site's logs are readings, and what is said of the others."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ai_for_sudan.errors import UserError
from ai_for_sudan.sites.log import Entry, LeftOut, read_log

NOW = datetime(2025, 6, 1, 12)
LINE: dict[str, Any] = {"status": "not_seen", "probability": 0.25, "reader": "tiny 0.1", "date": "2025-03-05T10:00:00"}


def log(folder: Path, *lines: Any, name: str = "log.jsonl") -> Path:
    path = folder / name
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def only(folder: Path, **changes: Any) -> Entry:
    """The entry of one line."""
    (entry,), left_out = read_log([log(folder, LINE | changes)], now=NOW)
    assert left_out == []
    return entry


def complaint(folder: Path, line: Any) -> str:
    """What is said of a line beside one that is in order."""
    found, left_out = read_log([log(folder, LINE, line)], now=NOW)
    assert len(found) == 1 and [one.line for one in left_out] == [f"{folder / 'log.jsonl'}, line 2"]
    return left_out[0].reason


def test_a_line_becomes_an_entry(tmp_path: Path) -> None:
    entry = only(tmp_path, embedding=[1, 2.5], verdict="unsure", reference="negative")
    assert entry.week.isoformat() == "2025-03-03", "the Monday before that Wednesday"
    assert entry.score == pytest.approx(np.log(0.25 / 0.75))
    assert entry.embedding is not None and entry.embedding.tolist() == [1.0, 2.5]
    assert (entry.status, entry.verdict, entry.positive, entry.reader) == ("not_seen", "unsure", False, "tiny 0.1")
    assert entry.line == f"{tmp_path / 'log.jsonl'}, line 1"
    assert only(tmp_path, reference="positive").positive is True
    assert entry.film == "" and only(tmp_path, sha256="ab12").film == "ab12" and only(tmp_path, sha256=7).film == ""


def test_what_a_line_does_not_say_is_not_known(tmp_path: Path) -> None:
    entry = only(tmp_path)
    assert (entry.embedding, entry.verdict, entry.positive) == (None, None, None)
    path = log(tmp_path, {"status": "suspected", "probability": 0.5, "read_at": "2025-03-05"})
    assert read_log([path], now=NOW)[0][0].reader == ""
    assert len(only(tmp_path, reader="r" * 300).reader) == 200


@pytest.mark.parametrize("status", ["failed", "refused"])
def test_a_film_that_was_not_read_has_no_score(tmp_path: Path, status: str) -> None:
    entry = only(tmp_path, status=status, probability=None, embedding=[1.0])
    assert entry.score is None and entry.embedding is None


@pytest.mark.parametrize("status", ["uncertain", "not_seen", "suspected"])
@pytest.mark.parametrize("probability", [0, 1])
def test_certain_readings_are_readings(tmp_path: Path, status: str, probability: int) -> None:
    score = only(tmp_path, status=status, probability=probability).score
    assert score == pytest.approx((2 * probability - 1) * np.log(999999))


STATUSES = "suspected, not_seen, uncertain, refused, failed"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "this is not valid JSON"),
        ("[1]", "this is not a JSON object"),
        ({**LINE, "status": None}, f"status None; expected one of {STATUSES}"),
        ({**LINE, "date": "yesterday"}, "date 'yesterday'; expected ISO 8601 in 'date' or 'read_at'"),
        ({**LINE, "verdict": "maybe"}, "verdict 'maybe'; expected one of agree, disagree, unsure"),
        ({**LINE, "reference": "ill"}, "reference 'ill'; expected positive or negative"),
        ({**LINE, "probability": None}, "probability None; expected a number in 0..1"),
        ({**LINE, "probability": 1.001}, "probability 1.001; expected a number in 0..1"),
        ({**LINE, "probability": -0.001}, "probability -0.001; expected a number in 0..1"),
        ({**LINE, "probability": True}, "probability True; expected a number in 0..1"),
        ({**LINE, "verdict": "a" * 99}, f"verdict '{'a' * 59}; expected one of agree, disagree, unsure"),
        ({**LINE, "embedding": [0.5, "x"]}, "an embedding that is not a list of numbers"),
        ({**LINE, "embedding": [0.5, True]}, "an embedding that is not a list of numbers"),
        ({**LINE, "embedding": [0.5, -1e100]}, "an embedding that is not a list of numbers"),
        ({**LINE, "embedding": {"0": 0.5}}, "an embedding that is not a list of numbers"),
        ({**LINE, "date": None}, "no date (ISO 8601) in 'date' or 'read_at'"),
        (LINE, "the same line occurs earlier"),
        ({**LINE, "date": "2025-06-02T12:00:01"}, "dated in the future: 2025-06-02"),
    ],
)
def test_a_line_that_is_no_reading_is_left_out_with_the_reason(tmp_path: Path, line: Any, words: str) -> None:
    assert complaint(tmp_path, line) == words


def test_clocks_of_other_time_zones_may_be_a_day_ahead(tmp_path: Path) -> None:
    assert only(tmp_path, date="2025-06-02T12:00:00").week.isoformat() == "2025-06-02"
    assert only(tmp_path, date="2025-06-02T11:59:59Z").week.isoformat() == "2025-06-02"


def test_the_clock_time_counts_wherever_it_was(tmp_path: Path) -> None:
    assert only(tmp_path, date="2025-03-09T23:30:00-10:00").week.isoformat() == "2025-03-03"
    assert only(tmp_path, date="2025-03-10T00:30:00+10:00").week.isoformat() == "2025-03-10"
    # The day that the phone app gives a film goes before the moment that it was read at.
    assert only(tmp_path, read_at="2025-05-01").week.isoformat() == "2025-03-03"


def test_entries_of_all_files_come_by_date(tmp_path: Path) -> None:
    late = log(tmp_path, {**LINE, "date": "2025-05-01", "reader": "late"}, "", LINE, name="late.jsonl")
    early = log(tmp_path, {**LINE, "date": "2025-01-01", "reader": "early"}, LINE, name="early.jsonl")
    found, left_out = read_log([late, early], now=NOW)
    assert [entry.reader for entry in found] == ["early", "tiny 0.1", "late"]
    assert found[1].line == f"{late}, line 3", "empty lines are counted"
    assert left_out == [LeftOut(f"{early}, line 2", "the same line occurs earlier")]


def test_a_line_without_a_date_among_dated_ones_leaves_the_others_in(tmp_path: Path) -> None:
    path = log(tmp_path, {**LINE, "date": None}, LINE, {**LINE, "date": "2999-01-01"}, {**LINE, "probability": 0.5})
    found, left_out = read_log([path], now=NOW)
    assert [entry.line for entry in found] == [f"{path}, line 2", f"{path}, line 4"]
    assert [one.line for one in left_out] == [f"{path}, line 1", f"{path}, line 3"]


def test_lines_without_any_date_count_as_of_the_day_their_own_file_was_written(tmp_path: Path) -> None:
    undated = log(tmp_path, {**LINE, "date": None}, name="old.jsonl")
    os.utime(undated, (datetime(2025, 4, 16).timestamp(),) * 2)
    found, _ = read_log([log(tmp_path, LINE), undated], now=NOW)
    assert [entry.week.isoformat() for entry in found] == ["2025-03-03", "2025-04-14"]


def test_what_holds_no_reading_is_an_error_that_says_why(tmp_path: Path) -> None:
    advice = "keep readings with: ai-for-sudan read FILMS --log --output FILE"
    path = log(tmp_path, "{", "[1]")
    with pytest.raises(UserError) as raised:
        read_log([path], now=NOW)
    assert str(raised.value) == f"no reading was found; {path}, line 1: this is not valid JSON; {advice}"
    with pytest.raises(UserError) as raised:
        read_log([log(tmp_path, "")], now=NOW)
    assert str(raised.value) == f"no reading was found; {advice}"
    path.write_bytes(b"\xff")
    with pytest.raises(UserError, match=r"^\S+ cannot be read: .*; expected JSON lines of ai-for-sudan read --output$"):
        read_log([path], now=NOW)
