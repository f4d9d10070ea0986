"""A reader small enough to build for each run of the tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ai_for_sudan.reading import Reader


@pytest.fixture(scope="session")
def reader(tiny: Path) -> Reader:
    return Reader.open(tiny)


@pytest.fixture(scope="session")
def film() -> np.ndarray:
    """Dark above, bright below, dark all round: what the tiny reader's gate takes for a film. uint8 (200, 160)."""
    rows, columns = np.mgrid[0:200, 0:160]
    inside = np.minimum(1, np.minimum(np.minimum(rows, 199 - rows), np.minimum(columns, 159 - columns)) / 25)
    return (inside * (60 + 150 * rows / 199)).astype(np.uint8)
