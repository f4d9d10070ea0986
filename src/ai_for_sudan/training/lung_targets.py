"""What is true of each lung, and what a network that reads each lung for itself is held to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ai_for_sudan.lungs.mosaics import mosaic
from ai_for_sudan.models import Architecture
from ai_for_sudan.models.architecture import Logits, ModelSpec, joined, positive_odds, shares
from ai_for_sudan.training.loss import imitation
from ai_for_sudan.training.recipe import Recipe

#: taken from what is known of a lung: boxes and mosaics are not always right
_SMOOTHING = 0.02
#: places of a map that boxes cover at least, for its attribution to be held against them
_LEAST_PLACES = 4


@dataclass(frozen=True)
class LungFilms:
    """Views of lungs, and what is true of them; NaN where that is not known.

    Attributes:
        views: ``(B, 2, V, V)``: grey levels in 0..1 and the probability of lung.
        film: 1 of the positive class, 0 of another ``(B,)``.
        lungs: the same of each lung ``(B, 2)``, that on the left of the picture first.
        abnormal: 1 if the lungs are abnormal in any way ``(B,)``.
        boxes: where radiologists drew boxes ``(B, 1, V, V)`` in 0..1.
    """

    views: Tensor
    film: Tensor
    lungs: Tensor
    abnormal: Tensor
    boxes: Tensor

    def __len__(self) -> int:
        return len(self.views)

    @classmethod
    def of_labels(cls, views: Tensor, labels: Tensor) -> LungFilms:
        """Films of which the label alone is known: 1 positive, 0 healthy, -1 abnormal in another way, ``(B,)``.

        Both lungs of a healthy film are healthy; which lung of a sick one is sick is not known.
        """
        film = torch.where(labels < 0, torch.nan, labels.float())
        lungs = torch.where(labels == 0, 0.0, torch.nan).to(views)[:, None].repeat(1, 2)
        abnormal = (labels != 0).float()
        return cls(views, film.to(views), lungs, abnormal.to(views), torch.zeros_like(views[:, :1]))

    @classmethod
    def joined(cls, parts: Sequence[LungFilms]) -> LungFilms:
        """Join films to one batch."""
        return cls(*(torch.cat(values) for values in zip(*(part._values() for part in parts), strict=True)))

    def _values(self) -> tuple[Tensor, ...]:
        return self.views, self.film, self.lungs, self.abnormal, self.boxes

    def mosaics(self, odds: Tensor, count: int, generator: torch.Generator) -> LungFilms | None:
        """Make films whose lungs belong to different ones: half of them sick on one side, a quarter on both, a quarter
        on none.

        Of a sick film whose lungs are not known the lung is taken that the network takes for the sicker one: where a
        film is as sick as its sicker lung, this is what its label says (Dietterich 1997, multiple instances).

        Args:
            odds: log-odds of each lung ``(B, 2)``.

        Returns:
            None where there are too few sick or healthy films.
        """
        sick, well = (torch.nonzero(rows)[:, 0] for rows in (self.film == 1, (self.film == 0) & (self.abnormal == 0)))
        if len(sick) < 2 or len(well) < 2 or not count:
            return None
        kinds = torch.arange(count) % 4  # 0, 1: one side; 2: both; 3: none
        positive = torch.stack([kinds != 3, kinds == 2], 1)  # of the first lung, of the second
        swap = torch.rand(count, generator=generator) < 0.5
        positive = torch.where(swap[:, None], positive.flip(1), positive)
        halves = []
        for side in (0, 1):
            rows = torch.where(
                positive[:, side],
                sick[torch.randint(len(sick), (count,), generator=generator)],
                well[torch.randint(len(well), (count,), generator=generator)],
            )
            known = self.lungs[rows]
            certain = torch.where(known.isnan(), odds[rows], (known - 0.5) * 1e3)
            chance = torch.rand(count, 2, generator=generator).to(odds)
            lung = torch.where(positive[:, side, None], certain, chance).argmax(1)
            views = self.views[rows]
            # A mirror image brings the chosen lung to the side where it is wanted.
            halves.append(torch.where((lung != side).view(-1, 1, 1, 1), views.flip(3), views))
        lungs = positive.to(self.views)
        film = lungs.amax(1)
        views = mosaic(halves[0], halves[1], generator)
        return LungFilms(views, film, lungs, film, torch.zeros_like(views[:, :1]))


def lung_loss(model: Architecture, maps: Tensor, logits: Logits, films: LungFilms, recipe: Recipe) -> Tensor:
    """Return the loss of what is known of each lung, of other diseases and of where opacities lie.

    Args:
        maps: the weighted maps of the films ``(B, 2 K, h, w)``.
        logits: of each lung.
    """
    odds = positive_odds(logits.classes, model.spec)
    value = recipe.lung_weight * _entropy(odds, films.lungs)
    if logits.abnormal is not None:
        healthy = torch.where(films.abnormal == 0, 0.0, torch.nan)[:, None].expand(-1, 2)
        value = value + recipe.abnormal_weight * (
            _entropy(logits.abnormal.logsumexp(1), films.abnormal) + 0.5 * _entropy(logits.abnormal, healthy)
        )
    if recipe.place_weight and films.boxes.any():
        value = value + recipe.place_weight * _misplaced(model, maps, logits, films.boxes)
    return value


def imitated(student: Logits, teacher: Logits, spec: ModelSpec) -> Tensor:
    """How far a student is from a teacher of the same classes, lung for lung where both read each for itself."""
    mine, theirs = student.classes, teacher.classes.clone()
    if mine.shape == theirs.shape:
        mine, theirs = mine.flatten(0, 1), theirs.flatten(0, 1)
    else:
        mine, theirs = joined(mine, spec), joined(theirs, spec)
    value = imitation(mine, theirs, spec.task)
    if student.abnormal is not None and teacher.abnormal is not None:
        value = value + imitation(student.abnormal, teacher.abnormal.clone(), "multilabel")
    return value


def _entropy(odds: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy over what is known; 0 where nothing is."""
    known = ~truth.isnan()
    target = truth.nan_to_num() * (1 - _SMOOTHING) + _SMOOTHING / 2
    each = F.binary_cross_entropy_with_logits(odds.float(), target, reduction="none")
    return (each * known).sum() / known.sum().clamp_min(1)


def _misplaced(model: Architecture, maps: Tensor, logits: Logits, boxes: Tensor) -> Tensor:
    """The mean over films with boxes of ``-log`` of the share of the attribution that lies in them (Rao 2023)."""
    places = F.adaptive_avg_pool2d(boxes, (maps.shape[-2], maps.shape[-1]))[:, 0]
    rows = places.sum((1, 2)) > _LEAST_PLACES
    if not rows.any():
        return maps.new_zeros(())
    each = maps[rows].unflatten(1, (2, -1))
    weight = model.channel_weights(each.mean((3, 4)))[:, :, model.spec.positive_index]
    share = shares(logits.classes[rows], model.spec)[..., None, None]
    cam = (torch.einsum("blkhw,blk->blhw", each, weight) * share).sum(1).relu()
    inside = (cam * places[rows]).sum((1, 2)) / cam.sum((1, 2)).clamp_min(1e-3)
    return -inside.clamp_min(1e-3).log().mean()
