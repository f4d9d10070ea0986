"""Films of two lungs that belong to different films, so that a network learns which of them is sick."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ai_for_sudan.lungs.weighting import depth, sides

#: places a side at which the line between two lungs is looked for
_PLACES = 40
#: how far the seam leans, and how soft it is, in parts of the view: drawn anew for each film
_LEAN, _SOFTEST, _HARDEST = 0.08, 0.03, 0.004


def mosaic(right: Tensor, left: Tensor, generator: torch.Generator) -> Tensor:
    """Join the right lung of one film and the left lung of another at the line between their lungs.

    The seam tells nothing only if films whose lungs are both healthy, or both sick, are joined in the same way.

    Args:
        right, left: views ``(B, 2, V, V)``: grey levels in 0..1 and the probability of lung. The patient's right lung
            is on the left of the picture.

    Returns:
        ``(B, 2, V, V)``; a mirror image of half of them would be a mosaic too: mirror where that is wanted.
    """
    count, side = len(right), right.shape[-1]
    if not count:
        return right
    line, other = middle(right), middle(left)
    columns = torch.arange(side, device=right.device)
    # The second film is displaced sideways, so that its line lies on that of the first.
    from_column = (columns[None] + (other - line)[:, None]).clamp(0, side - 1)
    moved = left.gather(3, from_column[:, None, None].expand_as(left))

    def draw(low: float, high: float) -> Tensor:
        return (torch.rand(count, 1, 1, generator=generator) * (high - low) + low).to(right)

    lean = draw(-_LEAN, _LEAN) * (columns[None, :, None] - side / 2)
    place = line[:, None, None] + lean - columns[None, None] - 0.5
    share = torch.sigmoid(place / (draw(_HARDEST, _SOFTEST) * side))[:, None]
    return share * right + (1 - share) * moved


def middle(views: Tensor) -> Tensor:
    """Return the column that divides the lungs of each view ``(B, 2, V, V)``: int64 ``(B,)``, the median over rows."""
    of_right = sides(depth(views[:, 1:], (_PLACES, _PLACES)))[:, :1]
    fine = F.interpolate(of_right, size=views.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
    return (fine > 0.5).sum(2).median(1).values
