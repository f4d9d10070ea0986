"""`ai-for-sudan explaincheck` on small films and a small network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ai_for_sudan.cli import main


def test_a_report_with_every_check(dataset: Path, checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    for film in (dataset / "val/pneumonia").glob("*.png"):
        inside = np.zeros((64, 64), np.uint8)
        inside[:, :32] = 255
        Image.fromarray(inside).save(masks / film.name)
    out = tmp_path / "out"
    command = ["explaincheck", "--data_dir", str(dataset), "--checkpoint", str(checkpoint()), "--films", "4"]
    code = main([*command, "--masks", str(masks), "--cache_dir", str(tmp_path), "--output_dir", str(out)])
    facts = json.loads((out / "explaincheck.json").read_text())
    assert len(facts["files"]) == 4 and all(Path(file).parent.name == "pneumonia" for file in facts["files"])
    named = {verdict["check"]: verdict for verdict in facts["verdicts"]}
    assert len(named) == 6 and facts["regions"]["area"] == pytest.approx(0.5)
    assert code == (1 if any(v["passed"] is False for v in named.values()) else 0)
    page = (out / "explaincheck.html").read_text()
    assert page.count("<svg") == 1 and page.count("data:image/jpeg") == 8
    assert all(verdict["found"] in page for verdict in named.values() if "'" not in verdict["found"])
    assert ("Grad-CAM fails" in page) == (code == 1)


def test_a_reader_is_held_to_boxes_and_its_own_lungs(
    build_tiny: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tiny reader finds lungs in two places and calls what is bright; positive films are bright in one of them."""
    reader, random, lines = build_tiny(lungs=True), np.random.default_rng(0), []
    for i in range(48):
        pixels = random.integers(40, 80, (128, 128))
        if i % 2:
            pixels[40:90, 20:50] += 170
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(tmp_path / f"f{i}.png")
        lines.append((f"f{i}.png", ("normal", "pneumonia")[i % 2], f"p{i}", "0.15 0.31 0.24 0.4" if i % 2 else ""))
    table, boxes = tmp_path / "films.csv", tmp_path / "boxes.csv"
    table.write_text("\n".join(["file,label,patient", *(",".join(line[:3]) for line in lines)]))
    boxes.write_text("\n".join(["file,boxes", *(f"{line[0]},{line[3]}" for line in lines)]))
    command = ["explaincheck", "--reader", str(reader), "--data_dir", str(table), "--cache_dir", str(tmp_path)]
    code = main([*command, "--boxes", str(boxes), "--output_dir", str(tmp_path / "out")])
    facts = json.loads((tmp_path / "out/explaincheck.json").read_text())
    found, passed = facts["evidence"], {v["check"]: v["passed"] for v in facts["verdicts"]}
    assert found["boxes"]["films"] == 24 and found["boxes"]["pointing"][0] == 1
    assert found["boxes"]["pointing_constant"][0] == 1 and passed["hottest place inside the boxes"] is False
    assert found["own_lungs"]["films"] == 48 and found["films_without_lungs"] == 0 and found["lungs"] is None
    assert 0.3 < found["own_lungs"]["outside_only"][0] <= 1 and "lungs as found, painted over" in passed
    assert found["own_lungs"]["framing_only"][0] == pytest.approx(0.5)
    assert code == (1 if False in passed.values() else 0)
    page, output = (tmp_path / "out/explaincheck.html").read_text(), capsys.readouterr().out
    assert "Where the evidence comes from" in page and "lungs as found by the reader" in page
    assert "hottest place inside the boxes" in output
    assert main([*command, "--boxes", str(tmp_path / "none.csv"), "--output_dir", str(tmp_path / "out")]) == 2
    assert "none.csv cannot be read: No such file" in capsys.readouterr().err
    boxes.write_text("file,boxes\nother.png,0 0 1 1\n")
    assert main([*command, "--boxes", str(boxes), "--output_dir", str(tmp_path / "out")]) == 2
    assert "has no box for any of the 48 films" in capsys.readouterr().err
    audit = ["audit", *command[1:], "--output_dir", str(tmp_path / "audit")]
    assert main(audit) == 0, "its own lungs are reason enough for an audit without groups"
    assert json.loads((tmp_path / "audit/audit.json").read_text())["evidence"]["own_lungs"] == found["own_lungs"]
    assert "lungs as found by the reader" in (tmp_path / "audit/audit.html").read_text()


def test_a_reader_file_and_films_that_are_not_called(
    dataset: Path,
    checkpoint: Callable[..., Path],
    reader_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    common = ["explaincheck", "--data_dir", str(dataset), "--cache_dir", str(tmp_path)]
    assert main([*common, "--checkpoint", str(reader_file)]) == 2
    assert "give its checkpoint" in capsys.readouterr().err
    never = checkpoint(gain=0.0)
    code = main([*common, "--checkpoint", str(never), "--masks", str(tmp_path / "none")])
    assert code == 2
    assert "ai-for-sudan explaincheck:" in capsys.readouterr().err
