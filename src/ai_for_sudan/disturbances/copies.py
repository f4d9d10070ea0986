"""Films as another hospital, or a phone, might have sent them."""

from __future__ import annotations

import numpy as np
import torch

from ai_for_sudan.datasets import Pixels
from ai_for_sudan.disturbances.kinds import STRESS_KINDS, perturb, perturb_masks
from ai_for_sudan.models import as_batch, as_pixels


def perturbed(pixels: Pixels, seed: int, *, low: float = 1.0, high: float = 4.0) -> np.ndarray:
    """Perturb every film by two kinds of :data:`STRESS_KINDS`, drawn with a severity in ``low``..``high``.

    Args:
        pixels: uint8 ``(N, S, S)``.

    Returns:
        uint8 ``(N, S, S)``; the same films and seed give the same copy.
    """
    return perturbed_with_masks(pixels, None, seed, low=low, high=high)[0]


def perturbed_with_masks(
    pixels: Pixels, masks: Pixels | None, seed: int, *, low: float = 1.0, high: float = 4.0
) -> tuple[np.ndarray, np.ndarray | None]:
    """:func:`perturbed`, and masks uint8 ``(N, s, s)``, 0 or 255, perturbed with their films."""
    generator = torch.Generator().manual_seed(seed)
    result, warped = np.array(pixels), None if masks is None else np.array(masks)
    for _ in range(2):
        kinds = torch.randint(len(STRESS_KINDS), (len(result),), generator=generator).numpy()
        severity = torch.rand(len(result), generator=generator) * (high - low) + low
        for number, kind in enumerate(STRESS_KINDS):
            for part in np.array_split(np.flatnonzero(kinds == number), max(1, (kinds == number).sum() // 64)):
                if len(part):
                    if warped is not None:
                        drawn = perturb_masks(as_batch(warped[part]), kind, severity[part], generator)
                        warped[part] = as_pixels(drawn)
                    result[part] = as_pixels(perturb(as_batch(result[part]), kind, severity[part], generator))
    return result, warped
