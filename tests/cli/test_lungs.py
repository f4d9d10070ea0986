"""Where the shipped reader finds lungs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ai_for_sudan.cli import main

SAMPLES = Path(__file__).parent.parent.parent / "samples"


def test_both_lungs_are_outlined(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = SAMPLES / "normal_01.png"
    assert main(["lungs", str(film), "--overlays", str(tmp_path / "outlines"), "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["status"] == "two_lungs"
    assert 0.1 < line["share_of_film"] < 0.6
    left, top, right, bottom = line["box"]
    assert 0 <= left < 0.4 < 0.6 < right <= 1 and 0 <= top < bottom <= 1
    drawn = np.asarray(Image.open(line["overlay"]).convert("RGB")).astype(int)
    assert (np.ptp(drawn, axis=2) > 40).any()


def test_a_picture_without_lungs_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "flat.png"
    Image.fromarray(np.full((300, 300), 90, np.uint8)).save(path)
    assert main(["lungs", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "blank"


def test_a_bad_file_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    assert main(["lungs", str(bad), str(SAMPLES / "normal_01.png"), "--json"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["status"] for line in lines] == ["failed", "two_lungs"]
