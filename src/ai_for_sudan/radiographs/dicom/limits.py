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
from ai_for_sudan.radiographs.dicom.stored_values import JPEG_LOSSLESS, transfer_syntax
from ai_for_sudan.radiographs.plain import JPEG_START, is_plain

SLOW = {RLELossless, JPEG2000Lossless, JPEG2000}
J2K_START = b"\xff\x4f\xff\x51"  # SOC, SIZ
JPEG_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15, and JPEG-LS


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
    coded = _coded_size(dataset)
    if coded:
        stated.append(("the compressed picture declares", *coded))
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


def _coded_size(dataset: Dataset) -> tuple[int, int, int] | None:
    """Width, height and components that a JPEG or JPEG 2000 stream declares; they may contradict the header."""
    data: bytes = dataset.PixelData
    if not transfer_syntax(dataset).is_encapsulated:
        return None
    start = data.find(J2K_START, 0, 4096)
    if start >= 0:  # ISO 15444-1 A.5.1: marker, length, capabilities, Xsiz, Ysiz, offsets, tiles, Csiz
        size = data[start + 8 : start + 42]
        return int.from_bytes(size[:4], "big"), int.from_bytes(size[4:8], "big"), int.from_bytes(size[32:34], "big")
    start = data.find(JPEG_START, 0, 4096)
    if start < 0:
        return None
    is_plain(data[start:])
    at = start + 2
    while data[at : at + 1] == b"\xff" and at + 10 < len(data):  # ISO 10918-1 B.1.1.4
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in JPEG_FRAMES:
            return (
                int.from_bytes(data[at + 7 : at + 9], "big"),
                int.from_bytes(data[at + 5 : at + 7], "big"),
                data[at + 9],
            )
        at += 2 + length
    return None


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
