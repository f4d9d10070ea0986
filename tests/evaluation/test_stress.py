"""The stress suite from the command line: one row a kind and severity, in the table, the page and the file alike."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ai_for_sudan.cli import main


def test_a_row_for_each_kind_and_severity(tmp_path: Path, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    rows = []
    for i in range(24):
        pixels = (70 + 120 * (i % 2) + random.integers(-30, 30, (160, 160))).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"f{i}.png")
        rows.append((f"f{i}.png", "pneumonia" if i % 2 else "normal"))
    table = tmp_path / "films.csv"
    with table.open("w", newline="") as opened:
        csv.writer(opened).writerows([("file", "label"), *rows])
    out = tmp_path / "out"
    command = ["stress", "--data_dir", str(table), "--reader", str(tiny), "--output_dir", str(out), "--kinds", "blur"]
    assert main([*command, "--cache_dir", str(tmp_path / "cache")]) == 0
    found = json.loads((out / "stress.json").read_text())
    kinds = [(row["kind"], row["severity"]) for row in found["rows"]]
    assert kinds == [
        ("none", 0),
        *(("blur", s) for s in range(1, 6)),
    ]
    clean = found["rows"][0]
    # The tiny reader calls bright films, and these are told apart by nothing else.
    assert clean["films"] == 24 and clean["auroc"][0] == clean["sensitivity"][0] == clean["specificity"][0] == 1
    assert clean["statuses"]["positive"]["shares"]["not_seen"][0] == 0 and clean["auroc"][1] < 1
    told, page = capsys.readouterr().out, (out / "stress.html").read_text()
    assert told.count("blur ") == 5 and page.count("<td>blur</td>") == 5
