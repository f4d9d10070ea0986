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
    stored = json.loads((root / "examples" / f"{name}.ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in stored["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1)), (
        "it was not run before it was kept"
    )
    shutil.copy(root / "examples" / f"{name}.ipynb", tmp_path)
    subprocess.run([sys.executable, root / "examples" / "run.py", tmp_path / f"{name}.ipynb"], check=True)
    found = json.loads((tmp_path / f"{name}.ipynb").read_text(encoding="utf-8"))
    shown = [out for cell in found["cells"] for out in cell.get("outputs", [])]
    assert (
        sum("image/png" in out.get("data", {}) for out in shown)
        == sum("image/png" in out.get("data", {}) for cell in code for out in cell["outputs"])
        >= 1
    )
