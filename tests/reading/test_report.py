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


def test_a_name_that_is_no_text_is_written_all_the_same(reader: Reader, film: np.ndarray, tmp_path: Path) -> None:
    page = Report(reader.card)
    page.add(row_of(replace(reader.read(film), file="film\udcff صدر.png")))
    page.write(tmp_path / "page.html")
    assert "صدر.png" in (tmp_path / "page.html").read_text(encoding="utf-8")
