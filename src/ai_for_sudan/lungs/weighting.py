"""Where a network may take its evidence: in the lungs, and in each lung for itself."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: side of the square over which lung is averaged, in parts of the view: half of it at a straight edge
REACH = 5 / 32
#: steps after which the line between two lungs no longer moves
STEPS = 4
#: how sharply the line divides, in parts of the view: lungs of a child lie three times as far apart
BLUR = 0.02


def depth(lungs: Tensor, size: tuple[int, int]) -> Tensor:
    """Return how deep in a lung each place lies: ``(B, 1, V, V)`` in 0..1 -> ``(B, 1, *size)`` in 0..0.5.

    At the very edge, where ribs and the heart's outline respond to every filter, a place counts little.
    """
    # Averaged at twice the resolution that is asked for: at that of the view it took half of a training step.
    fine = F.adaptive_avg_pool2d(lungs, (2 * size[0], 2 * size[1]))
    reach = round(2 * size[0] * REACH / 2)
    # The mean over a square, along one side after the other.
    down = F.avg_pool2d(fine, (2 * reach + 1, 1), stride=1, padding=(reach, 0))
    deep = (F.avg_pool2d(down, (1, 2 * reach + 1), stride=1, padding=(0, reach)) - 0.5).clamp_min(0)
    return F.avg_pool2d(deep, 2)


def sides(share: Tensor) -> Tensor:
    """Divide the lungs of a film into the one on the left of the picture and the one on its right.

    The line between them is found from the lungs, not from the middle of the picture: two means (MacQueen 1967), which
    follow a patient who is rotated or lies aslant. The picture's left is the patient's right in a frontal film.

    Args:
        share: how much each place counts ``(B, 1, h, w)``.

    Returns:
        ``(B, 2, h, w)`` in 0..1 with the sum 1: how much each place belongs to the patient's right and to the left
        lung.
    """
    height, width = share.shape[-2:]
    mass = share[:, 0].flatten(1)
    mass = mass / mass.sum(1, keepdim=True).clamp_min(1e-6)
    down, across = torch.meshgrid(
        (torch.arange(height, device=share.device, dtype=share.dtype) + 0.5) / height,
        (torch.arange(width, device=share.device, dtype=share.dtype) + 0.5) / width,
        indexing="ij",
    )
    # Lungs are higher than wide: their halves must not be taken for two lungs.
    places = torch.stack([across.flatten(), 0.5 * down.flatten()], 1)  # (P, 2)
    middle = (mass[:, :, None] * places).sum(1)
    left = torch.sigmoid((middle[:, :1] - places[None, :, 0]) / BLUR)
    for _ in range(STEPS):
        weights = torch.stack([left * mass, (1 - left) * mass], 1)
        centres = (weights @ places) / weights.sum(2, keepdim=True).clamp_min(1e-6)  # (B, 2, 2)
        towards = centres[:, 0] - centres[:, 1]
        half = (centres[:, 0] + centres[:, 1]) / 2
        length = towards.square().sum(1, keepdim=True).clamp_min(1e-6).sqrt()
        signed = (towards @ places.T - (towards * half).sum(1, keepdim=True)) / length
        left = torch.sigmoid(signed / BLUR)
    return torch.stack([left, 1 - left], 1).unflatten(2, (height, width))


class Evidence(nn.Module):
    """Feature maps, twice as fine, weighted by how deep in a lung each place lies.

    The mean over places that follows is then the mean over the lungs, or over each lung: a place outside them adds
    nothing to any logit, whatever is there, and Grad-CAM of this module's output is zero there for that reason.

    Args:
        each: weigh each lung for itself, with channels of its own: first those of the patient's right lung.
    """

    def __init__(self, each: bool = False) -> None:
        super().__init__()
        self.each = each

    def weights(self, lungs: Tensor, size: tuple[int, int]) -> Tensor:
        """The probability of lung ``(B, 1, V, V)`` -> weights of places ``(B, L, *size)``, each lung's with mean 1."""
        share = depth(lungs, size)
        if self.each:
            share = share * sides(share)
        return share / share.mean(dim=(2, 3), keepdim=True).clamp_min(1e-3)

    def forward(self, maps: Tensor, lungs: Tensor) -> Tensor:
        """Maps ``(B, K, h, w)`` and the probability of lung ``(B, 1, V, V)`` -> ``(B, L * K, 2h, 2w)``."""
        size = (2 * maps.shape[-2], 2 * maps.shape[-1])
        weights = self.weights(lungs, size).to(maps.dtype)
        fine = F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
        return (fine[:, None] * weights[:, :, None]).flatten(1, 2)
