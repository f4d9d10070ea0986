"""The rows of a softmax's last layer, centred."""

from __future__ import annotations

import torch

from ai_for_sudan.models.architecture import Architecture


def centre_head(model: Architecture) -> None:
    """Take from each row of the last layer the mean of all rows, in place; of exclusive classes only.

    Softmax does not change when the same is added to all logits, so that no probability moves. But a class's logit is
    then what speaks for it against the others, and its Grad-CAM no longer shows what speaks for all classes alike.
    """
    if model.spec.task != "exclusive":
        return
    head = model.classifier[-1]
    with torch.no_grad():
        head.weight -= head.weight.mean(dim=0, keepdim=True)  # type: ignore[operator]
        head.bias -= head.bias.mean()  # type: ignore[operator]
