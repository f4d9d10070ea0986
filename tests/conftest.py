"""Where the films for the tests lie, and a reader small enough to build for each run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares a built app, a server or a reader that was made for one file (``--dist loadgroup``)."""
    for item in items:
        place = item.path.relative_to(ROOT / "tests")
        shared = place.parts[0] == "app" or place.parts[:2] == ("clinic", "web")
        item.add_marker(pytest.mark.xdist_group(str(place.parent if shared else place)))


@pytest.fixture(scope="session")
def start() -> Callable[..., subprocess.Popen[str]]:
    """A process that hears Ctrl-C even where the tests themselves do not (``nohup pytest &`` ignores it)."""

    def start(command: Sequence[object], **options: Any) -> subprocess.Popen[str]:
        # What is ignored stays ignored in a child; what is handled, like this, is not.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return subprocess.Popen([str(part) for part in command], text=True, **options)
        finally:
            signal.signal(signal.SIGINT, before)

    return start


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium for the whole run: Playwright's loop can be started once in a process."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def samples() -> Path:
    """The shipped synthetic films: they show no patient."""
    return ROOT / "samples"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real films, which lie beside the checkout and are never part of it."""
    folder = Path(os.environ.get("AI_FOR_SUDAN_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"real films are not at {folder}; set AI_FOR_SUDAN_SHARED to the folder that holds data/")
    return folder


@pytest.fixture(scope="session")
def kermany(shared: Path) -> Path:
    return shared / "data" / "chest_xray_train"


@pytest.fixture(scope="session")
def adult_site(shared: Path) -> Path:
    return shared / "data" / "adult_site"


@pytest.fixture(scope="session")
def not_chest(shared: Path) -> Path:
    return shared / "data" / "not_chest_xray"


@pytest.fixture(scope="session")
def build_tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``build_tiny(**changes of the card)`` -> path of a reader file."""
    import tiny_reader

    def build(**changes: Any) -> Path:
        path: Path = tiny_reader.build(tmp_path_factory.mktemp("reader") / "tiny.onnx", **changes)
        return path

    return build


@pytest.fixture(scope="session")
def tiny(build_tiny: Callable[..., Path]) -> Path:
    return build_tiny()
