"""A network's answers to many films."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from tqdm import tqdm

from ai_for_sudan.models import Architecture
from ai_for_sudan.training.precision import autocast


def folded(model: Architecture) -> Architecture:
    """A copy in evaluation mode, each BatchNorm folded into the convolution before it.

    The same answers to about 1e-6; with bfloat16 on a CPU three times as fast, for BatchNorm there is slower than the
    convolutions.
    """
    model = copy.deepcopy(model).eval()
    for block in [module for module in model.modules() if isinstance(module, nn.Sequential)]:
        for place in range(len(block) - 1):
            convolution, norm = block[place], block[place + 1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                block[place], block[place + 1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
    return model.to(memory_format=torch.channels_last)


def logits(
    model: Architecture,
    pixels: np.ndarray | Tensor,
    *,
    batch_size: int = 128,
    progress: str | None = None,
    mixed_precision: bool = False,
) -> Tensor:
    """Logits ``(N, C)`` float32 of films ``(N, S, S)`` uint8, in evaluation mode, on the model's device.

    Args:
        progress: label of a progress bar; none without it.
        mixed_precision: faster where the machine has bfloat16; logits differ by a few hundredths, so that films near a
            threshold may change sides.
    """
    where = next(model.parameters()).device
    asked = folded(model)
    answers = []
    with torch.inference_mode(), autocast(where) if mixed_precision else torch.autocast(where.type, enabled=False):
        starts = range(0, len(pixels), batch_size)
        for start in tqdm(starts, desc=progress, leave=False, disable=progress is None):
            batch = torch.from_numpy(np.array(pixels[start : start + batch_size])).to(where)
            films = (batch.unsqueeze(1).float() / 255).contiguous(memory_format=torch.channels_last)
            answers.append(asked(films).float().cpu())
    return torch.cat(answers)


def probabilities(values: Tensor, task: str) -> Tensor:
    """Softmax over exclusive classes, sigmoid for each finding."""
    return values.softmax(1) if task == "exclusive" else values.sigmoid()
