"""Where the films for the tests lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


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
