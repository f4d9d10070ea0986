"""A phone's photo of a film on a light box."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ai_for_sudan.disturbances.compression import compress
from ai_for_sudan.disturbances.draw import column, uniform
from ai_for_sudan.disturbances.geometry import affine, perspective, warp
from ai_for_sudan.disturbances.sharpness import gaussian


def phone_photo(films: Tensor, severity: Tensor, generator: torch.Generator | None) -> Tensor:
    """Perspective, the light box or the dark room around, uneven light, glare, moire, colour cast, blur, noise, JPEG.

    The colour cast is seen as the tone curve that it leaves when the photo is converted to grey.
    """
    height, width = films.shape[-2:]
    worst = severity / 5

    def draw(low: float = -1.0, high: float = 1.0) -> Tensor:
        return uniform(films, generator, low, high)

    # The film on its ground: either the glowing light box or a dark room.
    scale = 1 + worst * draw(0.0, 0.3)
    matrix = affine(
        films,
        degrees=draw() * worst * 10,
        scale_x=scale * torch.exp(worst * draw() * 0.1),
        scale_y=scale * torch.exp(worst * draw() * 0.1),
        shift_x=draw() * worst * 0.12,
        shift_y=draw() * worst * 0.12,
    )
    matrix = perspective(matrix, draw() * worst * 0.14, draw() * worst * 0.14)
    ground = torch.where(draw() > 0, draw(0.75, 1.0), draw(0.0, 0.25))
    photo = warp(films, matrix, fill=column(ground).expand_as(films))

    y = torch.linspace(-1, 1, height, device=films.device).view(1, 1, -1, 1)
    x = torch.linspace(-1, 1, width, device=films.device).view(1, 1, 1, -1)
    # Uneven light: one side brighter, corners darker.
    angle = draw() * math.pi
    slope = column(angle.cos()) * x + column(angle.sin()) * y
    light = 1 + column(worst * draw(0.0, 0.45)) * slope - column(worst * draw(0.0, 0.3)) * (x**2 + y**2) / 2
    # Glare: a lamp or the flash, a soft bright spot.
    spot = ((x - column(draw())) ** 2 + (y - column(draw())) ** 2) / column(draw(0.02, 0.25))
    glare = column(worst * draw(0.0, 0.6) * (draw() > 0)) * torch.exp(-spot)
    # Moire: the camera's grid against the film's or a screen's.
    direction, period = draw() * math.pi, draw(2.2, 9.0)
    wave = (column(direction.cos()) * x * width + column(direction.sin()) * y * height) * math.pi / column(period)
    moire = column(worst * draw(0.0, 0.07) * (draw() > 0)) * torch.sin(wave + 2 * slope)
    # The camera's and the cast's tone curve; the black of a film on a light box is never black.
    gamma = torch.exp(worst * draw() * 0.5)
    black, white = worst * draw(0.0, 0.22), 1 - worst * draw(0.0, 0.2)
    photo = column(black) + column(white - black) * photo.clamp_min(1e-4) ** column(gamma)
    photo = (photo * light + glare + moire).clamp(0, 1)

    photo = gaussian(photo, worst * draw(0.1, 1.0) * 0.008 * min(height, width))
    grain = torch.randn(films.shape, generator=generator).to(films.device)
    photo = (photo + grain * column(worst * draw(0.2, 1.0)) * 0.05).clamp(0, 1)
    compressed = compress(photo, 92 - worst * draw(0.3, 1.0) * 67)
    return torch.where(column(severity) > 0, compressed, photo)
