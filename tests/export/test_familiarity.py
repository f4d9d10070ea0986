"""A film unlike all known ones is left to a person; a clear film that lies far out on a known direction is not."""

from __future__ import annotations

import numpy as np
import torch

from ai_for_sudan.export.familiarity import GOOD_UNFAMILIAR, fit_familiarity

RANDOM = np.random.default_rng(0)
DIRECTIONS = np.linalg.qr(RANDOM.normal(size=(200, 8)))[0].T


def embeddings(count: int, spread: float = 1.0) -> np.ndarray:
    return RANDOM.normal(size=(count, 8)) * spread @ DIRECTIONS * 3 + RANDOM.normal(size=(count, 200)) * 0.02 + 0.5


def score(found: torch.nn.Module, embedding: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return found(torch.from_numpy(embedding).float())[:, 0].numpy()


def test_what_no_known_film_varies_along_is_unfamiliar() -> None:
    found = fit_familiarity(embeddings(2000), embeddings(2000))
    assert found.directions.shape == (200, 32)
    strange = embeddings(50) + RANDOM.normal(size=(50, 200)) * 0.1
    assert (score(found, strange) > 0.5).all()
    far_along = embeddings(50, spread=2)
    assert (score(found, far_along) > 0.5).mean() < 0.1
    fresh = score(found, embeddings(4000))
    assert (fresh > 0.5).mean() < 3 * GOOD_UNFAMILIAR


def test_the_limit_is_exceeded_by_the_stated_share() -> None:
    held_out = embeddings(1000)
    found = fit_familiarity(embeddings(500), held_out)
    assert (score(found, held_out) > 0.5).sum() == round(1000 * GOOD_UNFAMILIAR)


def test_few_films_and_a_narrow_layer_are_enough() -> None:
    found = fit_familiarity(embeddings(10)[:, :6], embeddings(10)[:, :6])
    assert found.directions.shape == (6, 3)
