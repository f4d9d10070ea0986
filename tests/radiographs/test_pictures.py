from __future__ import annotations

import io
import os
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs import picture, read_radiograph

ROWS, COLUMNS = np.mgrid[0:40, 0:50]
GREY = (ROWS * 4 + COLUMNS).astype(np.uint8)


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def code_of(source: object) -> str:
    with pytest.raises(UnreadableFilm) as caught:
        read_radiograph(source)  # type: ignore[arg-type]
    assert caught.value.reason and "\n" not in caught.value.reason
    return caught.value.code


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("PNG", "L", {}),
        ("PNG", "RGB", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "LA", {}),
        ("PNG", "P", {}),
        ("BMP", "L", {}),
        ("BMP", "RGB", {}),
        ("TIFF", "L", {"compression": "tiff_lzw"}),
        ("TIFF", "RGB", {}),
        ("WEBP", "RGB", {"lossless": True}),
    ],
)
def test_every_lossless_picture_gives_its_grey_values(kind: str, mode: str, options: dict[str, Any]) -> None:
    film = read_radiograph(saved(Image.fromarray(GREY).convert(mode), kind, **options))
    assert film.pixels.dtype == np.uint8 and film.header is None
    np.testing.assert_allclose(film.pixels.astype(int), GREY, atol=1)


def test_jpeg_is_close_and_the_suffix_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    path.write_bytes(saved(Image.fromarray(GREY), "JPEG", quality=95))
    np.testing.assert_allclose(read_radiograph(path).pixels.astype(int), GREY, atol=4)


def test_phone_photos_are_rotated_upright() -> None:
    for orientation, expected in ((3, GREY[::-1, ::-1]), (6, np.rot90(GREY, -1)), (8, np.rot90(GREY, 1))):
        exif = Image.Exif()
        exif[0x0112] = orientation
        film = read_radiograph(saved(Image.fromarray(GREY), "JPEG", quality=98, exif=exif))
        np.testing.assert_allclose(film.pixels.astype(int), expected, atol=4)


def test_an_oversized_exif_block_turns_nothing() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for more, expected in ((0, np.rot90(GREY, -1)), (70_000, GREY)):
        film = read_radiograph(saved(Image.fromarray(GREY), "PNG", exif=exif.tobytes() + bytes(more)))
        np.testing.assert_array_equal(film.pixels, expected)


def test_sixteen_bit_pictures_are_scaled_by_the_bits_that_they_use() -> None:
    for top, brightest in ((8191, 255), (8192, 128), (16383, 255), (32767, 255)):
        values = np.linspace(0, top, 2000).reshape(40, 50).astype(np.uint16)
        assert abs(int(read_radiograph(saved(Image.fromarray(values), "PNG")).pixels.max()) - brightest) <= 1


def png_of_sixteen_bits(samples: np.ndarray) -> bytes:
    """PNG 11.2: what Pillow cannot write; uint16 ``(H, W, samples)``."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    height, width, count = samples.shape
    head = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[count], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("samples", [1, 2, 3, 4])
def test_twelve_bits_in_sixteen_are_read_in_colour_and_with_transparency(samples: int) -> None:
    grey = GREY.astype(np.uint16) * 16
    clear = [np.full_like(grey, 65535)] if samples in (2, 4) else []
    layers = [grey] * (3 if samples > 2 else 1) + clear
    film = read_radiograph(png_of_sixteen_bits(np.dstack(layers)))
    np.testing.assert_allclose(film.pixels.astype(int), GREY, atol=1)


def test_a_photo_of_too_many_pixels_is_made_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one of 108 million is, which takes long to make."""
    monkeypatch.setattr(picture, "LARGEST_PICTURE", GREY.size // 2)
    assert read_radiograph(saved(Image.fromarray(GREY), "JPEG")).pixels.shape == (
        GREY.shape[0] // 2,
        GREY.shape[1] // 2,
    )


def test_a_burnt_in_label_does_not_darken_the_film() -> None:
    plain = np.linspace(0, 4095, 2000).reshape(40, 50).astype(np.uint16)
    labelled = plain.copy()
    labelled[:3, :3] = 65535
    film, expected = (read_radiograph(saved(Image.fromarray(each), "PNG")).pixels for each in (labelled, plain))
    np.testing.assert_array_equal(film[3:], expected[3:])
    assert (film[:3, :3] == 255).all()


def test_sixteen_bits_keep_their_range_and_twelve_bits_are_spread() -> None:
    deep = GREY.astype(np.uint16) * 257
    np.testing.assert_array_equal(read_radiograph(saved(Image.fromarray(deep), "PNG")).pixels, GREY)
    np.testing.assert_array_equal(read_radiograph(saved(Image.fromarray(deep), "TIFF")).pixels, GREY)
    twelve = np.linspace(0, 4095, 2000).reshape(40, 50).astype(np.uint16)
    assert read_radiograph(saved(Image.fromarray(twelve), "PNG")).pixels.max() == 255
    white_is_zero = saved(Image.fromarray(65535 - deep), "TIFF", tiffinfo={262: 0})
    np.testing.assert_array_equal(read_radiograph(white_is_zero).pixels, GREY)


def test_what_is_transparent_is_black() -> None:
    rgba = np.dstack([np.full((40, 50, 3), 200, np.uint8), np.zeros((40, 50), np.uint8)])
    rgba[:20, :, 3] = 255
    pixels = read_radiograph(saved(Image.fromarray(rgba), "PNG")).pixels
    assert (pixels[:20] == 200).all() and (pixels[20:] == 0).all()


def test_arrays() -> None:
    np.testing.assert_array_equal(read_radiograph(GREY).pixels, GREY)
    np.testing.assert_array_equal(read_radiograph(GREY.astype(np.uint16) * 257).pixels, GREY)
    np.testing.assert_array_equal(read_radiograph(GREY.astype(np.float64) / 255).pixels, GREY)
    np.testing.assert_array_equal(read_radiograph(np.repeat(GREY[..., None], 3, -1)).pixels, GREY)
    assert code_of(np.full((5, 5), np.nan)) == "not_finite"
    assert code_of(np.full((5, 5), 2.0)) == "range"
    assert code_of(np.zeros((5, 5), np.int64)) == "type"
    assert code_of(np.zeros((2, 5, 5), np.uint8)) == "shape"
    assert code_of(np.zeros((0, 5), np.uint8)) == "shape"


def test_bad_files_have_each_their_code(tmp_path: Path) -> None:
    png = saved(Image.fromarray(GREY), "PNG")
    assert code_of(b"") == "empty"
    assert code_of(b"\x00") == "not_a_picture"
    assert code_of(b"a text" * 1000) == "not_a_picture"
    assert code_of(png[: len(png) // 2]) == "truncated"
    assert code_of(saved(Image.fromarray(GREY), "JPEG")[:400]) == "truncated"
    assert code_of(tmp_path) == "folder"
    assert code_of(tmp_path / "nothing.png") == "missing"
    nan = np.full((9, 9), np.nan, np.float32)
    assert code_of(saved(Image.fromarray(nan), "TIFF")) == "not_finite"
    pages = saved(Image.fromarray(GREY), "TIFF", save_all=True, append_images=[Image.fromarray(GREY)])
    assert code_of(pages) == "multi_frame"
    gif = saved(Image.fromarray(GREY), "GIF")
    assert code_of(gif) == "not_a_picture"


@pytest.mark.parametrize("side", [12_000, 65_535, 2**31 - 1])
def test_a_bomb_is_refused_before_it_grows(side: int) -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )
    assert code_of(bomb) == "too_large"


def test_a_jpeg_with_thousands_of_scans_is_refused() -> None:
    jpeg = saved(Image.fromarray(GREY), "JPEG", progressive=True)
    start = jpeg.rindex(b"\xff\xda")
    assert code_of(jpeg[:start] + jpeg[start:-2] * 200 + b"\xff\xd9") == "damaged"


def test_what_keeps_a_decoder_busy_for_minutes_is_refused_at_once(tmp_path: Path) -> None:
    def tiff(*tags: tuple[int, int, int, int], behind: bytes = b"") -> bytes:
        entries = [
            (256, 3, 1, 8),
            (257, 3, 1, 8),
            (258, 3, 1, 8),
            (262, 3, 1, 1),
            (273, 4, 1, 8),
            (279, 4, 1, 64),
            *tags,
        ]
        packed = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        return b"II*\0" + struct.pack("<I", 72) + bytes(64) + packed + behind

    assert read_radiograph(tiff(behind=bytes(4))).pixels.shape == (8, 8)
    assert code_of(tiff((282, 5, 2_000_000, 0), behind=bytes(16_000_000))) == "damaged"
    page = tiff(behind=struct.pack("<I", 72 + 6 * 12 + 6))[72:]
    pages = bytearray(tiff(behind=struct.pack("<I", 72 + len(page))))
    for _ in range(50_000):
        pages += page[:-4] + struct.pack("<I", len(pages) + len(page))
    started = time.process_time()
    assert code_of(bytes(pages)) == "multi_frame"
    assert time.process_time() - started < 1
    colours = bytes(1024)
    header = struct.pack("<IHHI", 0, 0, 0, 1078) + struct.pack("<IiiHHIIiiII", 40, 9000, 9000, 1, 8, 1, 0, 0, 0, 256, 0)
    assert code_of(b"BM" + header + colours + bytes(1000)) == "too_large"
    exif = b"\xff\xe1" + struct.pack(">H", 65_000) + b"Exif\0\0" + bytes(64_992)
    jpeg = saved(Image.fromarray(GREY), "JPEG")
    assert code_of(jpeg[:2] + exif * 100 + jpeg[2:]) == "damaged"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have no name on this system")
@pytest.mark.timeout(20)
def test_a_pipe_or_a_device_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "film.png")
    assert code_of(tmp_path / "film.png") == "no_file"
    assert code_of("/dev/zero") == "no_file"


def test_one_pixel_is_a_picture() -> None:
    assert read_radiograph(saved(Image.new("L", (1, 1), 9), "PNG")).pixels.tolist() == [[9]]


def test_heic_and_tiff_are_distinguished_from_what_is_not_a_picture() -> None:
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
    with pytest.raises(UnreadableFilm, match="Most Compatible") as caught:
        read_radiograph(heic)
    assert caught.value.code == "heic"
    assert code_of(b"II*\0\x08\0\0\0\x01\0" + bytes(100)) == "tiff"
    assert code_of(b"RIFF" + bytes(100)) == "not_a_picture"
