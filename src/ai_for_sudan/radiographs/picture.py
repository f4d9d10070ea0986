"""PNG, JPEG, BMP, TIFF and WebP, by Pillow."""

from __future__ import annotations

import contextlib
import io
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs.radiograph import LARGEST_PICTURE, one_line

TIFF_PHOTOMETRIC = 262
#: a progressive JPEG has about ten scans; thousands of them keep a decoder busy for minutes
MOST_SCANS = 100
#: its decoder holds the picture five times over
LARGEST_WEBP = 60_000_000
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")


def decode(data: bytes) -> np.ndarray:
    """The picture's pixels: uint8, uint16 or float32 in 0..1, ``(H, W)``, upright as EXIF says.

    16-bit pictures keep their whole range unless they use less than 1/8 of it (12-bit films saved in 16 bits without
    scaling): then the brightest pixel is white.

    Raises:
        UnreadableFilm: no picture, damaged, too many pixels, or several pages.
    """
    if data[:2] == b"\xff\xd8" and data.count(b"\xff\xda") > MOST_SCANS:
        raise UnreadableFilm("damaged", "the JPEG file has more scans than any camera writes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of what is checked below
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                return _pixels(image)
        except UnidentifiedImageError as error:
            raise UnreadableFilm(
                "not_a_picture",
                f"the file is no picture that can be read (expected DICOM, {', '.join(FORMATS)})",
            ) from error
        except Image.DecompressionBombError as error:
            raise UnreadableFilm("too_large", "the picture declares more pixels than any film has") from error
        except OSError as error:
            raise UnreadableFilm("truncated", f"the picture is cut short or damaged: {one_line(error)}") from error


def _pixels(image: Image.Image) -> np.ndarray:
    largest = LARGEST_WEBP if image.format == "WEBP" else LARGEST_PICTURE
    if image.width * image.height > largest:
        raise UnreadableFilm(
            "too_large", f"the picture has {image.width} x {image.height} pixels; at most {largest:,} are read"
        )
    if getattr(image, "n_frames", 1) > 1 and image.format == "TIFF":
        raise UnreadableFilm("multi_frame", f"the file holds {image.n_frames} pictures; give one film a file")  # type: ignore[attr-defined]
    image.load()
    # A damaged EXIF block must not cost a readable picture.
    with contextlib.suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise UnreadableFilm("range", "the picture's values do not fit 16 bits")
        top = int(values.max())
        full = top if 0 < top < 8192 else 65535
        if image.format == "TIFF" and image.tag_v2.get(TIFF_PHOTOMETRIC) == 0:  # type: ignore[attr-defined]
            values = full - values  # WhiteIsZero, which Pillow turns in 8 bits only
        return values.astype(np.uint16) if full == 65535 else values.astype(np.float32) / np.float32(full)
    if image.mode == "F":
        return np.asarray(image)
    if not image.has_transparency_data:
        return np.asarray(image.convert("L"))
    # What is transparent shows black, like the dark around a film.
    coloured = image.convert("RGBA")
    grey = Image.new("L", image.size, 0)
    grey.paste(coloured.convert("L"), mask=coloured.getchannel("A"))
    return np.asarray(grey)
