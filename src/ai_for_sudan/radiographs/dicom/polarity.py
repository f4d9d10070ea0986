"""Whether a film is bone white, whatever its header says."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ai_for_sudan.radiographs.radiograph import Remark


def bone_white(grey: np.ndarray, photometric: str | None) -> tuple[np.ndarray, tuple[Remark, ...]]:
    """Turn MONOCHROME1, unless the pixels contradict it.

    A header that says MONOCHROME1 for pixels that are already bone white (as some converters write) would turn the film
    into its negative.
    """
    if photometric == "MONOCHROME1":
        turned = 255 - grey
        if not _looks_negative(turned):
            return turned, ()
        return grey, (
            ("header_contradicts_pixels", "the header says MONOCHROME1, but the film is bone white as it is"),
        )
    if photometric == "MONOCHROME2" and _looks_negative(grey):
        return grey, (("header_contradicts_pixels", "the header says MONOCHROME2, but the film looks like a negative"),)
    return grey, ()


def _looks_negative(film: np.ndarray) -> bool:
    """Whether spine and heart are darker than the lungs and the air above the shoulders.

    On films of 652 children and 295 adults the sum of both contrasts lies between 0.03 and 1.2 of the film's range, so
    that its negative has -0.03 at most; doubtful films (-0.1 and above) are taken as their header says.
    """
    small = np.asarray(Image.fromarray(film).resize((64, 64), Image.Resampling.BILINEAR), dtype=np.float32)
    middle = small[16:42, 28:36].mean()
    lungs = (small[16:42, 10:22].mean() + small[16:42, 42:54].mean()) / 2
    above = (small[:8, :8].mean() + small[:8, -8:].mean()) / 2
    return bool((middle - lungs) + (middle - above) < -0.1 * np.ptp(small))
