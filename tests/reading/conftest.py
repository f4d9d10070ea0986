"""A reader small enough to build for each run of the tests."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ai_for_sudan.reading import Reader


@pytest.fixture(scope="session")
def build_tiny(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``build_tiny(**changes of the card)`` -> path of a reader file."""
    spec = importlib.util.spec_from_file_location("tiny_reader", root / "tests" / "tiny_reader.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def build(**changes: Any) -> Path:
        path: Path = module.build(tmp_path_factory.mktemp("reader") / "tiny.onnx", **changes)
        return path

    return build


@pytest.fixture(scope="session")
def tiny(build_tiny: Callable[..., Path]) -> Path:
    return build_tiny()


@pytest.fixture(scope="session")
def reader(tiny: Path) -> Reader:
    return Reader.open(tiny)


@pytest.fixture(scope="session")
def film() -> np.ndarray:
    """Dark above, bright below, dark all round: what the tiny reader's gate takes for a film. uint8 (200, 160)."""
    rows, columns = np.mgrid[0:200, 0:160]
    inside = np.minimum(1, np.minimum(np.minimum(rows, 199 - rows), np.minimum(columns, 159 - columns)) / 25)
    return (inside * (60 + 150 * rows / 199)).astype(np.uint8)
