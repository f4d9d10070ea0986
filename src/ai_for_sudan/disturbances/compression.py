"""JPEG compression as arithmetic on whole batches (ITU-T T.81): transform, quantise, transform back."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ai_for_sudan.disturbances.draw import column

# Luminance quantisation table, T.81 Annex K, Table K.1.
_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def _cosines() -> Tensor:
    """The 8 x 8 matrix of the discrete cosine transform (type II, orthonormal)."""
    frequency, place = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    matrix = torch.cos((2 * place + 1) * frequency * math.pi / 16) / 2
    matrix[0] /= math.sqrt(2)
    return matrix


def compress(films: Tensor, quality: Tensor) -> Tensor:
    """What JPEG of ``quality`` ``(B,)`` in 1..100 (the scale of libjpeg) leaves of films ``(B, 1, H, W)``."""
    height, width = films.shape[-2:]
    padded = F.pad(films, (0, -width % 8, 0, -height % 8), mode="replicate")
    rows, columns = padded.shape[-2] // 8, padded.shape[-1] // 8
    cosines = _cosines().to(films)
    blocks = (padded * 255 - 128).view(-1, rows, 8, columns, 8).transpose(2, 3)  # (B, rows, columns, 8, 8)
    quality = quality.clamp(1, 100)
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50).view(-1, 1, 1, 1, 1)
    steps = (torch.tensor(_TABLE).to(films) * scale).round().clamp(1, 255)
    kept = (cosines @ blocks @ cosines.T / steps).round() * steps
    back = (cosines.T @ kept @ cosines).transpose(2, 3).reshape(padded.shape)
    return ((back + 128) / 255).clamp(0, 1)[..., :height, :width]


def jpeg(films: Tensor, severity: Tensor, generator: torch.Generator | None) -> Tensor:
    """Sent through a messenger: quality 90 falls to 5."""
    return torch.where(column(severity) > 0, compress(films, 90 * torch.exp(-severity * 0.578)), films)
