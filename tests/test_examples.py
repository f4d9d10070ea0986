"""The notebooks of examples/ run, and show what they say."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train_and_explain", "adapt_to_a_hospital"])
def test_a_notebook_runs_from_its_first_cell_to_its_last(root: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(root / "examples" / f"{name}.ipynb", tmp_path)
    subprocess.run([sys.executable, root / "examples" / "run.py", tmp_path / f"{name}.ipynb"], check=True)
    found = json.loads((tmp_path / f"{name}.ipynb").read_text(encoding="utf-8"))
    shown = [out for cell in found["cells"] for out in cell.get("outputs", [])]
    assert any("image/png" in out.get("data", {}) for out in shown)
