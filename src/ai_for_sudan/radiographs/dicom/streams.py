"""What a compressed stream says of its picture, before anything is decoded."""

from __future__ import annotations

from typing import NamedTuple

from ai_for_sudan.radiographs.plain import JPEG_START, is_plain

J2K_START = b"\xff\x4f\xff\x51"  # SOC, SIZ
JPEG_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15, and JPEG-LS


class Frame(NamedTuple):
    """Pixels a row, rows, samples a pixel, and bits a sample (0 where they are not looked for)."""

    width: int
    height: int
    samples: int
    bits: int


def frame_of(pixels: bytes) -> Frame | None:
    """Return what a JPEG or JPEG 2000 stream declares, which may contradict the header; None of any other.

    Raises:
        UnreadableFilm: the stream has a structure that no program writes.
    """
    start = pixels.find(J2K_START, 0, 4096)
    if start >= 0:  # ISO 15444-1 A.5.1: marker, length, capabilities, Xsiz, Ysiz, offsets, tiles, Csiz
        size = pixels[start + 8 : start + 42]
        width, height, samples = (int.from_bytes(size[a:b], "big") for a, b in ((0, 4), (4, 8), (32, 34)))
        return Frame(width, height, samples, 0)
    start = pixels.find(JPEG_START, 0, 4096)
    if start < 0:
        return None
    is_plain(pixels[start:])
    at = start + 2
    while pixels[at : at + 1] == b"\xff" and at + 10 < len(pixels):  # ISO 10918-1 B.1.1.4
        marker, length = pixels[at + 1], int.from_bytes(pixels[at + 2 : at + 4], "big")
        if marker == 0xFF:  # a fill byte (B.1.1.2)
            at += 1
            continue
        if marker in JPEG_FRAMES:
            height, width = (int.from_bytes(pixels[at + a : at + a + 2], "big") for a in (5, 7))
            return Frame(width, height, pixels[at + 9], pixels[at + 4])
        at += 2 + length
    return None
