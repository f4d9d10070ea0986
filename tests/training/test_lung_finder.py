"""The lung finder learns to find bright shapes on dark ground, cycle after cycle, and is measured on other films."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ai_for_sudan.lungs.finder import SIDE
from ai_for_sudan.training.lung_finder import Cycle, LungRecipe, Source, SourceFilms, dice, fit_finder, measure_finder

SOURCE = Source("drawn", "", "", "", held_out=12)


def drawn(count: int) -> tuple[Tensor, Tensor]:
    """Two dark ellipses a film on a bright, noisy ground: films and masks ``(N, 1, 112, 112)``."""
    random = np.random.default_rng(3)
    y, x = np.mgrid[0 : 1 : SIDE * 1j, 0 : 1 : SIDE * 1j]
    masks = np.zeros((count, 1, SIDE, SIDE), np.float32)
    for mask in masks:
        height, place = random.uniform(0.25, 0.38), random.uniform(-0.06, 0.06, 2)
        for centre in (0.3, 0.7):
            inside = ((x - centre - place[0]) / 0.15) ** 2 + ((y - 0.5 - place[1]) / height) ** 2 < 1
            mask[0][inside] = 1
    films = 0.7 - 0.45 * masks + random.normal(0, 0.05, masks.shape)
    return torch.from_numpy(films.astype(np.float32)).clamp(0, 1), torch.from_numpy(masks)


def test_cycles_go_on_from_one_another_and_the_held_out_films_are_never_trained_on() -> None:
    films, masks = drawn(76)
    held_out = np.arange(76) < 12
    spoilt = masks.clone()
    spoilt[:12] = 1 - spoilt[:12]  # whoever trained on these would find ground
    one = LungRecipe((SOURCE,), (Cycle(epochs=6, augmentation=0.3, learning_rate=2e-2),), batch_size=8, average=0.9)
    two = LungRecipe((SOURCE,), (*one.cycles, Cycle(epochs=4, augmentation=0.1, seed=9)), batch_size=8, average=0.9)
    said: list[str] = []
    first = dice(fit_finder(one, [SourceFilms(SOURCE, films, spoilt, held_out)], said.append), films[:12], masks[:12])
    finder = fit_finder(two, [SourceFilms(SOURCE, films, spoilt, held_out)], said.append)
    second = dice(finder, films[:12], masks[:12])
    assert second.mean() > first.mean() and second.mean() > 0.9
    assert sum(line.startswith("cycle") for line in said) == 3
    figures = measure_finder(two, finder, [SourceFilms(SOURCE, films, masks, held_out)])
    assert figures["drawn"]["films"] == 12 and figures["drawn"]["dice"] == float(second.mean())
    assert figures["drawn, perturbed"]["dice"] < figures["drawn"]["dice"]
