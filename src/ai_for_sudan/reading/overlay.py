"""The heatmap and the lungs' outline over their film: a fixed scale, so that a weak map looks weak."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ai_for_sudan.contract.colours import OUTLINE, OUTLINE_AT, colours, legend
from ai_for_sudan.radiographs.radiograph import strips
from ai_for_sudan.reading.words import HEATMAP_WORDS, OUTLINE_WORDS

#: shares of full attribution that are distinguished: the nearest one is less than a grey level away
STEPS = 1024
_LINE = np.array([*OUTLINE, 255], dtype=np.uint8).view(np.uint32)[0]


class Enlarged:
    """A map ``(h, w)`` made larger to ``(height, width)``, bilinear; at the edges the last value stays.

    Rows are computed when they are asked for: of a whole film they would be megabytes, which nobody needs at once.
    """

    def __init__(self, values: np.ndarray, height: int, width: int) -> None:
        self.shape = (height, width)
        self._wide = np.ascontiguousarray(_between(values.astype(np.float32).T, width).T)

    def __getitem__(self, rows: slice) -> np.ndarray:
        """float32 ``(rows, width)``."""
        return _between(self._wide, self.shape[0], rows)


def _between(lines: np.ndarray, count: int, wanted: slice = slice(None)) -> np.ndarray:
    """``(n, m)`` -> ``(count, m)``: lines over the same length, or some of them."""
    last = len(lines) - 1
    at = ((np.arange(count)[wanted] + 0.5) * (len(lines) / count) - 0.5).clip(0, last)
    before = at.astype(np.intp)
    share = (at - before).astype(np.float32)[:, None]
    found = lines.take(np.minimum(before + 1, last), 0)
    start = lines.take(before, 0)
    found -= start
    found *= share
    found += start
    return found


def overlay(
    pixels: np.ndarray,
    heatmap: np.ndarray,
    full_colour: float,
    *,
    lungs: np.ndarray | None = None,
    largest_side: int = 1024,
) -> Image.Image:
    """The film in grey with the heatmap over it, and the lungs' outline over both.

    Args:
        pixels: uint8 ``(H, W)``.
        heatmap: float32 ``(h, w)``, not negative, in the units of ``full_colour``.
        full_colour: what is drawn at full colour; the map is not stretched to its own maximum.
        lungs: float32 ``(h, w)``, probability of lung in the frame of the film; ``None`` draws no outline.
        largest_side: larger films are reduced to it.
    """
    grey = reduced(pixels, largest_side)
    drawn = np.empty(grey.shape, dtype=np.uint32)
    paint(drawn, grey, heatmap, full_colour, lungs)
    return Image.frombytes("RGB", grey.shape[::-1], drawn, "raw", "RGBX")


def reduced(pixels: np.ndarray, largest_side: int) -> np.ndarray:
    """A film, uint8 ``(H, W)``, with no side larger."""
    if max(pixels.shape) <= largest_side:
        return pixels
    film = Image.fromarray(pixels)
    film.thumbnail((largest_side, largest_side), Image.Resampling.BILINEAR)
    return np.asarray(film)


def paint(
    into: np.ndarray, film: np.ndarray, heatmap: np.ndarray, full_colour: float, lungs: np.ndarray | None = None
) -> None:
    """The same as :func:`overlay`, into a part of a picture that is there already.

    Args:
        into: uint32 ``(H, W)``: the bytes red, green, blue and 255 in one number.
        film: uint8 ``(H, W)``.
    """
    height, width = film.shape
    # The map is scaled to colour steps before it is enlarged: linear interpolation gives the same either way.
    steps = Enlarged(heatmap.astype(np.float32) * ((STEPS - 1) / full_colour) + 0.5, height, width)
    lung = None if lungs is None else Enlarged(lungs, height, width)
    for rows in strips(height, width):
        at = steps[rows].clip(0, STEPS - 1).astype(np.intp)
        at <<= 8
        at |= film[rows]
        _mixed().take(at, out=into[rows], mode="clip")  # all indices are valid; the default mode would copy
        if lung is not None:
            np.copyto(into[rows], _LINE, where=outline(lung, rows))


@lru_cache(maxsize=1)
def _mixed() -> np.ndarray:
    """Mix every step of attribution with every grey level once, RGBA in one number: pixels are then looked up."""
    colour = colours(np.linspace(0, 1, STEPS, dtype=np.float32))[:, None]
    grey = np.arange(256, dtype=np.float32)[None, :, None] / 255
    mixed = grey * (1 - colour[..., 3:]) + colour[..., :3] * colour[..., 3:]
    table = np.full((STEPS, 256, 4), 255, dtype=np.uint8)
    table[..., :3] = mixed * 255 + 0.5
    return table.view(np.uint32).ravel()


def outline(lungs: Enlarged, rows: slice = slice(None)) -> np.ndarray:
    """Return where the lungs' edge is drawn, bool ``(height, width)`` or some rows of it; it lies inside the lungs."""
    height, width = lungs.shape
    thickness = max(1, round(max(height, width) / 500))
    top, bottom, _ = rows.indices(height)
    first, last = max(0, top - thickness), min(height, bottom + thickness)
    inside = lungs[first:last] >= OUTLINE_AT
    # The margin repeats the film's edge, so that no outline is drawn where the film cuts a lung off.
    beyond = (thickness - (top - first), thickness - (last - bottom))
    padded = np.pad(inside, (beyond, (thickness, thickness)), mode="edge")
    core = padded[: bottom - top].copy()
    for shift in range(1, 2 * thickness + 1):
        core &= padded[shift : shift + bottom - top]
    edge = inside[top - first : bottom - first]
    whole = core[:, :width].copy()
    for shift in range(1, 2 * thickness + 1):
        whole &= core[:, shift : shift + width]
    return edge & ~whole


def with_legend(picture: Image.Image, *, outlined: bool = False, said: str = "") -> Image.Image:
    """The picture on a taller ground, with the scale of its colours in words below.

    Args:
        outlined: the picture has the lungs' outline, which is named too.
        said: of the film, in words, before the scale.
    """
    width, height = picture.size
    size = max(9, width // 42)
    font = ImageFont.load_default(size)
    bar = max(2, width // 6)
    lines = [*([f"{said[0].upper()}{said[1:]}."] if said else []), "from little to strong:"]
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
