"""Pictures that cannot cost much, whatever was done to them: seen from their structure before any decoder runs."""

from __future__ import annotations

import struct
from pathlib import Path

from ai_for_sudan.contract.limits import MOST_SCANS
from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs.source import open_film

PNG_START, JPEG_START = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
#: bytes of the file; pixels; and pixels times the scans that each is visited in
LARGEST_PLAIN, PLAIN_PIXELS, PLAIN_VISITS = 64_000_000, 40_000_000, 400_000_000
#: bytes beside the picture itself: texts, colour profiles, a camera's notes
PLAIN_EXTRAS = 4_000_000
MOST_SEGMENTS = 1_000
#: a PNG of 300 MB, written 8 kB at a time, has 37,000 parts
MOST_CHUNKS = 100_000
#: 0xFF before a JPEG's marker, which decoders step over one by one
MOST_FILL = 1_000
#: baseline, extended and progressive, Huffman coded (ISO 10918-1 B.1.1.3)
_PLAIN_FRAMES = {0xC0, 0xC1, 0xC2}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_SCAN = b"\xff\xda"


def may_be_plain(path: Path) -> bool:
    """Whether the file is worth loading here, by its first bytes.

    Raises:
        UnreadableFilm: it cannot be opened.
    """
    with open_film(path) as file:
        return file.read(len(PNG_START)).startswith((PNG_START, JPEG_START))


def is_plain(data: bytes) -> bool:
    """Whether time and memory that decoding needs are bounded by few numbers that stand at known places.

    Such a picture is decoded where it is; any other in a process with limits (:mod:`ai_for_sudan.radiographs.pool`).

    Raises:
        UnreadableFilm: the structure is one that no program writes, and that keeps decoders busy.
    """
    if data.startswith(PNG_START):
        return _is_plain_png(data)
    return data.startswith(JPEG_START) and _is_plain_jpeg(data)


def _is_plain_png(data: bytes) -> bool:
    """Chunks (PNG 5.3): length, name, body, checksum; the first is IHDR."""
    if data[12:16] != b"IHDR":
        return False
    width, height = struct.unpack_from(">II", data, 16) if len(data) >= 24 else (0, 0)
    at, chunks, extras = len(PNG_START), 0, 0
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        chunks += 1
        if chunks > MOST_CHUNKS:
            raise UnreadableFilm("damaged", f"the PNG file has more than {MOST_CHUNKS:,} parts")
        if name != b"IDAT":
            extras += length + 1000  # of each, an object is kept
        if name == b"IEND":
            break
        at += 12 + length
    return len(data) <= LARGEST_PLAIN and width * height <= PLAIN_PIXELS and extras <= PLAIN_EXTRAS


def _is_plain_jpeg(data: bytes) -> bool:
    """Segments (ISO 10918-1 B.1.1.4): marker, length, body, up to the first scan."""
    scans = data.count(_SCAN)
    if scans > MOST_SCANS:
        raise UnreadableFilm("damaged", f"the JPEG file has more than {MOST_SCANS} scans")
    pixels, at = 0, 2
    for _ in range(MOST_SEGMENTS):
        fill = at
        while data[at + 1 : at + 2] == b"\xff":  # fill bytes may stand before a marker (B.1.1.2)
            at += 1
            if at - fill > MOST_FILL:
                raise UnreadableFilm("damaged", f"the JPEG file has more than {MOST_FILL:,} fill bytes")
        if at + 4 > len(data) or data[at] != 0xFF:
            return False
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _FRAMES:
            if pixels or marker not in _PLAIN_FRAMES or at + 9 > len(data):
                return False
            pixels = int.from_bytes(data[at + 5 : at + 7], "big") * int.from_bytes(data[at + 7 : at + 9], "big")
        elif marker == 0xDA:
            return (
                len(data) <= LARGEST_PLAIN
                and 0 < pixels <= PLAIN_PIXELS
                and pixels * scans <= PLAIN_VISITS
                and at <= PLAIN_EXTRAS
                # Inside a scan 0xFF stands before 0 or a marker; decoders go through runs of it 2 MB a second.
                and data.count(b"\xff\xff", at) <= MOST_FILL
            )
        elif marker < 0xC0 or 0xD0 <= marker <= 0xD9 or length < 2:
            return False
        at += 2 + length
    return False
