"""Losing detail."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ai_for_sudan.disturbances.draw import column, uniform


def gaussian(films: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur with a standard deviation of ``sigma`` ``(B,)`` pixels, each film its own."""
    radius = max(1, int(3 * float(sigma.max()) + 0.5))
    places = torch.arange(-radius, radius + 1, device=films.device, dtype=films.dtype)
    kernels = torch.exp(-0.5 * (places / sigma.clamp_min(1e-3)[:, None]) ** 2)
    kernels = (kernels / kernels.sum(1, keepdim=True)).unsqueeze(1)  # (B, 1, K)
    count = len(films)
    # The films become channels of one picture, so that each is convolved with its own kernel.
    flat = F.pad(films.transpose(0, 1), (radius, radius, radius, radius), mode="replicate")
    flat = F.conv2d(flat, kernels.unsqueeze(2), groups=count)
    flat = F.conv2d(flat, kernels.unsqueeze(3), groups=count)
    return flat.transpose(0, 1)


def blur(films: Tensor, severity: Tensor, generator: torch.Generator | None) -> Tensor:
    """Out of focus or moved: Gaussian, at worst 1.25 % of the side (2.8 pixels of 224)."""
    return gaussian(films, severity * 0.0025 * min(films.shape[-2:]))


def resolution(films: Tensor, severity: Tensor, generator: torch.Generator | None) -> Tensor:
    """Reduced to as little as a quarter of the pixels a side, and enlarged again."""
    height, width = films.shape[-2:]
    result = films.clone()
    # Three classes of reduction, so that a whole batch needs three resizes only.
    factor = 1 + severity * 0.6 * uniform(films, generator, 0.7)
    for step in (1.5, 2.25, 3.5):
        chosen = (factor > step * 0.8) & (factor <= step * 1.25) if step < 3 else factor > step * 0.8
        if chosen.any():
            small = F.interpolate(
                films[chosen], size=(int(height / step), int(width / step)), mode="bilinear", antialias=True
            )
            result[chosen] = F.interpolate(small, size=(height, width), mode="bilinear", align_corners=False)
    return result


def sharpen(films: Tensor, amount: Tensor) -> Tensor:
    """Unsharp mask, as many scanners apply it."""
    soft = gaussian(films, torch.full((len(films),), 2.0, device=films.device))
    return (films + column(amount) * (films - soft)).clamp(0, 1)
