"""Make films that a gate learns from: turned, cut, side by side, too small, with one side white, or only perturbed.

Each function returns a change of films float ``(B, 1, H, W)`` in 0..1. A change draws from its generator, so that the
same seed makes the same films.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ai_for_sudan.disturbances import STRESS_KINDS, augment, perturb, warp
from ai_for_sudan.disturbances.geometry import affine
from ai_for_sudan.disturbances.sharpness import gaussian

Change = Callable[[Tensor], Tensor]


def by_kind(kind: str, generator: torch.Generator) -> Change:
    """Perturb films by one kind of disturbance, at severity 0.5 to 4.5."""

    def change(films: Tensor) -> Tensor:
        return perturb(films, kind, torch.rand(len(films), generator=generator) * 4 + 0.5, generator)

    return change


def any_kind(generator: torch.Generator) -> Change:
    """Perturb each film by a kind of its own among those of the stress suite, at severity 0.5 to 4.5."""

    def change(films: Tensor) -> Tensor:
        result = films.clone()
        kinds = torch.randint(len(STRESS_KINDS), (len(films),), generator=generator)
        severity = torch.rand(len(films), generator=generator) * 4 + 0.5
        for number, kind in enumerate(STRESS_KINDS):
            chosen = kinds == number
            if chosen.any():
                result[chosen] = perturb(films[chosen], kind, severity[chosen], generator)
        return result

    return change


def beside(axis: int) -> Change:
    """Each film and the next one of the batch on one picture, squashed: side by side (3) or one above the other (2)."""

    def change(films: Tensor) -> Tensor:
        both = torch.cat([films, films.roll(1, 0)], axis)
        return F.interpolate(both, size=films.shape[-2:], mode="bilinear", antialias=True)

    return change


def cut(side: tuple[int, int], generator: torch.Generator) -> Change:
    """Films that lack 35 to 60 % on one side (across, down), squashed."""

    def change(films: Tensor) -> Tensor:
        gone = torch.rand(len(films), generator=generator) * 0.25 + 0.35
        return _framed(films, side, 1 - gone, gone)

    return change


def out_of_frame(side: tuple[int, int], generator: torch.Generator) -> Change:
    """Films of which 35 to 60 % lies outside the frame on one side (across, down)."""

    def change(films: Tensor) -> Tensor:
        gone = torch.rand(len(films), generator=generator) * 0.25 + 0.35
        return _framed(films, side, torch.ones_like(gone), 2 * gone)

    return change


def lung_bases(generator: torch.Generator) -> Change:
    """The lowest 25 to 45 % of films, squashed: an abdomen, with the bases of the lungs."""

    def change(films: Tensor) -> Tensor:
        left = torch.rand(len(films), generator=generator) * 0.2 + 0.25
        return _framed(films, (0, 1), left, 1 - left)

    return change


def small(generator: torch.Generator, least: float, most: float) -> Change:
    """Films of small children: from the least to the most share of the frame's side, dark around, half of them in a
    round field."""

    def change(films: Tensor) -> Tensor:
        scale = 1 / (torch.rand(len(films), generator=generator) * (most - least) + least)
        dark = torch.rand(len(films), generator=generator) * 0.08
        result = warp(films, affine(films, scale_x=scale, scale_y=scale), dark[:, None, None, None].expand_as(films))
        across = torch.linspace(-1, 1, films.shape[-1])
        radius = (across[None, :] ** 2 + across[:, None] ** 2).sqrt()
        is_round = torch.rand(len(films), generator=generator) < 0.5
        outside = (radius > 1.12 / scale[:, None, None]) & is_round[:, None, None]
        return torch.where(outside[:, None], dark[:, None, None, None], result)

    return change


def white_side(find: Callable[[Tensor], Tensor], generator: torch.Generator) -> Change:
    """Films with one lung white, from its base up to 50 to 100 % of its height, as an effusion or a lung without air.

    Args:
        find: films -> probability of lung.
    """

    def change(films: Tensor) -> Tensor:
        height, width = films.shape[-2:]
        is_lung = F.interpolate(find(films), size=(height, width), mode="bilinear") > 0.5
        places = torch.linspace(0, 1, width)
        is_left = torch.rand(len(films), generator=generator)[:, None, None, None] < 0.5
        is_lung = is_lung & ((places < 0.5) == is_left)
        rows = is_lung.any(3).float()  # (B, 1, H)
        down = torch.arange(height)
        base = (rows * down).amax(2)
        top = height - (rows * (height - down)).amax(2)
        share = torch.rand(len(films), 1, generator=generator) * 0.5 + 0.5
        is_lung = is_lung & (down > (base - share * (base - top))[:, :, None])[..., None]
        soft = gaussian(is_lung.to(films.dtype), torch.rand(len(films), generator=generator) * 3 + 1)
        grey = torch.rand(len(films), 1, 1, 1, generator=generator) * 0.3 + 0.65
        texture = torch.rand(len(films), 1, 1, 1, generator=generator) * 0.3
        white = grey + texture * (films - films.mean(dim=(2, 3), keepdim=True))
        return films * (1 - soft) + white.clamp(0, 1) * soft

    return change


def _framed(films: Tensor, side: tuple[int, int], scale: Tensor, shift: Tensor) -> Tensor:
    """Scaled and shifted along the sides that are named."""
    across, down = side
    one = torch.ones_like(scale)
    matrix = affine(
        films,
        scale_x=scale if across else one,
        scale_y=scale if down else one,
        shift_x=across * shift,
        shift_y=down * shift,
    )
    return warp(films, matrix)


def mild(generator: torch.Generator) -> Change:
    """Change films a little, as training does at a strength of 0.35."""
    return lambda films: augment(films, generator, 0.35)
