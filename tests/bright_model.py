"""A network for the tests whose answer is known beforehand."""

from __future__ import annotations

import torch


def see_brightness(model: torch.nn.Module, gain: float, bias: float) -> None:
    """Every convolution of the custom CNN passes the film's brightness on in its first channel; the head weighs it."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.weight.zero_()
                module.weight[0, 0, 1, 1] = 1.0
        first, last = model.classifier[1], model.classifier[4]
        for linear in (first, last):
            linear.weight.zero_()
            linear.bias.zero_()
        first.weight[0, 0] = 1.0
        last.weight[1, 0] = gain
        last.bias[1] = bias
