"""Small arrays as bytes, for the database."""

from __future__ import annotations

import io

import numpy as np


def packed(values: np.ndarray) -> bytes:
    """An array as ``.npy`` bytes."""
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return file.getvalue()


def unpacked(content: bytes) -> np.ndarray:
    """The array of :func:`packed`."""
    found: np.ndarray = np.load(io.BytesIO(content), allow_pickle=False)
    return found
