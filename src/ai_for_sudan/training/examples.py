"""What is trained on: films, their labels, and the order in which an epoch meets them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ai_for_sudan.datasets import Manifest, Picked, Pixels, labels, patients
from ai_for_sudan.datasets.masks import load_lungs
from ai_for_sudan.errors import UserError
from ai_for_sudan.lungs.finder import SIDE
from ai_for_sudan.models import as_batch
from ai_for_sudan.training.recipe import Recipe


@dataclass(frozen=True)
class LabelledFilms:
    """Films at network size with what is known of them.

    Attributes:
        pixels: uint8 ``(N, S, S)``; may be picked from a memory map.
        labels: class numbers int64 ``(N,)``, or findings float32 ``(N, C)`` in 0, 1, NaN (no label).
        patients: whom each film is of ``(N,)``.
        sites: the hospital of each film, str ``(N,)``, where they are of several.
        lungs: uint8 ``(N, h, w)``, 255 where lung is, where people drew them.
    """

    pixels: Pixels
    labels: np.ndarray
    patients: np.ndarray
    sites: np.ndarray | None = None
    lungs: np.ndarray | None = None

    @classmethod
    def of(
        cls, manifest: Manifest, pixels: Pixels, sites: np.ndarray | None = None, lungs: np.ndarray | None = None
    ) -> LabelledFilms:
        """Join the decoded films of a manifest with their labels and patients."""
        return cls(pixels, labels(manifest), patients(manifest), sites, lungs)

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, rows: Sequence[int] | np.ndarray) -> LabelledFilms:
        """Return the films of these rows; their pixels are not copied."""
        chosen = np.asarray(rows, dtype=np.int64)
        return LabelledFilms(
            Picked(self.pixels, chosen),
            self.labels[chosen],
            self.patients[chosen],
            None if self.sites is None else self.sites[chosen],
            None if self.lungs is None else self.lungs[chosen],
        )

    def batch(self, indices: Tensor, where: torch.device) -> tuple[Tensor, Tensor, Tensor | None]:
        """Films ``(B, 1, S, S)`` in 0..1, labels, and lungs ``(B, 1, h, w)`` in 0..1 where people drew them."""
        # Sorted reading keeps a memory map's pages in order; the order inside a batch does not matter.
        chosen = np.sort(indices.numpy())
        lungs = None if self.lungs is None else as_batch(self.lungs[chosen], where)
        return as_batch(self.pixels[chosen], where), torch.from_numpy(self.labels[chosen]).to(where), lungs

    def order(self, positive: int, seed: Sequence[int]) -> np.ndarray:
        """The films of one epoch, int64 ``(N,)``: each once; of several sites, with as many of each class at each.

        Args:
            positive: the finding whose share is made equal, of films with several.
            seed: the same seed gives the same order.
        """
        random = np.random.default_rng(seed)
        if self.sites is None:
            return random.permutation(len(self))
        return random.permutation(_balanced(_classes(self.labels, positive), self.sites, random))


def drawn_lungs(recipe: Recipe, manifest: Manifest, taking_part: Sequence[int]) -> np.ndarray | None:
    """The lungs of the films that take part, uint8 ``(N, 112, 112)``, 0 of others; ``None`` where they are to be found.

    Raises:
        UserError: as :func:`ai_for_sudan.datasets.masks.load_lungs`.
    """
    if recipe.masks is None:
        return None
    found = np.zeros((len(manifest.films), SIDE, SIDE), np.uint8)
    found[list(taking_part)] = load_lungs([manifest.films[row] for row in taking_part], recipe.masks, SIDE)
    return found


def check_sites(films: LabelledFilms, positive: int) -> None:
    """Every site needs films of every class.

    Raises:
        UserError: where a class is missing, the site alone would predict the label.
    """
    classes = _classes(films.labels, positive)
    for site in np.unique(films.sites) if films.sites is not None else ():
        missing = len(set(classes[classes >= 0])) - len(set(classes[(films.sites == site) & (classes >= 0)]))
        if missing:
            raise UserError(
                f"the site '{site}' lacks films of {missing} of the classes, so that the site would predict the label; "
                "leave its films out, or give --sites ignore"
            )


def _classes(labels: np.ndarray, positive: int) -> np.ndarray:
    """Class numbers ``(N,)``; of findings the positive one's 0 or 1, and -1 where it has no label."""
    return np.nan_to_num(labels[:, positive], nan=-1).astype(np.int64) if labels.ndim == 2 else labels


def _balanced(classes: np.ndarray, sites: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """As many films as there are, of every site as many of each class; some films twice, some not at all.

    A site's share goes with the square root of its films: a hundred films of a second hospital count beside
    thousands of the first, and are not repeated until they are memorised.
    """
    numbers = np.unique(classes)
    names, counts = np.unique(sites, return_counts=True)
    chosen = []
    for site, total in zip(names, _quotas(len(classes), np.sqrt(counts) / np.sqrt(counts).sum()), strict=True):
        here = np.flatnonzero(sites == site)
        for number, quota in zip(numbers, _quotas(total, np.full(len(numbers), 1 / len(numbers))), strict=True):
            films = here[classes[here] == number]
            if len(films):
                rounds = -(-quota // len(films))
                chosen.append(np.concatenate([random.permutation(films) for _ in range(rounds)] or [films[:0]])[:quota])
    return np.concatenate(chosen)


def _quotas(total: int, shares: np.ndarray) -> list[int]:
    """Whole numbers that sum to ``total``, by the largest remainders."""
    exact = total * shares
    quotas = np.floor(exact).astype(int)
    quotas[np.argsort(quotas - exact, kind="stable")[: total - quotas.sum()]] += 1
    return quotas.tolist()
