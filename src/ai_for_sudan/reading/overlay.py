"""The heatmap and the lungs' outline over their film: a fixed scale, so that a weak map looks weak."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from ai_for_sudan.contract.colours import OUTLINE, OUTLINE_AT, colours, legend
from ai_for_sudan.reading.words import HEATMAP_WORDS, OUTLINE_WORDS


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
    grey = np.asarray(film, dtype=np.float32)[..., None] / 255
    heat = colours(enlarge(heatmap / reference, *grey.shape[:2]))
    mixed = grey * (1 - heat[..., 3:]) + heat[..., :3] * heat[..., 3:]
    drawn = (mixed * 255 + 0.5).astype(np.uint8)
    if lungs is not None:
        drawn[outline(lungs, *grey.shape[:2])] = OUTLINE
    return Image.fromarray(drawn)


def outline(lungs: np.ndarray, height: int, width: int) -> np.ndarray:
    """Where the lungs' edge is drawn, inside of it, ``(h, w)`` -> bool ``(height, width)``."""
    inside = enlarge(lungs, height, width) >= OUTLINE_AT
    thickness = max(1, round(max(height, width) / 500))
    # The margin repeats the edge: where the film cuts a lung off there is no edge of it.
    core = Image.fromarray(np.pad(inside, thickness, mode="edge").astype(np.uint8) * 255)
    core = core.filter(ImageFilter.MinFilter(2 * thickness + 1))
    return inside & (np.asarray(core)[thickness:-thickness, thickness:-thickness] == 0)


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
