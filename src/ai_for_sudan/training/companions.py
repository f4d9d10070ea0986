"""Films that teach about lungs and are trained on beside the others: lungs that were cut out, and other diseases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ai_for_sudan.datasets.cache import squash
from ai_for_sudan.datasets.regions import draw_boxes, parse_boxes
from ai_for_sudan.datasets.table import read_table
from ai_for_sudan.disturbances import augment_with_masks
from ai_for_sudan.disturbances.augmentation import random_geometry
from ai_for_sudan.disturbances.geometry import warp
from ai_for_sudan.errors import UnreadableFilm, UserError
from ai_for_sudan.lungs import LungView, box_of, restyle, swap_surroundings
from ai_for_sudan.lungs.transplants import LEAST, same_shapes, transplant
from ai_for_sudan.lungs.view import cut, displaced
from ai_for_sudan.lungs.weighting import depth, sides
from ai_for_sudan.models import as_batch
from ai_for_sudan.processes import in_parallel
from ai_for_sudan.radiographs import read_radiograph
from ai_for_sudan.training.lung_targets import LungFilms
from ai_for_sudan.training.recipe import Recipe

#: what a film is there for: its lungs alone are used, its surroundings are, or it is a film like any other
ROLES = ("cut_out", "host", "film")
#: the label of films that are abnormal in another way than the positive class
OTHER = "other"
#: cut-out lungs fill at least this share of their film, and their box has about the shape of two lungs
_AREA, _NARROWEST, _WIDEST, _SMALLER_LUNG = 0.06, 0.7, 1.7, 0.28
#: share of a lung that lies in boxes: above the first it is sick, below the second it is not
_SICK, _WELL = 0.04, 0.005
#: places a side at which boxes are held against lungs
_PLACES = 40
#: of a batch of films, how many transplants and how many films of other diseases are trained on besides
_TRANSPLANTS, _FILMS = 0.6, 0.15


@dataclass(frozen=True)
class Companions:
    """Films at network size.

    Attributes:
        pixels: uint8 ``(N, S, S)``; 0 outside lungs that were cut out.
        labels: 1 of the positive class, 0 of another class, -1 abnormal in another way, ``(N,)``.
        roles: index of :data:`ROLES` ``(N,)``.
        boxes: radiologists' boxes in shares of the film, ``(K, 4)`` each.
    """

    pixels: np.ndarray
    labels: np.ndarray
    roles: np.ndarray
    boxes: list[np.ndarray]

    @property
    def know_other_diseases(self) -> bool:
        """Tell whether any of them is abnormal in another way than the positive class."""
        return bool((self.labels == -1).any())

    @classmethod
    def load(cls, table: Path, classes: Sequence[str], positive: str, size: int) -> Companions:
        """Read a CSV with the columns ``file``, ``label``, ``role`` and ``boxes``; paths start from its folder.

        Args:
            classes, positive: of the network; a label is one of them or ``other``.
            size: side of the squashed films.

        Raises:
            UserError: names the line that cannot be used.
        """
        rows = read_table(table, ("file", "label", "role", "boxes"))
        for line, row in rows:
            if row["label"] not in (*classes, OTHER):
                raise UserError(
                    f"{table}, line {line}: the label '{row['label']}' is none of {', '.join((*classes, OTHER))}"
                )
            if row["role"] not in ROLES:
                raise UserError(f"{table}, line {line}: the role '{row['role']}' is none of {', '.join(ROLES)}")

        def read(entry: tuple[int, dict[str, str]]) -> np.ndarray:
            line, row = entry
            try:
                return squash(read_radiograph(table.parent / row["file"]).pixels, size)
            except UnreadableFilm as error:
                raise UserError(f"{table}, line {line}: {row['file']}: {error}") from error

        films = tqdm(in_parallel(read, rows), total=len(rows), desc=table.stem, unit="film", leave=False, disable=None)
        values = {OTHER: -1, **{name: int(name == positive) for name in classes}}
        found = cls(
            np.stack(list(films)),
            np.array([values[row["label"]] for _, row in rows]),
            np.array([ROLES.index(row["role"]) for _, row in rows]),
            [parse_boxes(row["boxes"]) for _, row in rows],
        )
        return found._usable()

    def _usable(self) -> Companions:
        """Without cut-out lungs of which a program left too little, or one alone."""
        good = np.ones(len(self.pixels), bool)
        for start in range(0, len(good), 256):
            rows = np.arange(start, min(start + 256, len(good)))
            masks = (as_batch(self.pixels[rows]) > 0).float()
            box = box_of(masks)
            ratio = (box[:, 2] - box[:, 0]) / (box[:, 3] - box[:, 1])
            coarse = torch.nn.functional.adaptive_avg_pool2d(masks, (_PLACES, _PLACES))
            lungs = (sides(coarse) * coarse).sum((2, 3))
            smaller = lungs.amin(1) / lungs.sum(1).clamp_min(1e-6)
            shape = (ratio > _NARROWEST) & (ratio < _WIDEST) & (smaller > _SMALLER_LUNG)
            good[rows] = (shape & (masks.mean((1, 2, 3)) > _AREA)).numpy()
        kept = np.flatnonzero(good | (self.roles != ROLES.index("cut_out")))
        return Companions(self.pixels[kept], self.labels[kept], self.roles[kept], [self.boxes[row] for row in kept])

    def draw(
        self, view: LungView, recipe: Recipe, size: int, healthy: Tensor, generator: torch.Generator
    ) -> list[LungFilms]:
        """Draw what accompanies a batch.

        Args:
            view: the network's finder and view.
            size: side of the views.
            healthy: films of the batch with healthy lungs ``(B, 1, S, S)`` in 0..1: half of the hosts.
            generator: the same state draws the same.
        """
        random = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        found = []
        pairs = round(recipe.batch_size * _TRANSPLANTS / 2)
        if pairs and len(self._rows("cut_out", 1)) and len(self._rows("cut_out", 0)):
            found.append(self._transplants(view, recipe, size, healthy, pairs, random, generator))
        whole = [self._rows("film", label) for label in (0, -1)]
        count = round(recipe.batch_size * _FILMS / 2)
        if count and all(map(len, whole)):
            rows = np.concatenate([random.choice(each, count) for each in whole])
            films, _ = augment_with_masks(as_batch(self.pixels[rows]), None, generator, recipe.augmentation)
            views = restyle(view.framed(films, generator, size), generator, recipe.restyle)
            views = swap_surroundings(views, generator, recipe.swap)
            found.append(LungFilms.of_labels(views, torch.from_numpy(self.labels[rows])))
        return found

    def _rows(self, role: str, label: int | None = None) -> np.ndarray:
        chosen = self.roles == ROLES.index(role)
        return np.flatnonzero(chosen if label is None else chosen & (self.labels == label))

    def _transplants(
        self,
        view: LungView,
        recipe: Recipe,
        size: int,
        healthy: Tensor,
        pairs: int,
        random: np.random.Generator,
        generator: torch.Generator,
    ) -> LungFilms:
        """As many lungs with opacities as without, in the same surroundings and the same shapes."""
        other = self._rows("cut_out", -1)
        third = pairs // 3 if len(other) else 0
        rows = np.concatenate(
            [
                random.choice(self._rows("cut_out", 1), pairs),
                random.choice(self._rows("cut_out", 0), pairs - third),
                random.choice(other, third) if third else other[:0],
            ]
        )
        labels = torch.from_numpy(self.labels[rows])
        films = as_batch(self.pixels[rows])
        side = films.shape[-1]
        drawn = np.stack([draw_boxes(self.boxes[row], side) for row in rows]).astype(np.float32)
        matrix, _ = random_geometry(films, generator, 0.5)
        films, masks, boxes = (
            warp(each, matrix, fill=0.0) for each in (films, (films > 0).float(), torch.from_numpy(drawn)[:, None])
        )
        frame = displaced(box_of(masks), generator)
        films, masks, boxes = (cut(each, frame, size) for each in (films, masks, boxes))
        textures = films / masks.clamp_min(0.3)
        masks = same_shapes(masks)
        hosts = self._hosts(healthy, 2 * pairs, random)
        hosts, _ = augment_with_masks(hosts, None, generator, recipe.augmentation)
        views = transplant(textures, masks, view.framed(hosts, generator, size), generator)
        boxes = boxes * masks * (labels == 1).view(-1, 1, 1, 1)
        lungs = lungs_with_boxes(views[:, 1:], boxes)
        lungs[labels != 1] = 0.0
        large = masks.mean((1, 2, 3)) > LEAST
        lungs[~large] = torch.nan
        # Of an opacity that was left out with its lung nothing can be seen.
        film = torch.where(labels == 1, torch.where((lungs == 1).any(1), 1.0, torch.nan), 0.0)
        film[~large] = torch.nan
        abnormal = torch.where(labels == -1, 1.0, film)
        views = restyle(views, generator, recipe.restyle)
        return LungFilms(views, film, lungs, abnormal, boxes * (film == 1).view(-1, 1, 1, 1))

    def _hosts(self, healthy: Tensor, count: int, random: np.random.Generator) -> Tensor:
        own, rows = self._rows("host"), []
        if len(own):
            rows.append(as_batch(self.pixels[random.choice(own, count // 2 if len(healthy) else count)]))
        if len(healthy):
            rows.append(healthy[torch.from_numpy(random.choice(len(healthy), count - sum(map(len, rows))))])
        hosts = torch.cat(rows)
        return hosts[torch.from_numpy(random.permutation(count))]


def lungs_with_boxes(lungs: Tensor, boxes: Tensor) -> Tensor:
    """Return which lungs have a box: ``(B, 2)`` of 1, 0, and NaN where too little of a box is in a lung to tell.

    Args:
        lungs, boxes: ``(B, 1, V, V)`` in 0..1.
    """
    weights = depth(lungs, (_PLACES, _PLACES))
    each = sides(weights) * weights
    inside = torch.nn.functional.adaptive_avg_pool2d(boxes, (_PLACES, _PLACES))
    share = (each * inside).sum((2, 3)) / each.sum((2, 3)).clamp_min(1e-3)
    unknown = torch.full_like(share, torch.nan)
    return torch.where(share > _SICK, 1.0, torch.where(share < _WELL, 0.0, unknown))
