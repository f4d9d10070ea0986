"""Where a network may take its evidence."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class Evidence(nn.Module):
    """Feature maps weighted by how much of each place is lung.

    The mean over places that follows is then the mean over the lungs: a place outside them adds nothing to any logit,
    whatever is there, and Grad-CAM of this module's output is zero there for that reason.
    """

    #: a place whose probability of lung is below this is no lung at all
    LEAST = 0.1

    def forward(self, maps: Tensor, lungs: Tensor) -> Tensor:
        """Maps ``(B, K, h, w)`` and the probability of lung ``(B, 1, V, V)`` -> ``(B, K, h, w)``."""
        size = (maps.shape[-2], maps.shape[-1])
        share = F.adaptive_avg_pool2d((lungs - self.LEAST).clamp_min(0), size).to(maps.dtype)
        return maps * (share / share.mean(dim=(2, 3), keepdim=True).clamp_min(1e-3))
