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
