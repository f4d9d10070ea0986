"""Fitting the lung finder to films with masks, and measuring it on films that it never saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from ai_for_sudan.contract.record import from_facts
from ai_for_sudan.datasets.masks import MaskedFilms, load_masked
from ai_for_sudan.disturbances import (
    GEOMETRIC,
    STRESS_KINDS,
    perturb,
    perturb_masks,
    random_geometry,
    random_light,
    warp,
)
from ai_for_sudan.errors import UserError
from ai_for_sudan.files import read_toml
from ai_for_sudan.lungs import LungFinder
from ai_for_sudan.lungs.finder import SIDE
from ai_for_sudan.models import as_batch


@dataclass(frozen=True)
class Source:
    """Films of one hospital with masks.

    Attributes:
        table: CSV with the columns ``film`` (or ``file``) and ``mask``.
        films, masks: folders that its paths start from. All three start from the data folder of the command.
        patient_rule: how a file name identifies the patient; empty: each film is a patient of its own.
        share: of the films that are trained on.
        held_out: patients that are measured on and never trained on.
    """

    name: str
    table: str
    films: str
    masks: str
    patient_rule: str = ""
    share: float = 1.0
    held_out: int = 300


@dataclass(frozen=True)
class Cycle:
    """One cycle of the learning rate (Smith 2018), which starts from the averaged weights that the one before left.

    Attributes:
        augmentation: strength; from far beyond what a clinic does towards mild, so that edges are learned last.
        learning_rate: the highest.
        seed: of what is drawn in it.
    """

    epochs: int = 40
    augmentation: float = 1.6
    learning_rate: float = 5e-3
    seed: int = 7


@dataclass(frozen=True)
class LungRecipe:
    """How the finder is fitted; AdamW, and a running average of the weights.

    Attributes:
        average: how much of the average is kept at each step.
        seed: of the patients that are held out.
    """

    sources: tuple[Source, ...] = field(metadata={"key": "source"})
    cycles: tuple[Cycle, ...] = field(default=(Cycle(),), metadata={"key": "cycle"})
    batch_size: int = 64
    weight_decay: float = 0.01
    average: float = 0.998
    seed: int = 7

    @classmethod
    def load(cls, path: Path) -> LungRecipe:
        """Read a TOML file with a table ``[[source]]`` for each hospital and ``[[cycle]]`` for each cycle.

        Raises:
            UserError: the file cannot be read, or a key is missing, unknown or of the wrong type.
        """
        try:
            return from_facts(cls, read_toml(path))
        except ValueError as error:
            raise UserError(f"{path}: this is not a recipe for a lung finder: {error}") from error


@dataclass(frozen=True)
class SourceFilms:
    """Of one source, at the finder's size: films and masks ``(N, 1, 112, 112)`` in 0..1; held out ``(N,)``."""

    source: Source
    films: Tensor
    masks: Tensor
    held_out: np.ndarray


def load_sources(recipe: LungRecipe, data_dir: Path) -> list[SourceFilms]:
    """Read all sources and draw the patients that are held out.

    Raises:
        UserError: films or masks that cannot be used, or too few patients.
    """
    found = []
    for source in recipe.sources:
        masked = load_masked(
            data_dir / source.table,
            data_dir / source.films,
            data_dir / source.masks,
            SIDE,
            source.patient_rule or None,
        )
        found.append(
            SourceFilms(source, as_batch(masked.pixels), as_batch(masked.masks), _held_out(recipe, source, masked))
        )
    return found


def _held_out(recipe: LungRecipe, source: Source, masked: MaskedFilms) -> np.ndarray:
    patients = np.unique(masked.patient_ids)
    if len(patients) <= source.held_out:
        raise UserError(f"{source.name}: {len(patients)} patients, but {source.held_out} are to be held out")
    chosen = np.random.default_rng(recipe.seed).permutation(patients)[: source.held_out]
    held: np.ndarray = np.isin(masked.patient_ids, chosen)
    return held


def fit_finder(recipe: LungRecipe, sources: Sequence[SourceFilms], say: Callable[[str], None] = print) -> LungFinder:
    """Fit a finder from random weights, cycle after cycle.

    The loss is binary cross-entropy and one less the soft Dice coefficient (Milletari 2016). Films are augmented, and
    their masks alike, far beyond what happens in a clinic: the finder must say where lungs end even when they are
    cut off.
    """
    torch.manual_seed(recipe.seed)
    films = torch.cat([each.films[~each.held_out] for each in sources])
    masks = torch.cat([each.masks[~each.held_out] for each in sources])
    weights = np.concatenate(
        [np.full(count, each.source.share / count) for each in sources if (count := int((~each.held_out).sum()))]
    )
    weights /= weights.sum()
    finder = LungFinder()
    for number, cycle in enumerate(recipe.cycles):
        say(f"cycle {number + 1} of {len(recipe.cycles)}: {cycle.epochs} epochs, augmentation {cycle.augmentation}")
        finder = _one_cycle(recipe, cycle, finder, films, masks, weights, say)
    return finder.eval().requires_grad_(False)


def _one_cycle(
    recipe: LungRecipe,
    cycle: Cycle,
    finder: LungFinder,
    films: Tensor,
    masks: Tensor,
    weights: np.ndarray,
    say: Callable[[str], None],
) -> LungFinder:
    """The average of the weights over a cycle; ``weights`` ``(N,)`` is how often a film is drawn."""
    finder = finder.to(memory_format=torch.channels_last)
    steps = max(1, len(films) // recipe.batch_size)
    optimizer = torch.optim.AdamW(finder.parameters(), lr=cycle.learning_rate, weight_decay=recipe.weight_decay)
    schedule = OneCycleLR(optimizer, cycle.learning_rate, total_steps=cycle.epochs * steps, pct_start=0.15)
    average = AveragedModel(finder, multi_avg_fn=get_ema_multi_avg_fn(recipe.average), use_buffers=True)
    for epoch in range(cycle.epochs):
        finder.train()
        generator = torch.Generator().manual_seed(cycle.seed * 10_007 + epoch)
        order = np.random.default_rng([cycle.seed, epoch]).choice(len(films), steps * recipe.batch_size, p=weights)
        total = 0.0
        for batch in tqdm(np.split(order, steps), desc=f"epoch {epoch + 1}", leave=False, disable=None):
            seen, drawn = _augmented(films[batch], masks[batch], generator, cycle.augmentation)
            value = _loss(finder(seen.to(memory_format=torch.channels_last)), drawn)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            torch.nn.utils.clip_grad_norm_(finder.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            average.update_parameters(finder)
            total += float(value.detach())
        say(f"epoch {epoch + 1:>3}/{cycle.epochs}  loss {total / steps:.4f}")
    averaged: LungFinder = average.module  # type: ignore[assignment]
    return averaged


def _augmented(films: Tensor, masks: Tensor, generator: torch.Generator, strength: float) -> tuple[Tensor, Tensor]:
    matrix, ground = random_geometry(films, generator, strength)
    seen = random_light(warp(films, matrix, fill=ground), generator, without=GEOMETRIC)
    return seen, warp(masks, matrix, fill=0.0)


def _loss(logits: Tensor, masks: Tensor) -> Tensor:
    lung = logits.sigmoid()
    both = (lung * masks).sum((1, 2, 3))
    dice = 1 - (2 * both + 20) / (lung.sum((1, 2, 3)) + masks.sum((1, 2, 3)) + 20)
    return F.binary_cross_entropy_with_logits(logits, masks) + dice.mean()


def dice(finder: LungFinder, films: Tensor, masks: Tensor) -> np.ndarray:
    """Dice coefficient ``(N,)`` at a probability of 0.5."""
    found = []
    with torch.inference_mode():
        for start in range(0, len(films), 128):
            lung = finder(films[start : start + 128]) > 0
            drawn = masks[start : start + 128] > 0.5
            both = (lung & drawn).sum((1, 2, 3))
            found.append(2 * both / (lung.sum((1, 2, 3)) + drawn.sum((1, 2, 3))).clamp_min(1))
    return torch.cat(found).numpy()


def perturbed_pairs(
    films: Tensor, masks: Tensor, seed: int, low: float = 1.0, high: float = 4.0
) -> tuple[Tensor, Tensor]:
    """Each film perturbed once, kind and severity drawn, its mask with it."""
    generator = torch.Generator().manual_seed(seed)
    kinds = torch.randint(len(STRESS_KINDS), (len(films),), generator=generator)
    severity = torch.rand(len(films), generator=generator) * (high - low) + low
    films, masks = films.clone(), masks.clone()
    for number, kind in enumerate(STRESS_KINDS):
        rows = kinds == number
        if rows.any():
            drawn = torch.Generator().manual_seed(seed + 1 + number)
            masks[rows] = perturb_masks(masks[rows], kind, severity[rows], drawn)
            films[rows] = perturb(films[rows], kind, severity[rows], drawn)
    return films, masks


def measure_finder(recipe: LungRecipe, finder: LungFinder, sources: Sequence[SourceFilms]) -> dict[str, dict[str, Any]]:
    """Dice on the held-out films of each source, as they are and perturbed: mean with a bootstrap interval, and the
    fifth percentile."""
    found = {}
    for each in sources:
        films, masks = each.films[each.held_out], each.masks[each.held_out]
        for name, pair in (("", (films, masks)), (", perturbed", perturbed_pairs(films, masks, recipe.seed))):
            values = dice(finder, *pair)
            draws = np.random.default_rng(recipe.seed).choice(values, (1000, len(values))).mean(1)
            low, high = np.quantile(draws, [0.025, 0.975])
            found[each.source.name + name] = {
                "films": len(values),
                "dice": float(values.mean()),
                "interval": [float(low), float(high)],
                "fifth_percentile": float(np.quantile(values, 0.05)),
            }
    return found
