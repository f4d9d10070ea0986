"""What the lungs' map says against reading a film: no lungs, lungs that the film cuts off, one lung only."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ai_for_sudan.lungs.view import LEAST_AREA

#: in the order of the scores of :class:`LungFindings`
CODES = ("no_lungs", "lungs_cut_off", "one_lung")
#: how much of the film's edge, in sides of the film, may be lung before the lungs are cut off
EDGE = 0.75
#: the emptiest column between two lungs holds at most this share of the fullest one
VALLEY = 0.55
#: what reaches over less of the film's height is no single lung, but both lungs of a small child, merged on the map
LEAST_HEIGHT = 0.5


class LungFindings(nn.Module):
    """One score in 0..1 for each of :data:`CODES`; at 0.5 the film is on the limit."""

    def forward(self, lungs: Tensor) -> Tensor:
        """Probability of lung ``(B, 1, h, w)`` -> ``(B, 3)``."""
        is_lung = (lungs[:, 0] > 0.5).to(lungs.dtype)
        area = is_lung.mean(dim=(1, 2))
        edge = is_lung[:, 0].mean(1) + is_lung[:, -1].mean(1) + is_lung[:, :, 0].mean(1) + is_lung[:, :, -1].mean(1)
        columns = is_lung.sum(1)
        share = columns.cumsum(1) / columns.sum(1, keepdim=True).clamp_min(1.0)
        # Of two lungs the middle of the mass is the mediastinum; of one it is that lung.
        middle = ((share > 0.3) & (share < 0.7)).to(lungs.dtype)
        peak = columns.amax(1).clamp_min(1.0)
        valley = (columns / peak[:, None] + 2 * (1 - middle)).amin(1).clamp_max(1.0)
        height = (is_lung.sum(2) > 0).to(lungs.dtype).mean(1)
        return torch.stack(
            [
                torch.sigmoid((LEAST_AREA - area) * 400),
                torch.sigmoid((edge - EDGE) * 20),
                torch.sigmoid(torch.minimum((valley - VALLEY) * 20, (height - LEAST_HEIGHT) * 100)),
            ],
            1,
        )
