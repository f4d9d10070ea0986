"""One function a kind: films ``(B, 1, H, W)`` in 0..1, severity ``(B,)`` in 0..5 -> films of the same shape in 0..1.

Severity 0 leaves a film as it is (phone photo: a faultless photo); 3 is a bad day in a clinic; 5 is what a person
can still just read.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ai_for_sudan.disturbances.compression import jpeg
from ai_for_sudan.disturbances.draw import column, sign, uniform
from ai_for_sudan.disturbances.geometry import affine, perspective, warp
from ai_for_sudan.disturbances.photo import phone_photo
from ai_for_sudan.disturbances.sharpness import blur, resolution
from ai_for_sudan.errors import UserError

Generator = torch.Generator | None
Kind = Callable[[Tensor, Tensor, Generator], Tensor]


def exposure(films: Tensor, severity: Tensor, generator: Generator) -> Tensor:
    """Over- or under-exposed: a gamma of up to e (or 1/e), and up to 15 % of the range lost at that end."""
    dark = sign(films, generator)
    gamma = torch.exp(dark * severity / 5)
    return (films.clamp_min(1e-4) ** column(gamma) - column(dark * severity * 0.03)).clamp(0, 1)


def contrast(films: Tensor, severity: Tensor, generator: Generator) -> Tensor:
    """Flatter or harder around the film's own mean, by a factor of up to 3."""
    factor = torch.exp(sign(films, generator) * severity * 0.22)
    mean = films.mean(dim=(1, 2, 3), keepdim=True)
    return (mean + (films - mean) * column(factor)).clamp(0, 1)


def noise(films: Tensor, severity: Tensor, generator: Generator) -> Tensor:
    """Quantum mottle: Gaussian with a standard deviation of up to 12 % of the range, more where the film is bright."""
    grain = torch.randn(films.shape, generator=generator).to(films.device)
    return (films + grain * column(severity) * 0.024 * (0.4 + 0.6 * films.sqrt())).clamp(0, 1)


def tilt(films: Tensor, severity: Tensor, generator: Generator) -> Tensor:
    """Rotated by up to 20 degrees, black where no film is."""
    return warp(films, affine(films, degrees=sign(films, generator) * severity * 4))


def crop(films: Tensor, severity: Tensor, generator: Generator) -> Tensor:
    """Cut on all sides, off centre: at worst 70 % of each side is left."""
    return warp(films, _somewhere(films, 1 - severity * 0.06, generator))


def border(films: Tensor, severity: Tensor, generator: Generator) -> Tensor:
    """The film lies small on a black, grey or white ground: at worst it fills 65 % of each side."""
    scale = 1 / (1 - severity * 0.07)
    ground = (uniform(films, generator) * 3).floor() / 2
    return warp(films, _somewhere(films, scale, generator), fill=column(ground).expand_as(films))


def _somewhere(films: Tensor, scale: Tensor, generator: Generator) -> Tensor:
    """The transform to a part of the film, or to a ground around it, off centre by as much as there is room."""
    free = (scale - 1).abs()
    across, down = (uniform(films, generator, -1) * free for _ in range(2))
    return affine(films, scale_x=scale, scale_y=scale, shift_x=across, shift_y=down)


def aspect(films: Tensor, severity: Tensor, generator: Generator) -> Tensor:
    """Squeezed in one direction by up to 30 %: squashed films and films of another format."""
    scale = torch.exp(severity * 0.07)
    upright = uniform(films, generator) < 0.5
    one = torch.ones_like(scale)
    return warp(
        films, affine(films, scale_x=torch.where(upright, scale, one), scale_y=torch.where(upright, one, scale))
    )


# Letters as a radiographer's lead markers show them, 5 x 7.
_GLYPHS = {
    "L": ("10000", "10000", "10000", "10000", "10000", "10000", "11111"),
    "R": ("11110", "10001", "10001", "11110", "10100", "10010", "10001"),
    "P": ("11110", "10001", "10001", "11110", "10000", "10000", "10000"),
    "A": ("01110", "10001", "10001", "11111", "10001", "10001", "10001"),
    "7": ("11111", "00001", "00010", "00100", "01000", "01000", "01000"),
}


def marker(films: Tensor, severity: Tensor, generator: Generator) -> Tensor:
    """Bright letters burnt in: up to six, up to 15 % of the side high, mostly near the edge."""
    marked = films.clone()
    side = min(films.shape[-2:])
    glyphs = [torch.tensor([[float(c) for c in row] for row in rows]) for rows in _GLYPHS.values()]
    for film, level in zip(marked, severity.tolist(), strict=True):
        if level <= 0:
            continue
        for _ in range(1 + int(level)):
            draw = torch.rand(5, generator=generator)
            height = max(5, int(side * (0.03 + 0.024 * level * float(draw[0]))))
            glyph = glyphs[int(draw[1] * len(glyphs))]
            letter = F.interpolate(glyph[None, None], size=(height, max(4, height * 5 // 7)), mode="nearest")[0]
            free_y, free_x = film.shape[-2] - letter.shape[-2], film.shape[-1] - letter.shape[-1]
            # Squared towards the edges: that is where markers are put.
            y = int(free_y * (0.5 + (float(draw[2]) - 0.5) * (2 - abs(float(draw[2]) * 2 - 1))))
            x = int(free_x * (0.5 + (float(draw[3]) - 0.5) * (2 - abs(float(draw[3]) * 2 - 1))))
            place = film[:, y : y + letter.shape[-2], x : x + letter.shape[-1]]
            place.copy_(torch.maximum(place, letter.to(film.device) * (0.75 + 0.25 * draw[4].item())))
    return marked


def window(films: Tensor, severity: Tensor, generator: Generator) -> Tensor:
    """Displayed with too narrow a window: up to 25 % of the range lost at the dark and at the bright end."""
    low = uniform(films, generator) * severity * 0.05
    high = 1 - uniform(films, generator) * severity * 0.05
    return ((films - column(low)) / column(high - low)).clamp(0, 1)


def occlusion(films: Tensor, severity: Tensor, generator: Generator) -> Tensor:
    """One to three plain rectangles lie on the film (a label, a thumb), at worst 30 % of a side each."""
    _, _, height, width = films.shape
    y = torch.arange(height, device=films.device).view(1, 1, -1, 1) / height
    x = torch.arange(width, device=films.device).view(1, 1, 1, -1) / width
    for number in range(3):
        there = (severity > 0) & (uniform(films, generator) < (1.0, 0.5, 0.25)[number])
        half_y = uniform(films, generator, 0.2) * severity * 0.03
        half_x = uniform(films, generator, 0.2) * severity * 0.03
        inside = (y - column(uniform(films, generator))).abs() < column(half_y)
        inside = inside & ((x - column(uniform(films, generator))).abs() < column(half_x)) & column(there)
        films = torch.where(inside, column(uniform(films, generator)), films)
    return films


def lean(films: Tensor, severity: Tensor, generator: Generator) -> Tensor:
    """Seen from one side: perspective, black where no film is."""
    tip = 0.04 * severity
    matrix = affine(films, scale_x=1 + tip, scale_y=1 + tip)
    return warp(films, perspective(matrix, uniform(films, generator, -1) * tip, uniform(films, generator, -1) * tip))


KINDS: dict[str, Kind] = {
    "exposure": exposure,
    "contrast": contrast,
    "blur": blur,
    "noise": noise,
    "jpeg": jpeg,
    "tilt": tilt,
    "crop": crop,
    "border": border,
    "marker": marker,
    "window": window,
    "phone_photo": phone_photo,
    "resolution": resolution,
    "aspect": aspect,
    "occlusion": occlusion,
    "lean": lean,
}

#: the kinds that the stress suite reports
STRESS_KINDS = (
    "exposure",
    "contrast",
    "blur",
    "noise",
    "jpeg",
    "tilt",
    "crop",
    "border",
    "marker",
    "window",
    "phone_photo",
)


#: the kinds that move what is on the film
GEOMETRIC = ("tilt", "crop", "border", "phone_photo", "aspect", "lean")


def perturb(films: Tensor, kind: str, severity: Tensor | float, generator: Generator = None) -> Tensor:
    """Perturb a batch.

    Args:
        films: ``(B, 1, H, W)``, float in 0..1.
        kind: a key of :data:`KINDS`.
        severity: 0..5, one for all or one a film ``(B,)``.
        generator: a CPU generator; without one torch's global one is used.

    Raises:
        UserError: no such kind.
    """
    if kind not in KINDS:
        raise UserError(f"there is no disturbance '{kind}'; there are: {', '.join(KINDS)}")
    levels = torch.as_tensor(severity, dtype=torch.float32, device=films.device).expand(len(films))
    return KINDS[kind](films, levels, generator)


def perturb_masks(masks: Tensor, kind: str, severity: Tensor | float, generator: torch.Generator) -> Tensor:
    """Move masks as :func:`perturb` moves their films with a generator in the same state, which is left as it is.

    A mask goes through the same change as its film, and so does its opposite: inside is where the mask is clearly
    the brighter one of the two, whatever the change did to grey levels; what came in from outside is alike in both, but
    for JPEG's ringing.

    Args:
        masks: ``(B, 1, h, w)``, 1 inside and 0 outside; their side need not be that of the films.
    """
    if kind not in GEOMETRIC:
        return masks
    own, opposite = (perturb(each, kind, severity, generator.clone_state()) for each in (masks, 1 - masks))
    return (own > opposite + 0.2).to(masks.dtype)
