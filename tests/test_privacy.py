"""Nothing leaves the machine, and nothing is kept that nobody asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: seconds in which ONNX Runtime, left alone, made its files (at once) and looked up its collector (some seconds)
WATCHED = 12

#: Reads a film with a reader kept open, and prints what the process holds and what its home holds, once a second.
LONG_LIVED = """
import os, sys, time
from pathlib import Path
from ai_for_sudan import Reader

reader = Reader.open(sys.argv[1])
seen = set()
for _ in range(int(sys.argv[3])):
    assert reader.read(sys.argv[2]).probability is not None
    for handle in os.listdir("/proc/self/fd"):
        try:
            seen.add(os.readlink(f"/proc/self/fd/{handle}"))
        except OSError:
            pass
    time.sleep(1)
home = Path(os.environ["HOME"])
print("\\n".join([*(name for name in seen if name.startswith("socket:")), *map(str, home.rglob("*"))]))
"""


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="watches a process by /proc")
@pytest.mark.parametrize("host_asks_for_telemetry", [False, True])
def test_a_reader_kept_open_opens_no_socket_and_leaves_no_file(
    tiny: Path, samples: Path, tmp_path: Path, root: Path, host_asks_for_telemetry: bool
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    hidden = ("ORT_", "XDG_", "RAY_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
    environment |= {"HOME": str(home), "PYTHONPATH": str(root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    if host_asks_for_telemetry:
        environment["ORT_DISABLE_TELEMETRY"] = "0"
    command = [sys.executable, "-c", LONG_LIVED, tiny, samples / "normal_01.png", str(WATCHED)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == []


def test_onnx_runtime_is_imported_by_its_one_door(root: Path, tmp_path: Path) -> None:
    """The linter says so of every file, and no file has talked it out of it."""
    places = [*(root / "src").rglob("*.py"), *(root / "benchmarks").rglob("*.py"), *(root / "tests").rglob("*.py")]
    exempt = [path for path in places if "TID251" in path.read_text(encoding="utf-8") and path != Path(__file__)]
    assert exempt == []
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from onnxruntime import InferenceSession\n\n__all__ = ['InferenceSession']\n")
    ruff = [sys.executable, "-m", "ruff", "check", "--config", root / "pyproject.toml"]
    assert "TID251" in subprocess.run([*ruff, wrong], capture_output=True, text=True, check=False).stdout
    folders = [root / "src", root / "tests", root / "benchmarks"]
    done = subprocess.run([*ruff, "--select", "TID251", *folders], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_ray_is_told_not_to_report(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray", reason="the extra [cluster] is not installed")
    from ai_for_sudan.reading.cluster import read_on_cluster

    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    settings = []
    monkeypatch.setattr(ray, "init", lambda **_: settings.append(os.environ.get("RAY_USAGE_STATS_ENABLED")) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        next(read_on_cluster(tiny, [tiny]))
    assert settings == ["0"]


DEPENDENCIES = """
import importlib, os, sys
from pathlib import Path

asked = []
watched = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
sys.addaudithook(lambda event, values: asked.append(f"{event} {values}") if event in watched else None)
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        pass
held = [os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
print([*asked, *(name for name in held if name.startswith("socket:"))])
print([path.name for path in Path(os.environ["HOME"]).rglob("*") if path.is_file()])
"""


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="watches a process by /proc")
def test_no_other_dependency_asks_the_network_for_anything(tmp_path: Path) -> None:
    names = "numpy PIL pydicom jinja2 tqdm scipy sklearn matplotlib.font_manager onnx torch torchvision safetensors"
    names += " onnxscript sqlalchemy uvicorn starlette pynetdicom"
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "MPL"))}
    environment |= {"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", DEPENDENCIES, *names.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    held, kept = done.stdout.splitlines()
    assert held == "[]"
    assert "fontlist" in kept or kept == "[]"
    assert kept.count(",") == 0
