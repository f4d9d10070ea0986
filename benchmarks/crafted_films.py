"""Films made to hurt: each must give a film or one reason, in bounded time and memory.

    python benchmarks/crafted_films.py            # all, with what each took
    python benchmarks/crafted_films.py deflated   # those with this word in their name

Time is processor time, memory the most that was held, both of the process and of its decoding processes added up.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import resource
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs import read_radiograph

#: bounds for any one file
SECONDS, BYTES = 20.0, 1_500_000_000

MODALITY, CHARSET, INSTITUTION, BODY_PART = 0x00080060, 0x00080005, 0x00080080, 0x00180015
WINDOW_CENTER, VIEW_CODES, VOI_LUT, MODALITY_LUT = 0x00281050, 0x00540220, 0x00283010, 0x00283000
PRIVATE, PIXELS, SYNTAX = 0x00111000, 0x7FE00010, 0x00020010
EXPLICIT, DEFLATED, RLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5"
JPEG, JPEG_LOSSLESS = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70"
JPEG_LS, JPEG2000 = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"
LONG = {"OB", "OW", "SQ", "UN", "UT", "UC"}
ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
UNDEFINED = 0xFFFFFFFF


def element(tag: int, vr: str, value: bytes, length: int | None = None) -> bytes:
    """An explicit little-endian element; a short VR cannot hold more than 65,534 bytes and is written as UN then."""
    size = len(value) if length is None else length
    if vr not in LONG and size > 0xFFFE:
        vr = "UN"
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    return head + (struct.pack("<HI", 0, size) if vr in LONG else struct.pack("<H", size)) + value


def implicit(tag: int, value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def us(tag: int, value: int) -> bytes:
    return element(tag, "US", struct.pack("<H", value))


def picture(rows: int = 64, columns: int = 64, *, samples: int = 1, bits: int = 8) -> bytes:
    """The elements of a picture, without its pixels."""
    colour = b"MONOCHROME2 " if samples == 1 else b"RGB "
    return b"".join(
        (
            us(0x00280002, samples),
            element(0x00280004, "CS", colour),
            *((us(0x00280006, 0),) if samples > 1 else ()),
            us(0x00280010, rows),
            us(0x00280011, columns),
            us(0x00280100, bits),
            us(0x00280101, bits),
            us(0x00280102, bits - 1),
            us(0x00280103, 0),
        )
    )


def meta(syntax: str, more: bytes = b"", length: int | None = None) -> bytes:
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    body = more + element(SYNTAX, "UI", uid)
    size = struct.pack("<I", len(body) if length is None else length)
    return bytes(128) + b"DICM" + element(0x00020000, "UL", size) + body


def dicom(*elements: bytes, syntax: str = EXPLICIT, pixels: bytes | None = None) -> bytes:
    pixels = element(PIXELS, "OB", bytes(64 * 64)) if pixels is None else pixels
    return meta(syntax) + b"".join(elements) + picture() + pixels


def encapsulated(*fragments: bytes, table: bytes = b"") -> bytes:
    def item(content: bytes) -> bytes:
        return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content

    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return element(PIXELS, "OB", item(table) + b"".join(map(item, fragments)) + end, UNDEFINED)


def deflate(*parts: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return b"".join(map(packer.compress, parts)) + packer.flush()


@lru_cache
def zeros_deflated(times: int = 1000) -> bytes:
    return deflate(element(PRIVATE, "OB", b"", times * 1_000_000), *([bytes(1_000_000)] * times))


def jpeg(side: int = 64, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((side, side), 50).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(
    *extra: bytes, side: int = 64, depth: int = 8, colour: int = 0, interlaced: int = 0, data: bytes = b""
) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, interlaced))
    rows = data or zlib.compress(bytes(side * (side + 1)))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def large_png(colour: int, depth: int, side: int, samples: int, *, interlaced: int = 0) -> bytes:
    packer = zlib.compressobj(1)
    row = bytes(1 + side * samples * depth // 8)
    rows = b"".join(packer.compress(row) for _ in range(side * (2 if interlaced else 1))) + packer.flush()
    return png(side=side, depth=depth, colour=colour, interlaced=interlaced, data=rows)


def nested(depth: int, tag: int = VIEW_CODES) -> bytes:
    opening = element(tag, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED), UNDEFINED)
    return opening * depth


def jpeg2000(width: int, height: int, tile: int, *, samples: int = 1) -> bytes:
    size = struct.pack(">HIIIIIIIIH", 0, width, height, 0, 0, tile, tile, 0, 0, samples) + b"\x07\x01\x01" * samples
    coding = struct.pack(">BBHBBBBBB", 0, 0, 1, 0, 5, 4, 4, 0, 1)
    quantisation = b"\x40" + b"\x40" * 16
    parts = [b"\xff\x4f"]
    for marker, body in ((0xFF51, size), (0xFF52, coding), (0xFF5C, quantisation)):
        parts.append(struct.pack(">HH", marker, len(body) + 2) + body)
    return b"".join(parts) + (struct.pack(">HHHIBB", 0xFF90, 10, 0, 14, 0, 1) + b"\xff\x93") * 1000 + b"\xff\xd9"


def progressive(side: int, scans: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    content = jpeg(side, progressive=True, quality=30)
    start = content.rindex(b"\xff\xda")
    return content[:start] + content[start:-2] * scans + b"\xff\xd9"


def exif_jpeg(exif: bytes, times: int = 1) -> bytes:
    content = jpeg()
    return content[:2] + (b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif) * times + content[2:]


def tiff(*entries: tuple[int, int, int, int], width: int = 64, height: int = 64, behind: bytes = b"") -> bytes:
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1), *entries]
    tags.sort()
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8) + directory + behind


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def run_length_bmp(side: int) -> bytes:
    head = struct.pack("<IHHI", 0, 0, 0, 1078)
    return (
        b"BM"
        + head
        + struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, 0, 0, 0, 256, 0)
        + bytes(1024)
        + (b"\x01\x07" * 14_000_000)
    )


def rle_frame(size: int) -> bytes:
    return struct.pack("<16I", 1, 64, *([0] * 14)) + b"\x00\x07" * (size // 2)


def mini_fragments(count: int) -> bytes:
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 2) + b"\xff\xd8"
    return element(PIXELS, "OB", ITEM + item * count + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0), UNDEFINED)


def huffman_bomb(side: int, predictor: int) -> bytes:
    """A lossless JPEG with one code of one bit: eight pixels a byte, by the predictor that is slowest to undo."""
    table = bytes([0, 1, *([0] * 15), 0])
    frame = struct.pack(">BHHBBBB", 16, side, side, 1, 1, 0x11, 0)
    scan = bytes([1, 1, 0, predictor, 0, 0])
    parts = [b"\xff\xd8"]
    for marker, body in ((0xFFC4, table), (0xFFC3, frame), (0xFFDA, scan)):
        parts.append(struct.pack(">HH", marker, len(body) + 2) + body)
    return b"".join(parts) + bytes(side * side // 8 + 8) + b"\xff\xd9"


M = 1_000_000
BACKSLASHES = b"\\"
FILMS: dict[str, Callable[[], bytes]] = {
    # A.5 of PS3.5: what is deflated grows when it is opened
    "deflated": lambda: meta(DEFLATED) + zeros_deflated(),
    "deflated, no preamble": lambda: meta(DEFLATED)[132:] + zeros_deflated(),
    "deflated, wrong group length": lambda: meta(DEFLATED, length=4) + zeros_deflated(),
    "deflated, group length of 4 GB": lambda: meta(DEFLATED, length=2**32 - 1) + zeros_deflated(),
    "deflated, no group length": lambda: bytes(128) + b"DICM" + meta(DEFLATED)[144:] + zeros_deflated(),
    "deflated, identifier beyond 4 kB": lambda: (
        meta(DEFLATED, element(0x00020001, "OB", bytes(60_000))) + zeros_deflated()
    ),
    "deflated, identifier padded": lambda: meta(DEFLATED + "\0\0\0\0") + zeros_deflated(),
    "deflated, identifier implicit": lambda: implicit(SYNTAX, DEFLATED.encode()) + zeros_deflated(),
    "deflated twice": lambda: meta(DEFLATED) + deflate(meta(DEFLATED) + zeros_deflated()),
    "deflated elements": lambda: meta(DEFLATED) + deflate(*([element(PRIVATE, "LO", b"") * 10_000] * 3000)),
    "deflated items": lambda: (
        meta(DEFLATED) + deflate(element(VIEW_CODES, "SQ", b"", 280 * M), *([ITEM * 1000] * 35_000))
    ),
    "deflated backslashes": lambda: (
        meta(DEFLATED) + deflate(element(CHARSET, "UN", b"", 280 * M), *([BACKSLASHES * 10_000] * 28_000))
    ),
    "deflated to 290 MB": lambda: (
        meta(DEFLATED) + deflate(picture(), element(PIXELS, "OB", b"", 290 * M), *([bytes(M)] * 290))
    ),
    # sequences
    **{
        f"sequence of 5 million items, {name}, {kind}": lambda tag=tag, length=length: dicom(  # type: ignore[misc]
            element(tag, "SQ", ITEM * (5 * M), length)
        )
        for name, tag in (("view", VIEW_CODES), ("VOI", VOI_LUT), ("modality", MODALITY_LUT), ("private", PRIVATE))
        for kind, length in (("defined", None), ("undefined", UNDEFINED))
    },
    "sequence nested 100,000 deep": lambda: meta(EXPLICIT) + nested(100_000),
    "sequence nested 100,000 deep, private": lambda: meta(EXPLICIT) + nested(100_000, PRIVATE),
    "sequence as unknown": lambda: dicom(element(VIEW_CODES, "UN", ITEM * (5 * M))),
    "elements": lambda: meta(EXPLICIT) + element(PRIVATE, "LO", b"") * (12 * M),
    "elements of the meta group": lambda: bytes(128) + b"DICM" + element(0x00020102, "LO", b"") * (12 * M),
    "elements of the command group": lambda: meta(EXPLICIT) + element(0x00000102, "LO", b"") * (12 * M),
    # values
    **{
        f"100 MB of backslashes, {name}": lambda tag=tag: dicom(element(tag, "LO", BACKSLASHES * (100 * M)))  # type: ignore[misc]
        for name, tag in (
            ("character set", CHARSET),
            ("modality", MODALITY),
            ("body part", BODY_PART),
            ("window", WINDOW_CENTER),
            ("institution", INSTITUTION),
            ("private", PRIVATE),
        )
    },
    **{
        f"100 MB of backslashes, implicit, {name}": lambda tag=tag: (
            implicit(MODALITY, b"CR") + implicit(tag, BACKSLASHES * (100 * M))
        )  # type: ignore[misc]
        for name, tag in (("character set", CHARSET), ("modality", MODALITY), ("window", WINDOW_CENTER))
    },
    "100 MB of backslashes, undefined length": lambda: dicom(
        element(CHARSET, "UN", BACKSLASHES * (100 * M), UNDEFINED)
    ),
    "100 MB of backslashes, transfer syntax": lambda: (
        bytes(128) + b"DICM" + element(SYNTAX, "UN", BACKSLASHES * (100 * M))
    ),
    "60 kB of backslashes, transfer syntax": lambda: bytes(128) + b"DICM" + element(SYNTAX, "UI", BACKSLASHES * 60_000),
    **{
        f"100 MB of backslashes as pixels, {vr}": lambda vr=vr: dicom(  # type: ignore[misc]
            pixels=struct.pack("<HH2sHI", 0x7FE0, 0x10, vr.encode(), 0, 100 * M) + BACKSLASHES * (100 * M)
        )
        for vr in ("UT", "UC", "UN", "SQ", "OB", "OD", "UR")
    },
    "pixels in a sequence": lambda: dicom(pixels=element(PIXELS, "SQ", ITEM * (5 * M))),
    "LUT of 60 MB": lambda: dicom(
        element(VOI_LUT, "SQ", implicit(0xFFFEE000, element(0x00283006, "OW", bytes(60 * M))))
    ),
    # compressed pixels
    **{
        f"100 MB of 0xFF in {name}": lambda syntax=syntax: dicom(  # type: ignore[misc]
            syntax=syntax, pixels=encapsulated(b"\xff\xd8" + b"\xff" * (100 * M))
        )
        for name, syntax in (("JPEG", JPEG), ("lossless JPEG", JPEG_LOSSLESS), ("JPEG-LS", JPEG_LS), ("RLE", RLE))
    },
    "50 MB of 0xFF in JPEG 2000": lambda: dicom(
        syntax=JPEG2000, pixels=encapsulated(jpeg2000(64, 64, 64)[:-2] + b"\xff" * (50 * M))
    ),
    "JPEG 2000 of 100 million tiles": lambda: dicom(syntax=JPEG2000, pixels=encapsulated(jpeg2000(9990, 9990, 1))),
    "JPEG 2000 of 100 million pixels": lambda: dicom(syntax=JPEG2000, pixels=encapsulated(jpeg2000(9990, 9990, 9990))),
    "JPEG 2000 of 16,384 samples": lambda: dicom(
        syntax=JPEG2000, pixels=encapsulated(jpeg2000(64, 64, 64, samples=9999))
    ),
    "fragments, 5 million": lambda: dicom(syntax=JPEG, pixels=mini_fragments(5 * M)),
    "fragments, 5 million, lossless": lambda: dicom(syntax=JPEG_LOSSLESS, pixels=mini_fragments(5 * M)),
    "offset table of 25 million": lambda: dicom(syntax=JPEG, pixels=encapsulated(jpeg(), table=bytes(100 * M))),
    "RLE of 60 MB": lambda: meta(RLE) + picture(5400, 5400) + encapsulated(rle_frame(58 * M)),
    "lossless JPEG, predictor 7": lambda: (
        meta(JPEG_LOSSLESS) + picture(5400, 5400, bits=16) + encapsulated(huffman_bomb(5400, 7))
    ),
    "lossless JPEG, predictor 1": lambda: (
        meta(JPEG_LOSSLESS) + picture(5400, 5400, bits=16) + encapsulated(huffman_bomb(5400, 1))
    ),
    "JPEG of 100 scans": lambda: meta(JPEG) + picture(6000, 6000) + encapsulated(progressive(6000, 90)),
    "uncompressed, 100 million pixels of 16 bits": lambda: (
        meta(EXPLICIT)
        + picture(10_000, 10_000, bits=16)
        + element(PIXELS, "OW", np.arange(M, dtype=np.uint16).tobytes() * 100)
    ),
    "uncompressed, 99 million coloured pixels": lambda: (
        meta(EXPLICIT) + picture(9_900, 10_000, samples=3) + element(PIXELS, "OB", bytes(297 * M))
    ),
    "uncompressed, 32 bits": lambda: (
        meta(EXPLICIT)
        + picture(8_600, 8_600, bits=32)
        + element(PIXELS, "OW", np.arange(M, dtype=np.uint32).tobytes() * 74)
    ),
    # pictures
    "JPEG of 100 MB of 0xFF": lambda: b"\xff\xd8" + b"\xff" * (100 * M),
    "JPEG of 100 MB of 0xFF later": lambda: jpeg()[:200] + b"\xff" * (100 * M),
    "JPEG of 100 MB of 0xFF behind the frame": lambda: (j := jpeg())[: j.index(b"\xff\xda")] + b"\xff" * (100 * M),
    "JPEG of 100 MB of 0xFF in the scan": lambda: jpeg()[:-200] + b"\xff" * (100 * M),
    "JPEG of 60 MB of 0xFF in the scan": lambda: jpeg()[:-200] + b"\xff" * (60 * M),
    "JPEG of 60 MB of restarts": lambda: jpeg()[:-200] + b"\xff\xd0" * (30 * M),
    "JPEG of a million segments": lambda: jpeg()[:2] + b"\xff\xfe\x00\x02" * M + jpeg()[2:],
    "JPEG of 990 fills in 990 segments": lambda: jpeg()[:2] + (b"\xff" * 990 + b"\xfe\x00\x02") * 990 + jpeg()[2:],
    "JPEG of 40 million pixels and 10 scans": lambda: progressive(6300, 1),
    "JPEG of 100 scans and 100 million pixels": lambda: progressive(9990, 89),
    "JPEG with EXIF of 5,000 entries": lambda: exif_jpeg(
        b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 5000) + struct.pack("<HHII", 0x0112, 3, 1, 6) * 5000
    ),
    "JPEG with EXIF that points at itself": lambda: exif_jpeg(
        b"Exif\0\0II*\0\x08\0\0\0"
        + struct.pack("<H", 2)
        + struct.pack("<HHII", 0x8769, 4, 1, 8) * 2
        + struct.pack("<I", 8)
    ),
    "JPEG with 60 XMP blocks": lambda: exif_jpeg(
        b"http://ns.adobe.com/xap/1.0/\0" + b'tiff:Orientation="1' * 3000, times=60
    ),
    "PNG of 5 million parts": lambda: png(chunk(b"tEXt", b"") * (5 * M)),
    "PNG of 5 million empty IDAT": lambda: png(chunk(b"IDAT", b"") * (5 * M)),
    "PNG of 90,000 empty IDAT": lambda: png(chunk(b"IDAT", b"") * 90_000),
    "PNG of 5 million unknown parts": lambda: png(chunk(b"abCd", b"") * (5 * M)),
    "PNG with texts that grow": lambda: png(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10 * M))) * 500),
    "PNG with a profile that grows": lambda: png(chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(500 * M), 9))),
    "PNG with EXIF of 100 MB": lambda: png(chunk(b"eXIf", b"II*\0\x08\0\0\0" + b"\xff" * (100 * M))),
    "PNG of 16 bits and four colours": lambda: large_png(6, 16, 6300, 4),
    "PNG of 16 bits, interlaced": lambda: large_png(0, 16, 6300, 1, interlaced=1),
    "PNG of 100 million coloured pixels": lambda: large_png(6, 16, 9990, 4),
    "PNG of 64 MB of stored zeros": lambda: png(side=6300, data=zlib.compress(bytes(6300 * 6301), 0)),
    "TIFF of a million strips": lambda: tiff(
        (273, 4, 90_000, 200),
        (279, 4, 90_000, 200),
        (278, 4, 1, 1),
        width=1000,
        height=90_000,
        behind=bytes(90_000 * 1004),
    ),
    "TIFF of tiny tiles": lambda: tiff(
        (322, 4, 1, 16),
        (323, 4, 1, 16),
        (324, 4, 99_000, 200),
        (325, 4, 99_000, 200),
        width=9000,
        height=9000,
        behind=bytes(99_000 * 8),
    ),
    "TIFF, deflated, 99 million coloured pixels": lambda: saved(
        Image.new("RGB", (9900, 9990)), "TIFF", compression="tiff_deflate"
    ),
    "TIFF, LZW, 99 million pixels": lambda: saved(Image.new("F", (9900, 9990)), "TIFF", compression="tiff_lzw"),
    "BMP, run-length coded": lambda: run_length_bmp(5400),
    "WebP of 59 million pixels": lambda: saved(Image.new("RGB", (7700, 7700)), "WEBP", lossless=True, method=0),
    "zeros with a preamble": lambda: bytes(128) + b"DICM" + bytes(290 * M),
    "ones with a preamble": lambda: bytes(128) + b"DICM" + b"\xff" * (290 * M),
    "random with a preamble": lambda: bytes(128) + b"DICM" + np.random.default_rng(0).bytes(290 * M),
    "text with a preamble": lambda: bytes(128) + b"DICM" + b"\x08\x00\x05\x00CS" * (48 * M),
}


def outcome(source: bytes | Path) -> str:
    """The size of the film, or the code of the reason."""
    try:
        film = read_radiograph(source)
    except UnreadableFilm as error:
        if not error.reason.isprintable():
            raise ValueError(f"the reason is not one line: {error.reason!r}") from error
        return error.code
    return f"{film.pixels.shape[1]} x {film.pixels.shape[0]}"


def measure(file: Path) -> tuple[str, float, int]:
    """In a process that has done nothing else: what the file gave, seconds, and bytes of memory."""
    started = time.process_time()
    found = outcome(file)
    seconds = time.process_time() - started
    from ai_for_sudan.radiographs import pool

    pool.end_all()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + children.ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024
    return found, seconds + children.ru_utime + children.ru_stime, peak * unit


def build(name: str, file: Path) -> None:
    file.write_bytes(FILMS[name]())


def _apart(work: Callable[..., Any], *given: object) -> Any:
    """In a new process, started by a small one: a process inherits the peak of the one that starts it."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(work, *given).result()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("word", nargs="?", default="")
    word = parser.parse_args().word
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "film"
        for name in (name for name in FILMS if word in name):
            try:
                _apart(build, name, file)
                found, seconds, memory = _apart(measure, file)
            except Exception as error:
                found, seconds, memory = f"{type(error).__name__}: {error}", 0.0, BYTES + 1
            fault = seconds > SECONDS or memory > BYTES
            faults += fault
            size = file.stat().st_size
            words = f"{size / 1e6:7.1f} MB {seconds:6.1f} s {memory / 1e6:6.0f} MB  {found:<17} {name}"
            print(words + ("  <- FAULT" if fault else ""), flush=True)
    print(f"{faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
