"""Reading a film loads little: a slow laptop waits for nothing that it does not need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_the_command_read_loads_neither_torch_nor_what_it_does_not_need(
    root: Path, samples: Path, tmp_path: Path
) -> None:
    tiny = tmp_path / "tiny.onnx"
    subprocess.run([sys.executable, root / "tests" / "tiny_reader.py", tiny], capture_output=True, check=True)
    code = (
        "import sys, json; from ai_for_sudan.cli import main; "
        f"code = main(['read', {str(samples / 'normal_01.png')!r}, '--reader', {str(tiny)!r}, '--json']); "
        "print(json.dumps([code, sorted(sys.modules)]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    code_and_modules = json.loads(done.stdout.splitlines()[-1])
    assert code_and_modules[0] == 0
    loaded = set(code_and_modules[1])
    heavy = {"torch", "torchvision", "onnx", "scipy", "sklearn", "matplotlib", "pandas"}
    late = {"pydicom", "jinja2", "tqdm", "ray", "concurrent.futures.thread"}
    assert not loaded & (heavy | late)
