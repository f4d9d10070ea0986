"""Centre the rows of the last layer in front of a softmax."""

from __future__ import annotations

import torch

from ai_for_sudan.models.architecture import Architecture


def centre_head(model: Architecture) -> None:
    """Subtract the mean of all rows from each row of the last layer, in place; only of exclusive classes.

    Probabilities stay the same, because softmax ignores what is added to all logits. But a class's logit then holds
    only what speaks for it against the others, and so does its Grad-CAM.
    """
    if model.spec.task != "exclusive":
        return
    head = model.classifier[-1]
    with torch.no_grad():
        head.weight -= head.weight.mean(dim=0, keepdim=True)  # type: ignore[operator]
        head.bias -= head.bias.mean()  # type: ignore[operator]
