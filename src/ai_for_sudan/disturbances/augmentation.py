"""Training augmentation: one random geometry for each film, then a few disturbances of random kind and severity."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor

from ai_for_sudan.disturbances.draw import uniform
from ai_for_sudan.disturbances.geometry import affine, perspective, warp
from ai_for_sudan.disturbances.kinds import KINDS, perturb_masks
from ai_for_sudan.disturbances.sharpness import sharpen

#: how often each kind happens to a film at strength 1, in the order in which a film meets them
CHANCES = {
    "window": 0.2,
    "exposure": 0.4,
    "contrast": 0.4,
    "marker": 0.25,
    "phone_photo": 0.2,
    "border": 0.1,
    "blur": 0.2,
    "resolution": 0.15,
    "noise": 0.25,
    "jpeg": 0.25,
    "occlusion": 0.25,
}


def random_geometry(
    films: Tensor, generator: torch.Generator | None = None, strength: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Rotation, scale, squeeze, shift, perspective and mirror, drawn for each film.

    Returns:
        homographies ``(B, 3, 3)`` for :func:`ai_for_sudan.disturbances.geometry.warp`, and the grey ``(B, 1, H, W)``
        that lies outside the films.
    """

    def draw(low: float = -1.0, high: float = 1.0) -> Tensor:
        return uniform(films, generator, low, high)

    mirror = torch.where(draw() > 0, 1.0, -1.0)
    scale = torch.exp(draw(-0.28, 0.16) * strength)  # rather larger than smaller: clinics collimate tightly
    squeeze = torch.exp(draw(-0.16, 0.16) * strength)
    matrix = affine(
        films,
        degrees=draw() * 12 * strength,
        scale_x=scale * squeeze,
        scale_y=scale / squeeze,
        shift_x=draw() * 0.15 * strength,
        shift_y=draw() * 0.15 * strength,
    )
    matrix = perspective(matrix, draw() * 0.06 * strength, draw() * 0.06 * strength)
    matrix[:, :, 0] *= mirror[:, None]
    ground = torch.where(draw() > 0.4, draw(0.0, 1.0), torch.zeros(len(films), device=films.device))
    return matrix, ground.view(-1, 1, 1, 1).expand_as(films)


def random_light(
    films: Tensor,
    generator: torch.Generator | None = None,
    strength: float = 1.0,
    without: Collection[str] = (),
) -> Tensor:
    """Sharpening and the disturbances of :data:`CHANCES`, each to a random part of the batch.

    Args:
        without: kinds that are left out.
    """
    return _in_light(films, None, generator, strength, without)[0]


def _in_light(
    films: Tensor,
    masks: Tensor | None,
    generator: torch.Generator | None,
    strength: float,
    without: Collection[str] = (),
) -> tuple[Tensor, Tensor | None]:
    def draw(low: float = -1.0, high: float = 1.0) -> Tensor:
        return uniform(films, generator, low, high)

    sharper = draw(0.0, 1.0) < 0.15 * strength
    if sharper.any():
        films = films.clone()
        films[sharper] = sharpen(films[sharper], draw(0.3, 2.0)[sharper])
    for kind, chance in CHANCES.items():
        if kind in without:
            continue
        severity = draw(0.0, 5.0) * min(strength, 1.0)
        chosen = draw(0.0, 1.0) < chance * strength
        if chosen.any():
            if masks is not None and generator is not None:
                masks = masks.clone()
                masks[chosen] = perturb_masks(masks[chosen], kind, severity[chosen], generator)
            films = films.clone()
            films[chosen] = KINDS[kind](films[chosen], severity[chosen], generator)
    return films, masks


def augment(films: Tensor, generator: torch.Generator | None = None, strength: float = 1.0) -> Tensor:
    """The same films, augmented: :func:`random_geometry` in one look-up, then :func:`random_light`.

    Args:
        films: ``(B, 1, H, W)``, float in 0..1.
        generator: a CPU generator.
        strength: 0 leaves the films as they are; 1 is the strength that the shipped MobileNetV2 was trained at.
    """
    return augment_with_masks(films, None, generator, strength)[0]


def augment_with_masks(
    films: Tensor, masks: Tensor | None, generator: torch.Generator | None, strength: float
) -> tuple[Tensor, Tensor | None]:
    """:func:`augment`, and masks ``(B, 1, h, w)`` in 0..1 of any side, warped with their films."""
    if strength <= 0:
        return films, masks
    matrix, ground = random_geometry(films, generator, strength)
    warped = None if masks is None else warp(masks, matrix, fill=0.0)
    return _in_light(warp(films, matrix, fill=ground), warped, generator, strength)
