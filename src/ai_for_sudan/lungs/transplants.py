"""Lungs that were cut out of their films, put into the surroundings of others."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

#: lungs smaller than this share of a view are not transplanted
LEAST = 0.1
#: the square, in pixels, whose mean is taken away to see ribs and vessels alone
_DETAIL = 9
_PER_FILM = (1, 2, 3)


def same_shapes(masks: Tensor) -> Tensor:
    """Give the films of both halves of a batch the same shapes: the lungs that a film and its partner share.

    The outline of a sick lung that a program drew leaves out what is white, so that the shape alone would tell the
    label.

    Args:
        masks: ``(2 N, 1, V, V)`` in 0..1, first those of N positive films, then those of N others.
    """
    first, second = masks.chunk(2)
    return torch.minimum(first, second).repeat(2, 1, 1, 1)


def transplant(textures: Tensor, masks: Tensor, hosts: Tensor, generator: torch.Generator) -> Tensor:
    """Put lungs into the surroundings of other films.

    Grey levels of the lungs are brought to those of the host: the darkest places to its darkest, and ribs and vessels
    to the contrast that they have there. An opacity stays as much brighter as it was.

    Args:
        textures: grey levels of the lungs ``(B, 1, V, V)``.
        masks: where they are ``(B, 1, V, V)`` in 0..1.
        hosts: views of films with healthy lungs ``(B, 2, V, V)``.

    Returns:
        views ``(B, 2, V, V)``, whose lungs are the transplanted ones.
    """
    around, own = hosts[:, :1], hosts[:, 1:]
    draw = torch.rand(len(textures), 1, 1, 1, generator=generator).to(textures)
    gain = (_contrast(around, own) / _contrast(textures, masks).clamp_min(0.005)).clamp(0.3, 3)
    gain = gain * torch.exp((draw - 0.5) / 2)
    levels = (textures - _darkest(textures, masks)) * gain + _darkest(around, own)
    soft = F.avg_pool2d(masks, 5, stride=1, padding=2) * (masks > 0.2)
    return torch.cat([(soft * levels + (1 - soft) * around).clamp(0, 1), soft], 1)


def _darkest(grey: Tensor, masks: Tensor, share: float = 0.05) -> Tensor:
    """The grey level below which ``share`` of the places inside lie, ``(B, 1, 1, 1)``; 0 where there are none."""
    inside = masks.flatten(1) > 0.5
    ordered = torch.where(inside, grey.flatten(1), math.inf).sort(1).values
    place = (inside.sum(1, keepdim=True) * share).long()
    found = ordered.gather(1, place)
    return torch.where(found.isinf(), 0.0, found)[:, :, None, None]


def _contrast(grey: Tensor, masks: Tensor) -> Tensor:
    """Root mean square of what is finer than :data:`_DETAIL` pixels inside the masks, ``(B, 1, 1, 1)``."""
    smooth = F.avg_pool2d(grey, _DETAIL, stride=1, padding=_DETAIL // 2)
    power = ((grey - smooth).square() * masks).sum(_PER_FILM, keepdim=True)
    return (power / masks.sum(_PER_FILM, keepdim=True).clamp_min(1)).sqrt()
