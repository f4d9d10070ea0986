"""Some films of a cache, without copying them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Union

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


class Picked:
    """Rows of an array of films, usually a memory map: a film is read when it is asked for, and not before.

    Args:
        pixels: uint8 ``(M, S, S)``.
        rows: which of them, in 0..M-1, ``(N,)``.
    """

    def __init__(self, pixels: Pixels, rows: Sequence[int] | np.ndarray) -> None:
        self._pixels, self._rows = pixels, np.asarray(rows, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return ``(N, S, S)``."""
        return (len(self._rows), *self._pixels.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """Return the type of a pixel."""
        return self._pixels.dtype

    def __getitem__(self, index: int | slice | np.ndarray) -> np.ndarray:
        """Copies of the films at ``index`` among the picked ones."""
        chosen: np.ndarray = self._pixels[self._rows[index]]
        return chosen

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        """All of them, in memory."""
        return np.asarray(self[:], dtype=dtype)


#: films uint8 ``(N, S, S)``, in memory or picked from a memory map
Pixels = Union[np.ndarray, Picked]  # noqa: UP007 (also read at run time)
