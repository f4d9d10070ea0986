"""Where on the film a map of a network that sees the lungs' box lies."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ai_for_sudan.lungs import back
from ai_for_sudan.models import Architecture

#: side of a map in the frame of the film
SIDE = 56


def in_film(model: nn.Module, films: Tensor, maps: Tensor, layer: str) -> Tensor:
    """Maps ``(B, h, w)`` of a layer, in the frame of the films ``(B, 1, S, S)``.

    Maps of a network that sees the whole film, and of its lung finder, lie there already.
    """
    if not isinstance(model, Architecture) or model.view is None or layer.startswith("view."):
        return maps
    with torch.no_grad():
        box = model.view(films.to(maps.device)).box
    return back(maps.unsqueeze(1), box, SIDE)[:, 0]
