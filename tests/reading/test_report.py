"""The page of readings: whose pictures are shown, and in which order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ai_for_sudan.reading import Reader, report
from ai_for_sudan.reading.report import Report, row_of


def test_the_most_urgent_are_shown_first_and_with_pictures(
    reader: Reader, film: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "PICTURED", 2)
    one = reader.read(film)
    readings = [
        replace(one, file=name, status=status, probability=probability)
        for name, status, probability in (
            ("low.png", "not_seen", 0.1), ("high.png", "suspected", 0.9), ("higher.png", "suspected", 0.95)
        )
    ]  # fmt: skip
    for count, shown in ((2, None), (3, 2)):
        page, path = Report(reader.card), tmp_path / f"{count}.html"
        for reading in readings[:count]:
            page.add(row_of(reading))
        page.write(path)
        text = path.read_text(encoding="utf-8")
        assert text.count('alt="film"') == 2
        assert ("Pictures are shown for the 2 most urgent films" in text) == (shown is not None)
    assert text.index("higher.png") < text.index("high.png") < text.index("low.png")
    assert "<b>2</b>" in text and "<b>1</b>" in text


def test_a_row_of_what_was_not_decoded_has_no_picture(reader: Reader, film: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no film")
    row = row_of(reader.read(tmp_path / "bad.png"))
    assert row["film"] is row["overlay"] is None and row["outlined"] is False and row["status"] == "failed"
    row = row_of(reader.read(film))
    assert row["film"].startswith("data:image/") and row["overlay"] != row["film"]
    row = row_of(replace(reader.read(film), status="refused"))
    assert row["film"] and row["overlay"] is None and row["outlined"] is False


def test_a_name_that_is_no_text_is_written_all_the_same(reader: Reader, film: np.ndarray, tmp_path: Path) -> None:
    page = Report(reader.card)
    page.add(row_of(replace(reader.read(film), file="film\udcff صدر.png")))
    page.write(tmp_path / "page.html")
    assert "صدر.png" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_page_says_what_the_operating_point_promised_and_showed(
    reader: Reader, film: np.ndarray, tmp_path: Path
) -> None:
    name = reader.card.default_operating_point
    shares = {
        "positive": {"films": 40, "shares": {"not_seen": [0.025, 0.01, 0.1]}},
        "negative": {"films": 40, "shares": {"suspected": [0.075, 0.05, 0.2]}},
        "all": {"films": 80, "shares": {"uncertain": [0.125, 0.1, 0.2]}},
    }
    point = replace(reader.card.operating_points[name], missed=0.03, false_alarms=0.11, measured={"Wad Madani": shares})
    page = Report(replace(reader.card, operating_points={name: point}))
    page.add(row_of(replace(reader.read(film), status="suspected", side="left")))
    page.write(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    for said in ("at most 3 %", "at most 11 %", "Wad Madani", "2.5 % (1.0", "7.5 % (5.0", "12.5 % (10.0"):
        assert said in text
    assert "pneumonia suspected (left lung)" in text and "اشتباه في التهاب رئوي: الرئة اليسرى" in text
    assert "logit" not in text
