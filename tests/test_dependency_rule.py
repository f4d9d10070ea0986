"""The reading side stands on NumPy, Pillow, pydicom and ONNX Runtime alone; the training side may lean on it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

STANDARD = set(sys.stdlib_module_names)
ALLOWED = {
    "contract": {"numpy", "PIL"},
    "radiographs": {"numpy", "PIL", "pydicom"},
    "reading": {"numpy", "PIL", "jinja2", "ray"},
}
OWN = {
    "contract": {"errors", "contract"},
    "radiographs": {"errors", "extras", "processes", "contract", "radiographs"},
    "reading": {
        "errors",
        "extras",
        "files",
        "onnx_runtime",
        "pages",
        "processes",
        "contract",
        "radiographs",
        "reading",
    },
}


def imports(file: Path) -> Iterator[str]:
    """Every module that a file imports anywhere, also inside functions."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            yield str(node.module)
            if node.module == "ai_for_sudan":
                yield from (f"ai_for_sudan.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("room", ["contract", "radiographs", "reading"])
def test_a_reading_room_imports_only_what_a_clinic_installs(root: Path, room: str) -> None:
    files = sorted((root / "src" / "ai_for_sudan" / room).rglob("*.py"))
    assert files
    for file in files:
        for name in imports(file):
            top, *rest = name.split(".")
            if top == "ai_for_sudan":
                assert not rest or rest[0] in OWN[room], f"{file.name} imports {name}"
            else:
                assert top in STANDARD | ALLOWED[room], f"{file.name} imports {name}"


@pytest.mark.parametrize("room", ["contract", "radiographs", "reading", "pages", "statistics", "sites"])
def test_no_reading_room_names_torch(root: Path, room: str) -> None:
    for file in (root / "src" / "ai_for_sudan" / room).rglob("*.py"):
        assert not {"torch", "torchvision"} & {name.split(".")[0] for name in imports(file)}, file


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
