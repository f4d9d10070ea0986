"""PNG, JPEG, BMP, TIFF and WebP, by Pillow."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs.radiograph import LARGEST_PICTURE

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")


def decode(data: bytes) -> np.ndarray:
    """The picture's pixels: uint8 ``(H, W)``, or uint8/float32 as its depth asks for, upright as EXIF says.

    16-bit pictures keep their whole range unless they use less than 1/8 of it (12-bit films saved in 16 bits without
    scaling): then the brightest pixel is white.

    Raises:
        UnreadableFilm: no picture, damaged, too many pixels, or several pages.
    """
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
            raise UnreadableFilm("truncated", f"the picture is cut short or damaged: {error}") from error


def _pixels(image: Image.Image) -> np.ndarray:
    if image.width * image.height > LARGEST_PICTURE:
        raise UnreadableFilm(
            "too_large", f"the picture has {image.width} x {image.height} pixels; at most {LARGEST_PICTURE:,} are read"
        )
    if getattr(image, "n_frames", 1) > 1 and image.format == "TIFF":
        raise UnreadableFilm("multi_frame", f"the file holds {image.n_frames} pictures; give one film a file")  # type: ignore[attr-defined]
    image.load()
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise UnreadableFilm("range", "the picture's values do not fit 16 bits")
        top = int(values.max())
        if 0 < top < 8192:
            return values.astype(np.float32) / top
        return values.astype(np.uint16)
    if image.mode == "F":
        return np.asarray(image)
    upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        # What is transparent shows black, like the dark around a film.
        upright = upright.convert("RGBA")
        ground = Image.new("RGBA", upright.size, (0, 0, 0, 255))
        upright = Image.alpha_composite(ground, upright)
    return np.asarray(upright.convert("L"))
