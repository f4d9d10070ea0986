"""The picture that a workstation shows (PS3.3 C.11, PS3.4 N.2): the steps in their order.

Each step works on the numbers that a pixel cell can hold, not on the pixels: 65,536 of them where a film has millions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from ai_for_sudan.contract import polarity
from ai_for_sudan.contract.codes import Remark, remark
from ai_for_sudan.radiographs.dicom.colour import through_palette
from ai_for_sudan.radiographs.dicom.eight_bits import eight_bits, without_label
from ai_for_sudan.radiographs.dicom.elements import code
from ai_for_sudan.radiographs.dicom.modality import measured
from ai_for_sudan.radiographs.dicom.padding import padding
from ai_for_sudan.radiographs.dicom.polarity import is_inverse
from ai_for_sudan.radiographs.dicom.sign import with_sign
from ai_for_sudan.radiographs.dicom.stored_bits import stored_bits
from ai_for_sudan.radiographs.dicom.voi import of_interest
from ai_for_sudan.radiographs.radiograph import FullRange, strips

#: of larger films only every second or third pixel and row of the full range is kept, as a browser has to hold them;
#: the largest detectors have 15 million
MOST_PIXELS = 1 << 24


@dataclass(frozen=True)
class Picture:
    """A film and what becomes of its cells.

    Attributes:
        pixels: uint8 ``(H, W)``, bone white.
        remarks: what the header asked for and could not be done.
        cells: unsigned ``(H, W)``, an index into the following.
        film: bool ``(N,)``, which cells occur and are no padding.
        measured: float64 ``(N,)``, before the window and bone white; None of a palette.
        grey: uint8 ``(N,)``, bone white.
        steps: from the lowest stored value of the film to the highest.
    """

    pixels: np.ndarray
    remarks: tuple[Remark, ...]
    cells: np.ndarray
    film: np.ndarray
    measured: np.ndarray | None
    grey: np.ndarray
    steps: int

    def full_range(self) -> FullRange | None:
        """Return the values before the window, the right way round, with the window that was applied.

        Returns:
            None for palettes, films of one value, and values that span more than 16 bits.
        """
        if self.measured is None:
            return None
        values = self.measured[self.film]
        steps, span = self.steps, float(np.ptp(values))
        if not 0 < steps < 1 << 16 or not 0 < span < math.inf:
            return None
        table = np.zeros(len(self.grey), dtype=np.uint16)
        table[self.film] = np.rint((values - values.min()) * (steps / span))
        kept, grey = table[self.film], self.grey[self.film]
        black, white = int(kept[grey == 0].max(initial=0)), int(kept[grey == 255].min(initial=steps))
        step = math.ceil(math.sqrt(self.cells.size / MOST_PIXELS))
        shown = _looked_up(self.cells[::step, ::step], table)
        return FullRange(shown, (black, white) if black < white else (0, steps))


def picture_of(cells: np.ndarray, dataset: Dataset) -> Picture:
    """Return the picture of a film of one sample a pixel.

    Args:
        cells: unsigned ``(H, W)``, as they are stored, with all their bits.
    """
    allocated = 8 * cells.dtype.itemsize
    numbers = np.arange(1 << min(allocated, 16))
    if allocated > 16:  # the numbers that occur, and of each cell which of them it is
        numbers, ranks = np.unique(cells, return_inverse=True)
        cells = ranks.reshape(cells.shape)
    present = _occurring(cells, len(numbers))
    stored, bits, remarks = stored_bits(numbers.astype(np.int64), allocated, dataset)
    if code(dataset, "PhotometricInterpretation") == "PALETTE COLOR":
        grey = eight_bits(through_palette(stored, dataset), present)
        return Picture(_looked_up(cells, grey), remarks, cells, present, None, grey, 0)
    values = with_sign(stored, bits, dataset)
    padded, ignored = padding(numbers.astype(np.int64), values, present, bits, dataset)
    film = present & ~padded
    found, rescaled = measured(values, dataset)
    shown, windowed = of_interest(found, dataset)
    remarks += ignored + rescaled + windowed
    if shown is not None and _falls(shown, found, film):
        found = -found
    counted = film
    if shown is None and (counted := without_label(found, film)) is not film:
        remarks += (remark("label_ignored"),)
    # What is said of a film, blank or a negative, is said of all that it holds: a window must not decide.
    inverse = is_inverse(dataset)
    whole = eight_bits(found, counted)
    whole[padded] = 255 if inverse else 0
    pixels = _looked_up(cells, whole)
    inverts, contradiction = polarity.inverts("MONOCHROME1" if inverse else "MONOCHROME2", pixels)
    grey = whole
    if shown is not None:
        through = eight_bits(shown, film)
        through[padded] = whole[padded]
        if _blank(cells, through, film, padded) and not _blank(cells, whole, film, padded):
            remarks += (remark("window_hides"),)
        else:
            grey, pixels = through, _looked_up(cells, through)
    if inverts:
        found, grey = -found, 255 - grey
        np.subtract(255, pixels, out=pixels)
    elif inverse:
        grey, pixels = np.where(padded, 0, grey), _looked_up(cells, np.where(padded, 0, grey))
    return Picture(pixels, remarks + contradiction, cells, film, found, grey, int(np.ptp(values[film])))


def _blank(cells: np.ndarray, grey: np.ndarray, film: np.ndarray, padded: np.ndarray) -> bool:
    """Whether a film is as good as blank; bars of padding beside it are no contrast."""
    darkest = grey[film].min(initial=255)
    return polarity.shows_nothing(_looked_up(cells, np.where(padded, darkest, grey)))


def _falls(shown: np.ndarray, found: np.ndarray, film: np.ndarray) -> bool:
    """Whether a table shows the highest value darker than the lowest."""
    of_film = found[film]
    return bool(shown[film][of_film.argmax()] < shown[film][of_film.argmin()])


def _occurring(cells: np.ndarray, count: int) -> np.ndarray:
    occurs = np.zeros(count, dtype=bool)
    for rows in strips(*cells.shape):
        occurs[cells[rows].ravel()] = True
    return occurs


def _looked_up(cells: np.ndarray, table: np.ndarray) -> np.ndarray:
    found = np.empty(cells.shape, dtype=table.dtype)
    for rows in strips(*cells.shape):
        found[rows] = table[cells[rows]]
    return found
