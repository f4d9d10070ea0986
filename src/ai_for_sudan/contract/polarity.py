"""Which way round the greys of a film are: what the header says, unless the picture contradicts it."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ai_for_sudan.contract.codes import Remark, remark
from ai_for_sudan.contract.data import load

_RULE = load("polarity")
SIDE: int = _RULE["side"]


def thumbnail(film: np.ndarray) -> np.ndarray:
    """uint8 ``(H, W)`` -> uint8 ``(64, 64)``, as the rule looks at it: Pillow's antialiased bilinear reduction."""
    return np.asarray(Image.fromarray(film).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def looks_negative(small: np.ndarray) -> bool:
    """Whether, on a thumbnail uint8 ``(64, 64)``, spine and heart are darker than lungs and the air above shoulders.

    On films of 652 children and 295 adults the sum of both contrasts lies between 0.03 and 1.2 of the film's range, so
    that its negative has -0.03 at most; doubtful films (-0.1 and above) are taken as their header says.
    """
    values = small.astype(np.float64)
    middle, lungs, above = (
        np.mean([values[top:bottom, left:right].mean() for top, bottom, left, right in _RULE[part]])
        for part in ("middle", "lungs", "above")
    )
    return bool((middle - lungs) + (middle - above) < _RULE["negative_below"] * np.ptp(values))


def shows_nothing(film: np.ndarray) -> bool:
    """Return whether a film, uint8 ``(H, W)``, is as good as blank: its greys hardly vary.

    The limit is that of the gate for ``blank``, which looks at more of the film and so never finds less contrast.
    """
    return bool(thumbnail(film).std() < 255 * _RULE["nothing_below"])


def inverts(photometric: str | None, film: np.ndarray) -> tuple[bool, tuple[Remark, ...]]:
    """Whether a film must be inverted to be bone white, and what to say of it.

    A header that says MONOCHROME1 for pixels that are already bone white (as some converters write) would turn the film
    into its negative.

    Args:
        photometric: Photometric Interpretation (PS3.3 C.7.6.3.1.2).
        film: uint8 ``(H, W)``, the stored greys, not inverted.
    """
    if photometric == "MONOCHROME1":
        if looks_negative(255 - thumbnail(film)):
            return False, (_contradiction(photometric, "MONOCHROME2"),)
        return True, ()
    if photometric == "MONOCHROME2" and looks_negative(thumbnail(film)):
        return False, (_contradiction(photometric, "MONOCHROME1"),)
    return False, ()


def _contradiction(photometric: str, other: str) -> Remark:
    return remark("header_contradicts_pixels", photometric=photometric, other=other)
