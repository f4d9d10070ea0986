"""Watching a site over time: what is read of the logs, when an alarm is raised, and how seldom without a cause."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ai_for_sudan.cli import main
from ai_for_sudan.contract.reference import Reference, build
from ai_for_sudan.errors import UserError
from ai_for_sudan.sites.agreement import confidence_sequence
from ai_for_sudan.sites.log import Entry, read_log
from ai_for_sudan.sites.monitor import in_words, monitor, power_in_words


def lines(
    weeks: int = 16, *, seed: int = 0, rate: int = 40, since: int = 10**6, score: float = 0.0, embedding: float = 0.0,
    refused: float = 0.0, agree: float = 0.9,
) -> list[dict[str, Any]]:  # fmt: skip
    """Readings of some weeks; from week ``since`` on, drifted by what is given."""
    rng = np.random.default_rng(seed)
    found = []
    for week in range(weeks):
        now = week >= since
        for i in range(rate):
            left_out = rng.random() < 0.05 + refused * now
            probability = 1 / (1 + np.exp(-rng.normal(-1 + score * now, 2)))
            time = datetime(2025, 1, 6, 8) + timedelta(weeks=week, hours=float(rng.uniform(0, 110)))
            line = {
                "file": f"{week}_{i}.png",
                "status": "refused" if left_out else "suspected" if probability >= 0.5 else "not_seen",
                "probability": None if left_out else float(probability),
                "reader": "tiny 0.1",
                "date": time.isoformat(),
            }
            if not left_out:
                line["embedding"] = (np.abs(rng.normal(0, 1, 40)) + embedding * now).round(4).tolist()
                line["verdict"] = "agree" if rng.random() < agree else "disagree"
            found.append(line)
    return found


def log(folder: Path, content: list[Any], name: str = "log.jsonl") -> Path:
    path = folder / name
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in content))
    return path


def entries(folder: Path, **options: Any) -> list[Entry]:
    return read_log([log(folder, lines(**options))])[0]


def test_weekly_counts(tmp_path: Path) -> None:
    result = monitor(entries(tmp_path))
    assert [week["week"] for week in result["weeks"]][:2] == ["2025-01-06", "2025-01-13"]
    assert all(week["readings"] == 40 == sum(week["statuses"].values()) for week in result["weeks"])
    assert [week["baseline"] for week in result["weeks"]].count(True) == 4
    assert not result["alarm"] and not result["alarms"]
    assert {test["test"] for test in result["weeks"][-1]["tests"]} == {"refusals", "scores", "embeddings"}


@pytest.mark.parametrize(
    ("change", "test"), [({"score": 3.0}, "scores"), ({"embedding": 0.5}, "embeddings"), ({"refused": 0.5}, "refusals")]
)
def test_each_kind_of_change_raises_its_alarm(tmp_path: Path, change: dict[str, float], test: str) -> None:
    result = monitor(entries(tmp_path, since=12, **change))
    assert result["alarm"]
    assert {alarm["test"] for alarm in result["alarms"]} == {test}
    assert min(alarm["week"] for alarm in result["alarms"]) >= "2025-03-31"


def test_a_slow_change_is_found_by_the_weeks_together(tmp_path: Path) -> None:
    result = monitor(entries(tmp_path, weeks=30, since=12, score=1.3, rate=25))
    assert any(alarm["weeks"] == 8 for alarm in result["alarms"])


def test_false_alarms_are_as_rare_as_stated(tmp_path: Path) -> None:
    """Half-years in which nothing changes: at a stated 20 % a year, at most that share may raise any alarm."""
    alarmed = 0
    for seed in range(20):
        result = monitor(entries(tmp_path, seed=seed, weeks=26, rate=25, agree=0.8), false_alarms=0.2)
        alarmed += bool(result["alarms"] or result["agreement"]["alarm"])
    assert alarmed <= 6  # P(more than 6 of 20 at 20 %) = 0.09, and half a year is less than one


def test_films_that_were_read_twice_raise_no_more_false_alarms(tmp_path: Path) -> None:
    """Years without drift in which half of the films lie in two folders: at a stated 20 %, no more than that alarm."""
    alarmed = 0
    for seed in range(20):
        content = [{**line, "sha256": f"{n:064x}"} for n, line in enumerate(lines(seed=seed, weeks=26, rate=25))]
        again = [{**line, "file": f"copy/{line['file']}"} for line in content if line["file"].endswith("0.png")] * 4
        again += [{**line, "file": f"other/{line['file']}"} for line in content[::2]]
        result = monitor(read_log([log(tmp_path, content), log(tmp_path, again, "b.jsonl")])[0], false_alarms=0.2)
        assert result["readings"] == 26 * 25
        alarmed += bool(result["alarms"])
    assert alarmed <= 6


def test_the_last_reading_of_a_film_counts_in_the_week_of_its_first(tmp_path: Path) -> None:
    first = [{**line, "sha256": f"{n:064x}"} for n, line in enumerate(lines(weeks=6))]
    again = {**first[0], "status": "refused", "probability": None, "date": "2025-03-01", "verdict": None}
    again.pop("embedding", None)
    result = monitor(read_log([log(tmp_path, [{**first[0], "verdict": "disagree"}, *first[1:], again])])[0])
    assert result["readings"] == 240 and len(result["weeks"]) == 6
    assert "1 readings are of films that were read again later; each film counts once." in result["notes"]
    refused = sum(line["status"] == "refused" for line in first[:40])
    assert result["weeks"][0]["statuses"]["refused"] == refused + (first[0]["status"] != "refused")
    assert result["weeks"][0]["verdicts"]["disagree"] >= 1, "what a person said of the film stays"


def test_it_says_what_it_could_have_seen(tmp_path: Path) -> None:
    seen = monitor(entries(tmp_path))["detectable"]
    assert seen["films_a_week"] == 40 and [window["weeks"] for window in seen["windows"]] == [1, 8]
    week, eight = seen["windows"]
    # Of two normal samples of these sizes, 0.5 is found in 62 % of draws and 0.6 in 86 %.
    assert 0.5 <= eight["shift"] <= 0.7 < week["shift"] < 2 and 0.05 < eight["refused"] < week["refused"] < 0.6
    # A shift of the stated size is found in most sites, half of it in few.
    found = {size: 0 for size in (1.0, 0.5)}
    for size in found:
        for seed in range(10):
            moved = monitor(entries(tmp_path, seed=seed, weeks=12, since=11, score=2 * size * week["shift"]))
            found[size] += any(alarm["test"] == "scores" for alarm in moved["alarms"])
    assert found[1.0] >= 5 and found[0.5] <= 4
    said = power_in_words(seen)
    assert said[0].startswith("A usual week has 40 films") and "does not prove" in said[-1]
    assert [one["share"] for one in seen["agreement"]] == [0.7, 0.6, 0.5]
    weeks = [one["weeks"] for one in seen["agreement"]]
    assert weeks == sorted(weeks, reverse=True) and weeks[-1] >= 1
    few = monitor(entries(tmp_path, weeks=30, rate=8))["detectable"]
    assert few["windows"][0]["shift"] is None and "no change can be told" in " ".join(power_in_words(few))


def test_scores_of_a_refitted_head_are_not_compared_with_those_of_the_old_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    own = build(np.abs(rng.normal(0, 1, (300, 40))), 1 / (1 + np.exp(-rng.normal(5, 1, 300))))
    followed = entries(tmp_path, weeks=5)
    assert monitor(followed, reference=Reference.from_card({"reference": own}))["alarm"], "the scores are others"
    refitted = Reference.from_card({"reference": {**own, "scores_of": "tiny 0.1, before adaptation"}})
    result = monitor(followed, reference=refitted)
    assert not result["alarm"] and {test["test"] for row in result["weeks"] for test in row["tests"]} == {"embeddings"}
    assert "Scores are not compared: the card holds those of tiny 0.1, before adaptation" in result["notes"][0]


def test_a_confidence_sequence_holds_at_all_times() -> None:
    rng = np.random.default_rng(0)
    left = 0
    for _ in range(150):
        successes = np.cumsum(rng.random(200) < 0.8)
        left += any(
            not low <= 0.8 <= high
            for low, high in (confidence_sequence(int(s), n + 1, 0.1) for n, s in enumerate(successes) if n % 10 == 9)
        )
    assert left <= 24  # 10 % of 150, and three standard deviations more
    low, high = confidence_sequence(80, 100, 0.05)
    assert 0.65 < low < 0.8 < high < 0.92
    assert confidence_sequence(0, 0, 0.05) == (0.0, 1.0)
    assert confidence_sequence(30, 30, 0.05)[1] == 1.0 and confidence_sequence(0, 30, 0.05)[0] == 0.0


def test_disagreement_raises_an_alarm(tmp_path: Path) -> None:
    result = monitor(entries(tmp_path, agree=0.55))
    assert result["agreement"]["alarm"] and result["alarm"] and not result["alarms"]
    assert not monitor(entries(tmp_path, agree=0.55), agreement=0.5)["alarm"]


def test_the_reference_standard_gives_sensitivity(tmp_path: Path) -> None:
    content = lines(weeks=6)
    for line in content[:50]:
        line["reference"] = "positive" if line["status"] == "suspected" else "negative"
    accuracy = monitor(read_log([log(tmp_path, content)])[0])["accuracy"]
    assert accuracy["sensitivity"]["share"][0] == accuracy["specificity"]["share"][0] == 1.0
    assert accuracy["sensitivity"]["share"][1] < 0.9


def test_without_embeddings_the_rest_is_tested(tmp_path: Path) -> None:
    content = [{k: v for k, v in line.items() if k != "embedding"} for line in lines(since=12, score=3.0)]
    result = monitor(read_log([log(tmp_path, content)])[0])
    assert result["alarm"] and any("embeddings is not tested" in note for note in result["notes"])


def test_lines_of_no_use_are_named(tmp_path: Path) -> None:
    good = lines(weeks=1)
    bad: list[Any] = [
        "{", "[1]", json.dumps({**good[0], "date": None}), {**good[1], "status": "odd"},
        {**good[2], "status": "suspected", "probability": 1.5}, {**good[3], "verdict": "maybe"},
        {**good[4], "status": "not_seen", "probability": 0.1, "embedding": ["x"]}, good[5],
    ]  # fmt: skip
    found, excluded = read_log([log(tmp_path, [*good, *bad])])
    assert len(found) == len(good)
    assert sorted(one.line for one in excluded) == [f"{tmp_path / 'log.jsonl'}, line {n}" for n in range(41, 49)]
    complaints = [
        "not valid JSON",
        "not a JSON object",
        "no date",
        "status 'odd'",
        "probability 1.5",
        "verdict 'maybe'",
        "embedding",
        "earlier",
    ]
    for one, words in zip(sorted(excluded, key=lambda one: int(one.line.split()[-1])), complaints, strict=True):
        assert words in one.reason


def test_the_lines_of_the_phone_app(tmp_path: Path) -> None:
    line = {
        "file": "a.jpg", "status": "uncertain", "probability": 0.5, "reader": "m 1",
        "read_at": "2025-03-04T10:11:12.000Z",
        "verdict": None, "reference": None, "embedding": [0.1, 0.2], "patient": None,
    }  # fmt: skip
    found, excluded = read_log([log(tmp_path, [line])])
    assert not excluded and found[0].week.isoformat() == "2025-03-03" and found[0].score == pytest.approx(0)


def test_what_is_too_short_or_of_another_reader_is_reported(tmp_path: Path) -> None:
    result = monitor(entries(tmp_path, weeks=2, rate=5))
    assert not result["alarm"] and "Nothing is compared yet" in result["notes"][0]
    content = [*lines(weeks=5), *({**line, "reader": "other 2", "file": "z"} for line in lines(weeks=6, seed=1)[-40:])]
    result = monitor(read_log([log(tmp_path, content)])[0])
    assert result["reader"] == "other 2" and "200 readings of tiny 0.1 are left out." in result["notes"]
    with pytest.raises(UserError, match="there are: other 2, tiny"):
        monitor(read_log([log(tmp_path, content)])[0], reader="none")
    with pytest.raises(UserError, match="too few for a baseline"):
        monitor(entries(tmp_path), baseline_weeks=0)


def test_the_command_and_its_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calm, drifted = log(tmp_path, lines(), "calm.jsonl"), log(tmp_path, lines(since=12, score=4.0), "drifted.jsonl")
    assert main(["monitor", str(calm), "--output_dir", str(tmp_path / "a")]) == 0
    assert main(["monitor", str(drifted), "--output_dir", str(tmp_path / "b")]) == 1
    assert "ALARM" in capsys.readouterr().out
    page = (tmp_path / "b/monitor.html").read_text()
    assert "ALARM" in page and "<svg" in page and "a clinician decides" in page
    assert json.loads((tmp_path / "b/monitor.json").read_text())["alarm"] is True
    assert main(["monitor", str(tmp_path / "absent.jsonl")]) == 2
    empty = log(tmp_path, ["", "{}"], "empty.jsonl")
    assert main(["monitor", str(empty), "--output_dir", str(tmp_path)]) == 2
    assert "no reading was found" in capsys.readouterr().err


def test_against_the_reader_itself(tmp_path: Path, build_tiny: Any) -> None:
    rng = np.random.default_rng(0)
    own = build(np.abs(rng.normal(0, 1, (300, 40))), 1 / (1 + np.exp(-rng.normal(-1, 2, 300))))
    reader = build_tiny(reference=own)
    calm, drifted = (
        log(tmp_path, lines(weeks=5), "calm.jsonl"),
        log(tmp_path, lines(weeks=5, since=0, embedding=1.0), "m.jsonl"),
    )
    assert main(["monitor", str(calm), "--against", str(reader), "--output_dir", str(tmp_path)]) == 0
    assert main(["monitor", str(drifted), "--against", str(reader), "--output_dir", str(tmp_path)]) == 1


NOW = datetime(2025, 6, 1)


def alarming(folder: Path) -> list[dict[str, Any]]:
    return lines(weeks=13, since=12, score=4.0)


def test_a_film_dated_in_the_future_silences_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = log(tmp_path, [*alarming(tmp_path), {**lines(weeks=1)[0], "file": "z", "date": "2999-01-01"}])
    assert main(["monitor", str(path), "--output_dir", str(tmp_path)]) == 1
    output = capsys.readouterr().out
    assert "ALARM" in output and "line 521: dated in the future: 2999-01-01" in output
    assert "dated in the future: 2999-01-01" in (tmp_path / "monitor.html").read_text()


def test_a_week_that_has_barely_begun_silences_nothing(tmp_path: Path) -> None:
    content = [*alarming(tmp_path), *({**line, "date": "2025-04-07"} for line in lines(weeks=1, seed=9)[:3])]
    result = monitor(read_log([log(tmp_path, content)], now=NOW)[0])
    assert result["weeks"][-1]["week"] == "2025-04-07" and result["newest_tested"] == "2025-03-31" and result["alarm"]
    assert "ALARM: in the week from 2025-03-31" in in_words(result)


@pytest.mark.parametrize("dates", [["1900-01-01"] * 5, ["1970-01-01", "1999-05-05", "2010-01-01", "2023-12-01"]])
def test_stray_old_dates_do_not_empty_the_baseline(tmp_path: Path, dates: list[str]) -> None:
    old = [{**line, "file": f"old{n}", "date": day} for n, (line, day) in enumerate(zip(lines(), dates, strict=False))]
    result = monitor(read_log([log(tmp_path, [*old, *alarming(tmp_path)])], now=NOW)[0])
    assert result["alarm"] and result["weeks"][0]["week"] == "2025-01-06"
    assert [one["line"].split()[-1] for one in result["left_out"]] == [str(n + 1) for n in range(len(dates))]
    assert all("before the other readings" in one["reason"] for one in result["left_out"])


def test_a_thin_beginning_makes_the_baseline_longer(tmp_path: Path) -> None:
    """A film a week before the work began: the first four weeks alone would hold four films."""
    first = [
        {**line, "file": f"early{n}", "date": (datetime(2024, 11, 4) + timedelta(weeks=n)).isoformat()}
        for n, line in enumerate(lines()[:9])
    ]
    result = monitor(read_log([log(tmp_path, [*first, *alarming(tmp_path)])], now=NOW)[0])
    assert result["alarm"] and result["left_out"] == []
    assert [week["baseline"] for week in result["weeks"]].count(True) == 10


def test_one_week_compared_with_itself_is_no_all_clear(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = log(tmp_path, lines(weeks=1, rate=200))
    assert main(["monitor", str(path), "--output_dir", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    assert "No alarm" not in output and "Nothing has been compared yet" in output
    assert json.loads((tmp_path / "monitor.json").read_text())["newest_tested"] is None


def test_lines_made_to_hurt_are_left_out(tmp_path: Path) -> None:
    good = lines(weeks=1)
    one = {**good[0], "status": "not_seen", "probability": 0.1}
    bad: list[Any] = [
        {**one, "verdict": []}, {**one, "reference": []}, {**one, "reference": {"a": 1}}, {**one, "status": {}},
        {**one, "date": {"a": []}}, {**one, "date": [1]}, {**one, "date": "9" * 5000}, {**one, "date": True},
        "[" * 100_000, {**one, "embedding": [10**400]}, {**one, "embedding": "abc"}, {**one, "probability": 10**400},
        '{"probability": NaN, "status": "not_seen", "reader": "tiny 0.1", "date": "2025-01-06"}', "\u0000", "null",
        {**one, "embedding": {"a": 1}},
    ]  # fmt: skip
    odd = [
        {**one, "file": "a", "reader": "\x1b[2Jtiny\ud800 0.1"},
        {**one, "file": "b\u2028c\x85d", "embedding": None, "verdict": None},
    ]
    path = tmp_path / "hurt.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line, ensure_ascii=line in odd[:1])) + "\n"
                            for line in [*good, *bad, *odd]))  # fmt: skip
    found, left_out = read_log([path], now=NOW)
    assert len(found) == len(good) + 2 and len(left_out) == len(bad)
    assert {entry.reader for entry in found} == {"tiny 0.1", "\\x1b[2Jtiny\\ud800 0.1"}
    assert main(["monitor", str(path), "--output_dir", str(tmp_path)]) == 0


def test_what_read_kept_without_a_date_counts_as_of_its_file(tmp_path: Path) -> None:
    undated = [{key: value for key, value in line.items() if key != "date"} for line in lines(weeks=1)]
    path = log(tmp_path, undated)
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    found, left_out = read_log([path], now=NOW)
    assert len(found) == 40 and not left_out and {entry.week.isoformat() for entry in found} == {"2025-05-26"}
    found, left_out = read_log([log(tmp_path, [*undated[:2], *lines(weeks=2)[40:]])], now=NOW)
    assert len(found) == 40 and len(left_out) == 2 and "no date" in left_out[0].reason


def test_what_read_kept_is_dated_by_when_it_was_read(tmp_path: Path, samples: Path, tiny: Path) -> None:
    kept = tmp_path / "readings.jsonl"
    films = [str(samples / f"{name}.png") for name in ("normal_01", "pneumonia_01")]
    before = datetime.now().replace(microsecond=0)
    for film in films:
        assert main(["read", film, "--reader", str(tiny), "--output", str(kept)]) == 0
    os.utime(kept, (NOW.timestamp(), NOW.timestamp()))  # copied to another machine: the file's own date says nothing
    times = [datetime.fromisoformat(json.loads(line)["read_at"]) for line in kept.read_text().splitlines()]
    assert len(times) == 2 and all(time.tzinfo and before <= time.replace(tzinfo=None) for time in times)
    found, left_out = read_log([kept])
    weeks = {day.date() - timedelta(days=day.weekday()) for day in (before, datetime.now())}
    assert left_out == [] and {entry.week for entry in found} <= weeks
    assert main(["monitor", str(kept), "--output_dir", str(tmp_path / "monitor")]) == 0
    assert json.loads((tmp_path / "monitor" / "monitor.json").read_text())["readings"] == 2
