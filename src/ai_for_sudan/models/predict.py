"""A network's predictions for many films."""

from __future__ import annotations

import torch
from torch import Tensor
from tqdm import tqdm

from ai_for_sudan.datasets import Pixels
from ai_for_sudan.lungs import box_of
from ai_for_sudan.models.architecture import Architecture, Logits, joined
from ai_for_sudan.models.folding import folded
from ai_for_sudan.models.precision import autocast
from ai_for_sudan.models.tensors import as_batch

#: films that are predicted at once
_BATCH = 128


def logits(
    model: Architecture,
    pixels: Pixels,
    *,
    lungs: Pixels | None = None,
    progress: str | None = None,
    mixed_precision: bool = False,
) -> Tensor:
    """Return the logits of films ``(N, S, S)`` uint8: float32 ``(N, C)``, in evaluation mode, on the model's device.

    Args:
        lungs: uint8 ``(N, h, w)``, 255 where lung is: what a network that looks at lungs sees through, in place of what
            its finder finds.
        progress: label of a progress bar; none without it.
        mixed_precision: faster where the machine has bfloat16; logits differ by a few hundredths, so that films near a
            threshold may change sides.
    """
    return joined(_predicted(model, pixels, lungs, progress, mixed_precision).classes, model.spec)


def lung_logits(model: Architecture, pixels: Pixels) -> Logits:
    """Return the logits of each lung of films ``(N, S, S)`` uint8, as :func:`logits` returns those of the films."""
    return _predicted(model, pixels)


def _predicted(
    model: Architecture,
    pixels: Pixels,
    lungs: Pixels | None = None,
    progress: str | None = None,
    mixed_precision: bool = False,
) -> Logits:
    where = next(model.parameters()).device
    quick = folded(model)
    found = []
    with torch.inference_mode(), autocast(where) if mixed_precision else torch.autocast(where.type, enabled=False):
        for start in tqdm(range(0, len(pixels), _BATCH), desc=progress, leave=False, disable=progress is None):
            films = as_batch(pixels[start : start + _BATCH], where)
            if lungs is not None and quick.view is not None:
                known = as_batch(lungs[start : start + _BATCH], where)
                films = quick.view.look(films, known, box_of(known)).pixels
            found.append(quick.lungs(quick.feature_map(films.contiguous(memory_format=torch.channels_last))))
    abnormal = [each.abnormal.float().cpu() for each in found if each.abnormal is not None]
    classes = torch.cat([each.classes.float().cpu() for each in found])
    return Logits(classes, torch.cat(abnormal) if abnormal else None)


def probabilities(values: Tensor, task: str) -> Tensor:
    """Turn logits ``(N, C)`` into probabilities: softmax over exclusive classes, sigmoid for each finding."""
    return values.softmax(1) if task == "exclusive" else values.sigmoid()
