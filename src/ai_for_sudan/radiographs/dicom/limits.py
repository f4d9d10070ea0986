"""What no film has, refused before anything is decoded or allocated."""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000, JPEG2000Lossless, RLELossless

from ai_for_sudan.contract.limits import (
    LARGEST_FILE,
    LARGEST_JPEG2000,
    LARGEST_LOSSLESS_JPEG,
    LARGEST_PICTURE,
    LARGEST_SLOW,
    MOST_SAMPLES,
)
from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs.dicom.cells import JPEG_LOSSLESS, is_encapsulated, transfer_syntax
from ai_for_sudan.radiographs.dicom.streams import frame_of

SLOW = {RLELossless, JPEG2000Lossless, JPEG2000}


def check(dataset: Dataset) -> None:
    """Refuse before anything is decoded or allocated."""
    if "PixelData" not in dataset:
        raise UnreadableFilm("no_pixels", "the DICOM file contains no picture (it is a report, or a header only)")
    frames = _number(dataset.get("NumberOfFrames", 1)) or 1
    if frames > 1:
        raise UnreadableFilm("multi_frame", f"the DICOM file contains {frames:.0f} frames; a film has one")
    rows, columns = _number(dataset.get("Rows")), _number(dataset.get("Columns"))
    if not rows or not columns:
        raise UnreadableFilm("damaged", "the DICOM header gives no size (Rows, Columns)")
    stated = [("the header declares", columns, rows, _number(dataset.get("SamplesPerPixel")) or 1)]
    coded = frame_of(dataset.PixelData) if is_encapsulated(dataset) else None
    if coded:
        stated.append(("the compressed picture declares", *coded[:3]))
    for words, width, height, samples in stated:
        if width * height > LARGEST_PICTURE:
            text = f"{words} {width:.0f} x {height:.0f} pixels; at most {LARGEST_PICTURE:,} are read"
            raise UnreadableFilm("too_large", text)
        if samples > MOST_SAMPLES:
            raise UnreadableFilm("damaged", f"{words} {samples:.0f} samples per pixel; a film has one or three")
    syntax = transfer_syntax(dataset)
    width, height, samples = stated[-1][1:]
    if syntax in (JPEG2000, JPEG2000Lossless) and width * height * samples > LARGEST_JPEG2000:
        text = f"a film of {width:.0f} x {height:.0f} pixels and {samples:.0f} samples in {syntax.name}"
        raise UnreadableFilm("too_large", f"{text}; at most {LARGEST_JPEG2000:,} samples are read")
    if syntax in SLOW and len(dataset.PixelData) > LARGEST_SLOW:
        size = f"{len(dataset.PixelData) / 1e6:.0f} MB of {syntax.name}"
        raise UnreadableFilm(
            "too_large", f"{size} take minutes to decode; at most {LARGEST_SLOW / 1e6:.0f} MB are read"
        )
    width, height, samples = stated[0][1:]
    if syntax in JPEG_LOSSLESS and width * height > LARGEST_LOSSLESS_JPEG:
        text = f"a film of {width:.0f} x {height:.0f} pixels in {syntax.name}"
        raise UnreadableFilm("too_large", f"{text}; at most {LARGEST_LOSSLESS_JPEG:,} are read")
    if width * height * samples * (_number(dataset.get("BitsAllocated")) or 8) / 8 > LARGEST_FILE:
        raise UnreadableFilm("too_large", f"the header declares more than {LARGEST_FILE / 1e6:.0f} MB of pixels")


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
