"""A tiny reader file and drawn films of a site."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ai_for_sudan.sites import ReaderFile, SiteFilms


@pytest.fixture(scope="session")
def tiny_file(tiny: Path) -> ReaderFile:
    return ReaderFile.load(tiny)


def site_films(
    embeddings: np.ndarray, labels: np.ndarray, *, patients: np.ndarray | None = None, seed: int = 0, **columns: Any
) -> SiteFilms:
    """Films as they would have been read, without drawing them."""
    count = len(labels)
    names = [f"{i}.png" for i in range(count)]
    facts = [{name: str(values[i]) for name, values in columns.items()} for i in range(count)]
    return SiteFilms(
        files=names,
        index=np.arange(count),
        labels=np.asarray(labels, np.float64),
        patients=np.arange(count) if patients is None else patients,
        facts=facts,
        embeddings=embeddings,
        pictures=np.random.default_rng(seed + 99).normal(0.5, 0.1, (count, 6)),
        doubted=np.zeros(count, bool),
        abnormal=np.zeros(count, bool),
        refused=[],
        excluded=[],
        patients_known=True,
    )


@pytest.fixture(scope="session")
def make_films() -> Callable[..., SiteFilms]:
    return site_films


@pytest.fixture(scope="session")
def drawn_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of 130 drawn films; the positive ones are darker here, the reverse of what the tiny reader was made for."""
    folder = tmp_path_factory.mktemp("site")
    rng = np.random.default_rng(5)
    rows = []
    for i in range(130):
        positive = i % 2
        y, x = np.mgrid[-1:1:160j, -1:1:140j]
        level = rng.normal(0.42 - 0.12 * positive, 0.03)
        film = level + 0.18 * np.exp(-((x / 0.3) ** 2)) - 0.12 * np.exp(-((np.abs(x) - 0.5) ** 2 + y**2) * 5)
        film = film + rng.normal(0, 0.01, film.shape)
        Image.fromarray((film.clip(0, 1) * 255).astype(np.uint8)).save(folder / f"f{i}.png")
        rows.append(
            [
                f"f{i}.png",
                "pneumonia" if positive else "normal",
                f"p{i // 2 * 2 + positive if i % 3 else i}",
                "AP" if i % 5 else "PA",
            ]
        )
    with (folder / "films.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "label", "patient", "view"], *rows])
    return folder / "films.csv"
