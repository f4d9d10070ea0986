"""Cross-validation from the command line: folds are kept, never mixed with another run's, and two models compared."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ai_for_sudan.cli import main


def films(folder: Path, count: int = 36) -> Path:
    """Positive films are brighter; two films a patient; a second finding with missing labels."""
    random = np.random.default_rng(0)
    rows = []
    for i in range(count):
        positive = (i // 2) % 2
        pixels = (90 + 60 * positive + random.integers(-30, 30, (64, 64))).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"f{i}.png")
        other = "" if i % 5 == 0 else str(int(i % 3 == 0))
        rows.append((f"f{i}.png", "pneumonia" if positive else "normal", f"p{i // 2}", positive, other))
    table = folder / "films.csv"
    with table.open("w", newline="") as opened:
        csv.writer(opened).writerows([("file", "label", "patient", "pneumonia", "edema"), *rows])
    return table


def command(table: Path, out: Path, *more: str) -> list[str]:
    cache = str(table.parent / "cache")
    return ["crossval", "--data_dir", str(table), "--output_dir", str(out), "--cache_dir", cache, "--folds", "3", *more]


def test_folds_are_kept_and_never_taken_for_another_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, out = films(tmp_path), tmp_path / "out"
    assert main(command(table, out, "--frozen", "--model_type", "custom_cnn")) == 0
    found = json.loads((out / "crossval.json").read_text())
    assert found["frozen"] and len(found["folds"]) == 3 and found["pooled"]["films"] == 36
    assert found["pooled"]["probabilities"]["slope"] and "calibration slope" in (out / "crossval.html").read_text()
    patient_ids = [{int(name[1:].split(".")[0]) // 2 for name in part}
              for part in json.loads((out / "folds.json").read_text())["parts"]]  # fmt: skip
    assert len(set.union(*patient_ids)) == sum(map(len, patient_ids))
    capsys.readouterr()
    assert main(command(table, out, "--frozen", "--model_type", "mobilenet_v2")) == 2
    assert "differs in recipe" in capsys.readouterr().err
    assert main(command(table, out, "--model_type", "custom_cnn", "--epochs", "1")) == 2
    assert "frozen" in capsys.readouterr().err
    again = command(table, tmp_path / "again", "--frozen", "--model_type", "custom_cnn", "--against", str(out))
    assert main(again) == 0
    same = json.loads((tmp_path / "again/crossval.json").read_text())["comparison"]
    assert same["auroc_difference"][0] == 0 and same["calls_p"] == 1 and "McNemar" in capsys.readouterr().out


def test_findings_with_missing_labels(tmp_path: Path) -> None:
    table, out = films(tmp_path), tmp_path / "out"
    assert main(command(table, out, "--frozen", "--label_columns", "pneumonia", "edema")) == 0
    found = json.loads((out / "crossval.json").read_text())["pooled"]["findings"]
    assert found["pneumonia"]["films"] == 36 and found["edema"]["films"] == 28
    assert "edema" in (out / "crossval.html").read_text()


def test_a_few_films_and_too_few_folds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = films(tmp_path, 12)
    assert main(command(table, tmp_path / "out", "--frozen")) == 0  # folds of one patient a class
    assert main(command(table, tmp_path / "two", "--folds", "2")) == 2
    assert "at least 3, not 2" in capsys.readouterr().err


def test_folds_side_by_side(tmp_path: Path) -> None:
    table, out = films(tmp_path), tmp_path / "out"
    assert main(command(table, out, "--epochs", "1", "--jobs", "2")) == 0
    assert len(list(out.glob("fold_*.npz"))) == 3 and (out / "crossval.html").is_file()


def test_one_site_is_left_out_at_a_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, out = films(tmp_path), tmp_path / "out"
    rows = list(csv.reader(table.open()))
    named = [[*rows[0], "site"], *([*row, "Juba" if n % 4 < 2 else "Wau"] for n, row in enumerate(rows[1:]))]
    named[1:] = [[*row[:-1], "Wau" if int(row[2][1:]) % 3 == 0 else "Juba"] for row in named[1:]]
    with table.open("w", newline="") as opened:
        csv.writer(opened).writerows(named)
    assert main(command(table, out, "--frozen", "--by", "site")) == 0
    found = json.loads((out / "crossval.json").read_text())
    assert [(fold["name"], fold["films"]) for fold in found["folds"]] == [("Juba", 24), ("Wau", 12)]
    assert "without Juba" in (output := capsys.readouterr().out) and output.count("ECE") >= 2
    errors = [fold["operating_points"]["0.5"]["ece"] for fold in found["folds"]]
    assert all(0 <= low <= value <= high <= 1 for value, low, high in errors), "calibration error of each site"
    page = (out / "crossval.html").read_text()
    assert "One site left out at a time" in page and "trained at the other sites" in page
    assert main(command(table, out, "--frozen")) == 2  # the folds of another division are never taken for these
    assert "another" in capsys.readouterr().err


def test_where_no_patient_is_known_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, out = films(tmp_path), tmp_path / "out"
    rows = [[cell for place, cell in enumerate(row) if place != 2] for row in csv.reader(table.open())]
    with table.open("w", newline="") as opened:
        csv.writer(opened).writerows(rows)
    assert main(command(table, out, "--frozen")) == 0
    output, page = capsys.readouterr().out, (out / "crossval.html").read_text()
    for text in (output, page):
        assert "36 films, whose patients are unknown" in text and "intervals are too narrow" in text
        assert "never saw" not in text and "36 patients" not in text
    assert json.loads((out / "crossval.json").read_text())["films_without_patient"] == 36
