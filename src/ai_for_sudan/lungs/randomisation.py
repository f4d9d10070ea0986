"""Other looks of a view, so that neither what lies around the lungs nor a hospital's grey levels predict the label."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def swap_surroundings(views: Tensor, generator: torch.Generator, share: float) -> Tensor:
    """Put what surrounds the lungs of another film of the batch around those of ``share`` of the films.

    Views are cut by the lungs' box, so that lungs lie in about the same place of all of them.

    Args:
        views: ``(B, 2, V, V)``: grey levels in 0..1 and the probability of lung.
    """
    count, side = len(views), views.shape[-1]
    chosen = (torch.rand(count, generator=generator) < share).to(views.device)
    other = torch.randperm(count, generator=generator).to(views.device)
    # A little beyond the lungs' outline, which a consolidated lung does not show sharply, and softly.
    reach = max(1, side // 28)
    inside = F.max_pool2d(views[:, 1:], 2 * reach + 1, stride=1, padding=reach)
    inside = F.avg_pool2d(inside, 5, stride=1, padding=2)
    swapped = inside * views[:, :1] + (1 - inside) * views[other, :1]
    return torch.cat([torch.where(chosen.view(-1, 1, 1, 1), swapped, views[:, :1]), views[:, 1:]], 1)


def restyle(views: Tensor, generator: torch.Generator, share: float) -> Tensor:
    """Another tone curve and uneven light for ``share`` of the films, as another detector's processing gives them.

    Args:
        views: ``(B, 2, V, V)``: grey levels in 0..1 and the probability of lung.
    """

    def draw(low: float, high: float) -> Tensor:
        return (torch.rand(len(views), 1, 1, 1, generator=generator) * (high - low) + low).to(views.device)

    chosen = draw(0, 1) < share
    grey = views[:, :1].clamp_min(1e-4) ** torch.exp(draw(-0.7, 0.7))
    # An S-shaped curve, or its opposite: harder or softer in the middle greys.
    grey = grey + draw(-0.35, 0.35) * torch.sin(2 * math.pi * grey) / (2 * math.pi)
    field = torch.randn(len(views), 1, 4, 4, generator=generator).to(views.device)
    field = F.interpolate(field, size=views.shape[-2:], mode="bicubic", align_corners=False)
    grey = (grey + field * draw(0, 0.08)).clamp(0, 1)
    return torch.cat([torch.where(chosen, grey, views[:, :1]), views[:, 1:]], 1)
