"""Films by their content, whatever they are called."""

from __future__ import annotations

from functools import lru_cache

from ai_for_sudan.datasets.film import Film
from ai_for_sudan.datasets.manifest import Manifest
from ai_for_sudan.processes import in_parallel


def content_keys(manifest: Manifest) -> list[str]:
    """SHA-256 of the bytes of each film; of a missing or unreadable one, of its name."""
    return _keys(manifest.films, tuple(film.stamp for film in manifest.films))


@lru_cache(maxsize=4)
def _keys(films: tuple[Film, ...], stamps: tuple[int, ...]) -> list[str]:
    return list(in_parallel(Film.content_key, films))
