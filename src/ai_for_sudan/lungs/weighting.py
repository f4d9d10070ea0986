"""Where a network may take its evidence."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class Evidence(nn.Module):
    """Feature maps, twice as fine, weighted by how deep in a lung each place lies.

    The mean over places that follows is then the mean over the lungs: a place outside them adds nothing to any logit,
    whatever is there, and Grad-CAM of this module's output is zero there for that reason. At the very edge, where ribs
    and the heart's outline respond to every filter, a place counts little.
    """

    #: side of the square over which lung is averaged, in parts of the view: half of it at a straight edge
    REACH = 5 / 32

    def forward(self, maps: Tensor, lungs: Tensor) -> Tensor:
        """Maps ``(B, K, h, w)`` and the probability of lung ``(B, 1, V, V)`` -> ``(B, K, 2h, 2w)``."""
        size = (2 * maps.shape[-2], 2 * maps.shape[-1])
        reach = round(lungs.shape[-1] * self.REACH / 2)
        # The mean over a square, along one side after the other: its full kernel took four fifths of a training step.
        down = F.avg_pool2d(lungs, (2 * reach + 1, 1), stride=1, padding=(reach, 0))
        depth = (F.avg_pool2d(down, (1, 2 * reach + 1), stride=1, padding=(0, reach)) - 0.5).clamp_min(0)
        share = F.adaptive_avg_pool2d(depth, size).to(maps.dtype)
        fine = F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
        return fine * (share / share.mean(dim=(2, 3), keepdim=True).clamp_min(1e-3))
