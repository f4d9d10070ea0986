"""The picture: the film with heatmap, outline of the lungs and the answer burned in, for every viewer there is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, SecondaryCaptureImageStorage

from ai_for_sudan.clinic.arrays import unpacked
from ai_for_sudan.clinic.results import arabic
from ai_for_sudan.clinic.results.identifiers import Names, Source, coded, file_of, referred, result_of
from ai_for_sudan.clinic.store.tables import FilmReading
from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.pages import percent
from ai_for_sudan.radiographs import read_radiograph
from ai_for_sudan.reading import DISCLAIMER
from ai_for_sudan.reading.overlay import paint, reduced
from ai_for_sudan.reading.words import ARABIC_DISCLAIMER, HEATMAP_WORDS, said_in_arabic, said_of

LARGEST_SIDE, SMALLEST_WIDTH = 1024, 480
QUALITY = 90
GROUND, INK = (16, 24, 29), (232, 238, 241)
#: a bar of this colour stands before the answer
COLOURS = {
    "suspected": (226, 74, 51),
    "uncertain": (240, 180, 41),
    "refused": (140, 150, 158),
    "not_seen": (70, 160, 110),
}


def secondary_capture(
    source: Source, reading: FilmReading, names: Names, film: np.ndarray, language: str = "en"
) -> bytes:
    """The picture as a Secondary Capture (PS3.3 A.8.1), as a file, JPEG-compressed: it is not a measurement.

    Args:
        film: uint8 ``(H, W)``.
        language: of the clinic; in Arabic, answer and disclaimer stand there in both languages.
    """
    capture = result_of(source, reading, names, "sc", reading.read_at)
    capture.SOPClassUID, capture.Modality, capture.ConversionType = SecondaryCaptureImageStorage, "OT", "DI"
    capture.ImageType = ["DERIVED", "SECONDARY"]
    capture.ImageComments = f"{answer(reading)[0]}. {DISCLAIMER}"[:10240]
    capture.DateOfSecondaryCapture, capture.TimeOfSecondaryCapture = capture.ContentDate, capture.ContentTime
    capture.DerivationDescription = "Film with heatmap and reading of a computer reader burned in"
    capture.DerivationCodeSequence = [coded(("113076", "DCM", "Segmentation"))]
    origin = referred(source.film.sop_class, source.film.sop_uid)
    origin.PurposeOfReferenceCodeSequence = [coded(("121322", "DCM", "Source image for image processing operation"))]
    capture.SourceImageSequence = [origin]
    capture.PatientOrientation = ["L", "F"]
    capture.Laterality = ""  # both sides are shown
    capture.BurnedInAnnotation = "NO"  # none that tells who the patient is (PS3.3 C.7.6.1.1)
    capture.SamplesPerPixel, capture.PhotometricInterpretation, capture.PlanarConfiguration = 3, "YBR_FULL_422", 0
    capture.BitsAllocated, capture.BitsStored, capture.HighBit, capture.PixelRepresentation = 8, 8, 7, 0
    capture.LossyImageCompression, capture.LossyImageCompressionMethod = "01", "ISO_10918_1"
    _put(capture, picture(film, reading, language))
    return file_of(capture, JPEGBaseline8Bit)


def _put(capture: Dataset, picture: Image.Image) -> None:
    """Put a picture in, as JPEG baseline (PS3.5 A.4.1), which every viewer shows: small on a slow line."""
    file = BytesIO()
    picture.save(file, format="JPEG", quality=QUALITY, subsampling="4:2:2")
    content = file.getvalue()
    ratio = 3 * picture.width * picture.height / len(content)
    capture.Rows, capture.Columns = picture.height, picture.width
    capture.LossyImageCompressionRatio = f"{ratio:.2f}"
    capture.add(DataElement("PixelData", "OB", encapsulate([content]), is_undefined_length=True))


def answer(reading: FilmReading) -> tuple[str, list[str]]:
    """The answer in one line, and what belongs to it."""
    first = said_of(reading.status, reading.side).capitalize()
    lines = []
    if reading.probability is not None and reading.status != "refused":
        lines.append(
            f"probability {percent(reading.probability, reading.threshold)}, "
            f"suspected from {percent(reading.threshold, reading.probability)} ({reading.operating_point})"
        )
        if reading.right_lung is not None and reading.left_lung is not None:
            lines.append(f"right lung {percent(reading.right_lung)}, left lung {percent(reading.left_lung)}")
    lines += [*reading.reasons, *(warning[-1] for warning in reading.warnings)]
    return first, lines


def decoded(film: Path) -> np.ndarray:
    """A film's pixels; one that cannot be decoded any more is black beside its answer."""
    try:
        return read_radiograph(film).pixels
    except UnreadableFilm:
        return np.zeros((LARGEST_SIDE // 2, LARGEST_SIDE // 2), dtype=np.uint8)


def picture(pixels: np.ndarray, reading: FilmReading, language: str = "en") -> Image.Image:
    """The film, uint8 ``(H, W)``, with heatmap and outline above, the answer below; RGBX."""
    heatmap = np.zeros((1, 1)) if reading.heatmap is None or reading.status == "refused" else unpacked(reading.heatmap)
    lungs = None if reading.lungs is None else unpacked(reading.lungs).astype(np.float32) / 255
    film = reduced(pixels, LARGEST_SIDE)
    height, width = film.shape
    below = np.asarray(_words(reading, language, max(width, SMALLEST_WIDTH)).convert("RGBX")).view(np.uint32)[..., 0]
    framed = np.full((height + below.shape[0], below.shape[1]), below[-1, -1])  # which is the ground
    left = (framed.shape[1] - width) // 2
    paint(framed[:height, left : left + width], film, heatmap, reading.heatmap_reference, lungs)
    framed[height:] = below
    return Image.frombuffer("RGBX", framed.shape[::-1], framed, "raw", "RGBX", 0, 1)


def _words(reading: FilmReading, language: str, width: int) -> Image.Image:
    """The answer in rows."""
    size = max(14, width // 42)
    large = round(1.5 * size)
    first, lines = answer(reading)
    local = reading.read_at.astimezone()
    lines = [
        *lines,
        f"colour: {HEATMAP_WORDS}" if reading.heatmap is not None and reading.status != "refused" else "",
        f"reader {reading.reader}, {local:%Y-%m-%d %H:%M} ({local:%z}); not verified by a person",
    ]
    margin = size
    available = width - 3 * margin
    step, big_step = round(1.45 * size), round(2.1 * size)
    rows = [
        *_rows(first, _font(large), big_step, available),
        *(row for line in lines if line for row in _rows(line, _font(size), step, available)),
        *_rows(DISCLAIMER, _font(large), big_step, available),
    ]
    if language == "ar":
        rows[:0] = _rows(said_in_arabic(reading.status, reading.side), arabic.font(large), big_step, available)
        rows += _rows(ARABIC_DISCLAIMER, arabic.font(large), big_step, available)
    strip = Image.new("RGB", (width, 2 * margin + sum(row.high for row in rows)), GROUND)
    strip.paste(COLOURS.get(reading.status, INK), (0, 0, margin // 2, strip.height))
    top = margin
    for row in rows:
        strip.paste(INK, (round(1.5 * margin), top), _drawn(row, available))
        top += row.high
    return strip


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


@dataclass(frozen=True)
class _Row:
    """A row of text as it is drawn."""

    text: str
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont
    high: int

    @property
    def arabic(self) -> bool:
        return any("\ufe70" <= letter <= "\ufeff" for letter in self.text)


@lru_cache(maxsize=64)
def _drawn(row: _Row, width: int) -> Image.Image:
    """A row of text as a mask, L: most rows stand below every film."""
    mask = Image.new("L", (width, 2 * row.high))  # Arabic letters reach into the row below
    at, anchor = ((width, 0), "ra") if row.arabic else ((0, 0), "la")
    ImageDraw.Draw(mask).text(at, row.text, font=row.font, fill=255, anchor=anchor)
    return mask


@lru_cache(maxsize=64)
def _rows(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, high: int, width: int) -> tuple[_Row, ...]:
    """A text in rows that fit."""
    shape = arabic.shaped if arabic.is_arabic(text) else str
    rows = [""]
    for word in text.split():
        longer = f"{rows[-1]} {word}".strip()
        if rows[-1] and font.getlength(shape(longer)) > width:
            rows.append(word)
        else:
            rows[-1] = longer
    return tuple(_Row(shape(row), font, high) for row in rows)
