"""Films by their content, whatever they are called."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ai_for_sudan.datasets.film import Film
from ai_for_sudan.datasets.manifest import Manifest
from ai_for_sudan.processes import in_parallel


def content_keys(manifest: Manifest) -> list[str]:
    """SHA-256 of the bytes of each film; of a missing or unreadable one, of its name."""
    return _keys(manifest.films, tuple(film.stamp for film in manifest.films))


def contradicted(manifest: Manifest, truth: np.ndarray) -> set[int]:
    """Return the films (numbers) that are listed again, byte for byte, with another label.

    Args:
        truth: label of each film ``(N,)``, NaN where it has none.
    """
    labelled = np.flatnonzero(~np.isnan(truth))
    by_content: dict[str, list[int]] = {}
    for film, key in zip(labelled.tolist(), np.array(content_keys(manifest))[labelled].tolist(), strict=True):
        by_content.setdefault(key, []).append(film)
    return {film for same in by_content.values() if len({truth[one] for one in same}) > 1 for film in same}


@lru_cache(maxsize=4)
def _keys(films: tuple[Film, ...], stamps: tuple[int, ...]) -> list[str]:
    return list(in_parallel(Film.content_key, films))
