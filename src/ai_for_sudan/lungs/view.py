"""What a network sees of a film: the lungs' box, squared, its grey levels stretched, with where the lungs are.

The same code serves training, evaluation and the reader file's graph; all of it is matrix products and sorting, so that
any exporter can write it down.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ai_for_sudan.lungs.finder import SIDE, LungFinder

#: share of the lungs' mass that may lie outside the box on each side: a stray spot must not widen it
TAIL = 0.02
#: margin around the lungs on each side, in parts of the box
MARGIN = 0.08
#: least share of a film that lungs fill
LEAST_AREA = 0.02
#: places a side at which grey levels are looked at for the stretch
LEVELS = 28


class View(NamedTuple):
    """Of a batch.

    Attributes:
        pixels: ``(B, 2, S, S)`` in 0..1: grey levels in the box, and the probability of lung.
        box: ``(B, 4)``: x0, y0, x1, y1 in shares of the film's width and height.
        lungs: ``(B, 1, 112, 112)``: the probability of lung in the frame of the film.
    """

    pixels: Tensor
    box: Tensor
    lungs: Tensor


def box_of(lungs: Tensor, margin: float = MARGIN) -> Tensor:
    """Probability of lung ``(B, 1, h, w)`` -> box ``(B, 4)`` inside the film; the whole film where no lungs are."""
    mass = lungs * (lungs > 0.5)
    sides = []
    for axis in (2, 3):
        profile = mass.sum(dim=(1, axis))  # over rows: along x; over columns: along y
        share = profile.cumsum(1) / profile.sum(1, keepdim=True).clamp_min(1e-6)
        count = profile.shape[1]
        low = (share < TAIL).to(mass.dtype).sum(1) / count
        high = ((share < 1 - TAIL).to(mass.dtype).sum(1) + 1).clamp_max(count) / count
        extra = (high - low) * margin
        sides.append(((low - extra).clamp_min(0), (high + extra).clamp_max(1)))
    box = torch.stack([sides[0][0], sides[1][0], sides[0][1], sides[1][1]], 1)
    found = (mass > 0).to(mass.dtype).mean(dim=(1, 2, 3)) >= LEAST_AREA
    whole = torch.tensor([0.0, 0.0, 1.0, 1.0], dtype=box.dtype, device=box.device)
    return torch.where(found[:, None], box, whole)


def _weights(low: Tensor, high: Tensor, count: int, source: int) -> Tensor:
    """Antialiased bilinear weights ``(B, count, source)``, as Pillow's ``resize(box=...)`` takes them."""
    places = (torch.arange(count, device=low.device, dtype=low.dtype) + 0.5) / count
    centre = (low[:, None] + (high - low)[:, None] * places) * source
    support = ((high - low) * source / count).clamp_min(1.0)[:, None, None]
    pixels = torch.arange(source, device=low.device, dtype=low.dtype) + 0.5
    weights = (1 - (pixels - centre[:, :, None]).abs() / support).clamp_min(0)
    return weights / weights.sum(2, keepdim=True).clamp_min(1e-6)


def cut(films: Tensor, box: Tensor, size: int) -> Tensor:
    """The box of each film at ``size`` a side: ``(B, 1, h, w)``, ``(B, 4)`` -> ``(B, 1, size, size)``."""
    height, width = films.shape[-2:]
    across = _weights(box[:, 0], box[:, 2], size, width)
    down = _weights(box[:, 1], box[:, 3], size, height)
    return (down @ films[:, 0] @ across.transpose(1, 2)).unsqueeze(1)


def back(maps: Tensor, box: Tensor, size: int) -> Tensor:
    """A map over the box, in the frame of the film: ``(B, C, h, w)`` -> ``(B, C, size, size)``, 0 outside the box."""

    def weights(low: Tensor, high: Tensor, source: int) -> Tensor:
        places = (torch.arange(size, device=low.device, dtype=low.dtype) + 0.5) / size
        inside = (places - low[:, None]) / (high - low).clamp_min(1e-6)[:, None]
        centre = (inside * source).clamp(0.5, source - 0.5)[:, :, None]
        cells = torch.arange(source, device=low.device, dtype=low.dtype) + 0.5
        within = ((inside >= 0) & (inside <= 1)).to(low.dtype)[:, :, None]
        return (1 - (cells - centre).abs()).clamp_min(0) * within

    across = weights(box[:, 0], box[:, 2], maps.shape[3])
    down = weights(box[:, 1], box[:, 3], maps.shape[2])
    return down[:, None] @ maps @ across.transpose(1, 2)[:, None]


def stretch(films: Tensor, levels: Tensor) -> Tensor:
    """Grey levels ``(B, 1, S, S)`` from the 1st to the 99th percentile of ``levels`` to 0..1, cut off there.

    Args:
        levels: the same at few places ``(B, 1, s, s)``: a marker's few pixels and noise do not move percentiles of
            means, and sorting them is cheap.
    """
    ordered = levels.flatten(1).sort(1).values
    place = ordered.shape[1] // 100
    low, high = ordered[:, place, None, None, None], ordered[:, -place - 1, None, None, None]
    return ((films - low) / (high - low).clamp_min(0.02)).clamp(0, 1)


def displaced(box: Tensor, generator: torch.Generator) -> Tensor:
    """Return boxes ``(B, 4)`` whose sides lie elsewhere by up to 7 % of the box, mostly outwards, for training."""
    sides = (box[:, 2:] - box[:, :2]).repeat(1, 2)
    out = (torch.rand(len(box), 4, generator=generator) * 0.12 - 0.054).to(box)
    return (box + out * sides * box.new_tensor([-1.0, -1.0, 1.0, 1.0])).clamp(0, 1)


class LungView(nn.Module):
    """A lung finder in front of a network; its weights are never trained with the network's."""

    def __init__(self, finder: LungFinder, size: int) -> None:
        super().__init__()
        self.finder, self.size = finder.eval().requires_grad_(False), size

    def train(self, mode: bool = True) -> LungView:
        """Only the flag: the finder's statistics stay those that it was fitted with."""
        self.training = mode
        return self

    def find(self, films: Tensor) -> Tensor:
        """Squashed films ``(B, 1, S, S)`` in 0..1 -> probability of lung ``(B, 1, 112, 112)``."""
        if films.shape[-1] % SIDE:
            small = F.interpolate(films, size=(SIDE, SIDE), mode="bilinear", antialias=True)
        else:  # the same to a grey level, and a tenth of the time
            small = F.avg_pool2d(films, films.shape[-1] // SIDE)
        return self.finder(small).sigmoid()

    def forward(self, films: Tensor) -> View:
        """Squashed films ``(B, 1, S, S)`` in 0..1 -> :class:`View`; in full precision whatever the caller's is.

        bfloat16 has eight bits for grey levels, and the place of a box would be off by pixels.
        """
        with torch.autocast(films.device.type, enabled=False):
            lungs = self.find(films)
            return self.look(films, lungs, box_of(lungs))

    def framed(
        self, films: Tensor, generator: torch.Generator, size: int | None = None, lungs: Tensor | None = None
    ) -> Tensor:
        """Views ``(B, 2, V, V)`` for training: each side of the box is :func:`displaced`.

        Args:
            size: another side than the view's own.
            lungs: ``(B, 1, h, w)`` in 0..1 where they are known; the finder is not run then.
        """
        with torch.no_grad():
            lungs = self.find(films) if lungs is None else lungs
            return self.look(films, lungs, displaced(box_of(lungs), generator), size).pixels

    def look(self, films: Tensor, lungs: Tensor, box: Tensor, size: int | None = None) -> View:
        """The view through a box that was chosen by the caller."""
        size = size or self.size
        grey = stretch(cut(films, box, size), cut(films, box, LEVELS))
        return View(torch.cat([grey, cut(lungs, box, size)], 1), box, lungs)
