"""The heatmap and the lungs' outline over their film: a fixed scale, so that a weak map looks weak."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ai_for_sudan.contract.colours import OUTLINE, OUTLINE_AT, colours, legend
from ai_for_sudan.reading.words import HEATMAP_WORDS, OUTLINE_WORDS

#: shares of full attribution that are distinguished: the nearest one is less than a grey level away
STEPS = 1024


def enlarge(heatmap: np.ndarray, height: int, width: int) -> np.ndarray:
    """``(h, w)`` -> ``(height, width)``, bilinear."""
    picture = Image.fromarray(heatmap.astype(np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def overlay(
    pixels: np.ndarray,
    heatmap: np.ndarray,
    reference: float,
    *,
    lungs: np.ndarray | None = None,
    largest_side: int = 1024,
) -> Image.Image:
    """The film in grey with the heatmap over it, and the lungs' outline over both.

    Args:
        pixels: uint8 ``(H, W)``.
        heatmap: float32 ``(h, w)``, not negative, in the units of ``reference``.
        reference: what is drawn at full colour; the map is not stretched to its own maximum.
        lungs: float32 ``(h, w)``, probability of lung in the frame of the film; ``None`` draws no outline.
        largest_side: larger films are reduced to it.
    """
    film = Image.fromarray(pixels)
    film.thumbnail((largest_side, largest_side), Image.Resampling.BILINEAR)
    grey = np.asarray(film)
    # Made larger in steps, not in shares: between two values both lie on the same line.
    steps = enlarge(heatmap * ((STEPS - 1) / reference) + 0.5, *grey.shape)
    at = steps.clip(0, STEPS - 1).astype(np.int32)
    at <<= 8
    at |= grey
    drawn = _mixed().take(at)
    if lungs is not None:
        drawn[outline(lungs, *grey.shape)] = np.array([*OUTLINE, 255], dtype=np.uint8).view(np.uint32)[0]
    return Image.fromarray(drawn.view(np.uint8).reshape(*grey.shape, 4)).convert("RGB")


@lru_cache(maxsize=1)
def _mixed() -> np.ndarray:
    """Every step of attribution over every grey level, RGBA in one number: a film is looked up, not mixed in floats."""
    colour = colours(np.linspace(0, 1, STEPS, dtype=np.float32))[:, None]
    grey = np.arange(256, dtype=np.float32)[None, :, None] / 255
    mixed = grey * (1 - colour[..., 3:]) + colour[..., :3] * colour[..., 3:]
    table = np.full((STEPS, 256, 4), 255, dtype=np.uint8)
    table[..., :3] = mixed * 255 + 0.5
    return table.view(np.uint32).ravel()


def outline(lungs: np.ndarray, height: int, width: int) -> np.ndarray:
    """Where the lungs' edge is drawn, inside of it, ``(h, w)`` -> bool ``(height, width)``."""
    inside = enlarge(lungs, height, width) >= OUTLINE_AT
    thickness = max(1, round(max(height, width) / 500))
    # The margin repeats the edge: where the film cuts a lung off there is no edge of it.
    padded = np.pad(inside, thickness, mode="edge")
    rows, core = padded[:height].copy(), np.ones_like(inside)
    for shift in range(1, 2 * thickness + 1):
        rows &= padded[shift : shift + height]
    for shift in range(2 * thickness + 1):
        core &= rows[:, shift : shift + width]
    return inside & ~core


def with_legend(picture: Image.Image, reference: float, *, outlined: bool = False) -> Image.Image:
    """The picture on a taller ground, with the scale of its colours in words below.

    Args:
        outlined: the picture has the lungs' outline, which is named too.
    """
    width, height = picture.size
    size = max(9, width // 42)
    font = ImageFont.load_default(size)
    bar = max(2, width // 6)
    lines = [f"0 to {reference:.3g} logits:"]
    for word in f"{HEATMAP_WORDS}{OUTLINE_WORDS if outlined else ''}".split():
        if font.getlength(f"{lines[-1]} {word}") > width - bar - 3 * size:
            lines.append(word)
        else:
            lines[-1] += f" {word}"
    step = round(1.4 * size)
    framed = Image.new("RGB", (width, height + step * (len(lines) - 1) + 3 * size), (16, 24, 29))
    framed.paste(picture)
    scale = np.tile(legend(bar), (size, 1, 1))
    framed.paste(Image.fromarray((scale * 255 + 0.5).astype(np.uint8)), (size, height + size))
    at = (bar + 2 * size, height + size)
    ImageDraw.Draw(framed).text(at, "\n".join(lines), font=font, fill=(232, 238, 241))
    return framed
