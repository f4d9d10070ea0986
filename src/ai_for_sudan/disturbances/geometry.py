"""Warping a film: homographies on whole batches."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def warp(films: Tensor, homography: Tensor, fill: Tensor | float = 0.0) -> Tensor:
    """Look films up through a homography.

    Args:
        films: ``(B, 1, H, W)``.
        homography: ``(B, 3, 3)``; maps a place of the result to the place of the film that is seen there, both in
            -1..1 with (-1, -1) the upper left corner.
        fill: what lies outside the film: a number, or ``(B, 1, H, W)``.
    """
    _, _, height, width = films.shape
    y = torch.linspace(-1 + 1 / height, 1 - 1 / height, height, device=films.device)
    x = torch.linspace(-1 + 1 / width, 1 - 1 / width, width, device=films.device)
    places = torch.stack(
        [x.expand(height, width), y[:, None].expand(height, width), torch.ones(height, width, device=films.device)], -1
    )
    seen = torch.einsum("bij,hwj->bhwi", homography, places)
    grid = seen[..., :2] / seen[..., 2:].clamp_min(1e-3)
    warped = F.grid_sample(films, grid, mode="bilinear", padding_mode="border", align_corners=False)
    outside = (grid.abs() > 1).any(-1).unsqueeze(1)
    return torch.where(outside, torch.as_tensor(fill, device=films.device, dtype=films.dtype), warped)


def affine(
    like: Tensor,
    *,
    degrees: Tensor | float = 0.0,
    scale_x: Tensor | float = 1.0,
    scale_y: Tensor | float = 1.0,
    shift_x: Tensor | float = 0.0,
    shift_y: Tensor | float = 0.0,
) -> Tensor:
    """Homographies ``(B, 3, 3)`` for :func:`warp`: a scale above 1 shows the film smaller, shifts are in half sides."""

    def each(value: Tensor | float) -> Tensor:
        return torch.as_tensor(value, dtype=torch.float32, device=like.device).expand(len(like))

    angle = torch.deg2rad(each(degrees))
    cos, sin = angle.cos(), angle.sin()
    zero, one = torch.zeros_like(cos), torch.ones_like(cos)
    rows = [
        torch.stack([each(scale_x) * cos, -each(scale_x) * sin, each(shift_x)], -1),
        torch.stack([each(scale_y) * sin, each(scale_y) * cos, each(shift_y)], -1),
        torch.stack([zero, zero, one], -1),
    ]
    return torch.stack(rows, 1)


def perspective(homography: Tensor, tip_x: Tensor, tip_y: Tensor) -> Tensor:
    """Tip a homography: the camera stands to one side of the film."""
    tipped = homography.clone()
    tipped[:, 2, 0] = tip_x
    tipped[:, 2, 1] = tip_y
    return tipped
