"""PNG, JPEG, BMP, TIFF and WebP, by Pillow."""

from __future__ import annotations

import contextlib
import io
import re
import struct
import threading
import warnings
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from ai_for_sudan.contract.limits import LARGEST_PICTURE, MOST_SCANS
from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs.radiograph import luma
from ai_for_sudan.radiographs.source import one_line

TIFF_PHOTOMETRIC = 262
#: its decoder holds the picture five times over
LARGEST_WEBP = 60_000_000
#: pixels, and bytes of the file; decoded in Python, some million runs a second
LARGEST_RLE = 30_000_000
#: numbers in one TIFF tag: two for each strip or tile of a film, where some have one strip a row
MOST_NUMBERS = 100_000
#: bytes of EXIF: one JPEG segment holds it all (JEITA CP-3451 4.7.2)
LARGEST_EXIF = 65_535
#: share of the range that a burnt-in label leaves empty between itself and the film
GAP = 7 / 8
_filters = threading.Lock()
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")


def decode(data: bytes) -> np.ndarray:
    """The picture's pixels: uint8, uint16 or float32 in 0..1, ``(H, W)``, upright as EXIF says.

    16-bit pictures are scaled by the bits that they use, since films of 12 to 15 bits are often saved in 16. A burnt-in
    label, one value far above all others, is shown as white as the brightest of the film.

    Raises:
        UnreadableFilm: no picture, damaged, too many pixels, or several pages.
    """
    if data[:2] == b"\xff\xd8" and data.count(b"\xff\xda") > MOST_SCANS:
        raise UnreadableFilm("damaged", "the JPEG file has more scans than any camera writes")
    if data[:2] == b"\xff\xd8" and data.count(b"Exif\0\0") > 10:
        raise UnreadableFilm("damaged", "the JPEG file has more EXIF blocks than any camera writes")
    if data[:2] in (b"II", b"MM"):
        _check_tags(data)
    try:
        with _quiet():
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        with image:
            return _pixels(image, data)
    except UnidentifiedImageError as error:
        raise _unopened(data) from error
    except Image.DecompressionBombError as error:
        raise UnreadableFilm("too_large", "the picture declares more pixels than any film has") from error
    except OSError as error:
        raise UnreadableFilm("truncated", f"the picture is cut short or damaged: {one_line(error)}") from error


def _unopened(data: bytes) -> UnreadableFilm:
    """Why no decoder takes the picture: what its first bytes tell."""
    if re.match(rb"....ftyp(hei[cfmsx]|hev[cmsx]|mif1|msf1)", data, re.DOTALL):  # ISO 23008-12, Annex B
        advice = "share it as JPEG, or set the phone's camera to JPEG (on an iPhone: Formats, Most Compatible)"
        return UnreadableFilm("heic", f"the photo is in HEIC format, which cannot be read; {advice}")
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return UnreadableFilm("tiff", "the TIFF file is damaged, or of a kind that cannot be read; save it as PNG")
    expected = f"expected DICOM, {', '.join(FORMATS)}"
    return UnreadableFilm("not_a_picture", f"the file is not a readable picture ({expected})")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without Pillow's warnings of damage, one thread at a time: their filters belong to the whole process."""
    with _filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _check_tags(data: bytes) -> None:
    """Pillow makes a Python object of each number in a tag (TIFF 6.0, section 2): millions of them take minutes."""
    order, big = "<" if data[:2] == b"II" else ">", 43 in data[2:4]
    try:
        (at,) = struct.unpack_from(order + ("Q" if big else "L"), data, 8 if big else 4)
        (entries,) = struct.unpack_from(order + ("Q" if big else "H"), data, at)
        at += 8 if big else 2
        for _ in range(min(entries, 65_535)):
            _, kind, count = struct.unpack_from(order + ("HHQ" if big else "HHL"), data, at)
            at += 20 if big else 12
            if count > MOST_NUMBERS and kind not in (1, 2, 7):  # bytes and texts stay as they are
                raise UnreadableFilm("damaged", f"the TIFF file has a tag of {count:,} numbers")
    except struct.error:
        return  # cut short, which Pillow tells


def _pixels(image: ImageFile.ImageFile, data: bytes) -> np.ndarray:
    largest, size = LARGEST_WEBP if image.format == "WEBP" else LARGEST_PICTURE, len(data)
    if image.format == "JPEG" and image.width * image.height > largest:  # a photo of 108 million pixels: half as wide
        image.draft(image.mode, (image.width // 2, image.height // 2))
    pixels = image.width * image.height
    if pixels > largest:
        raise UnreadableFilm(
            "too_large", f"the picture has {image.width} x {image.height} pixels; at most {largest:,} are read"
        )
    if image.format == "BMP" and image.info.get("compression") in (1, 2) and max(size, pixels) > LARGEST_RLE:
        raise UnreadableFilm("too_large", f"a run-length coded BMP of {size / 1e6:.0f} MB; save it as PNG")
    # Not how many: a damaged file may name millions, which Pillow would visit one by one.
    if image.format == "TIFF" and image.is_animated:  # type: ignore[attr-defined]
        raise UnreadableFilm("multi_frame", "the file contains several pictures; save each film as a file of its own")
    deep = _sixteen_bits(image, data)
    if deep is not None:
        return _of_used_bits(deep)
    image.load()
    # A damaged EXIF block must not cost a readable picture.
    if len(image.info.get("exif", b"")) <= LARGEST_EXIF:
        with contextlib.suppress(Exception), _quiet():
            ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise UnreadableFilm("range", "the picture's values do not fit 16 bits")
        white_is_zero = image.format == "TIFF" and image.tag_v2.get(TIFF_PHOTOMETRIC) == 0  # type: ignore[attr-defined]
        return _of_used_bits(values, inverted=white_is_zero)  # Pillow turns it in 8 bits only
    if image.mode == "F":
        return np.asarray(image)
    if not image.has_transparency_data:
        return np.asarray(image.convert("L"))
    # What is transparent shows black, like the dark around a film.
    coloured = image.convert("RGBA")
    grey = Image.new("L", image.size, 0)
    grey.paste(coloured.convert("L"), mask=coloured.getchannel("A"))
    return np.asarray(grey)


def _of_used_bits(values: np.ndarray, *, inverted: bool = False) -> np.ndarray:
    """Values of up to 16 bits over the bits that they use: uint16, or float32 in 0..1."""
    top = int(values.max())
    below = int(values[values < top].max(initial=0))
    if below and top - below > GAP * top:  # a burnt-in label, far above the film
        top, values = below, np.minimum(values, below)
    full = max(1, (1 << top.bit_length()) - 1)
    if inverted:
        values = full - values
    return values.astype(np.uint16) if full == 65535 else values.astype(np.float32) / np.float32(full)


def _sixteen_bits(image: ImageFile.ImageFile, data: bytes) -> np.ndarray | None:
    """The luma of a PNG of 16 bits in colour or with transparency, uint16 ``(H, W)``; None of any other picture.

    Pillow keeps the higher byte of each sample, which is black where a film has 12 bits. It is asked for both.
    """
    coded = image.tile[0].args if image.format == "PNG" and image.tile else None
    ways = {"RGB;16B": ("RGB;16B", "RGB;16L"), "RGBA;16B": ("RGBA;16B", "RGBA;16L"), "LA;16B": ("RGBA",)}.get(
        str(coded)
    )
    if ways is None:
        return None
    found = []
    for way in ways:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as again:
            again.tile = [again.tile[0]._replace(args=way)]
            again.load()
            found.append(np.asarray(again).astype(np.uint16))
    if len(found) == 1:  # the bytes of grey and of transparency
        grey, clear = found[0][..., 0] << 8 | found[0][..., 1], found[0][..., 2] < 128
    else:
        samples = found[0] << 8 | found[1]
        grey = (luma(samples) + np.float32(0.5)).astype(np.uint16)
        clear = found[0][..., 3] < 128 if samples.shape[2] == 4 else np.zeros(grey.shape, dtype=bool)
    grey[clear] = 0
    return grey
