"""The picture: the film with heatmap, outline of the lungs and the answer burned in, for every viewer there is."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from highdicom.sc import SCImage
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import JPEGBaseline8Bit

from ai_for_sudan import __version__
from ai_for_sudan.clinic.arrays import unpacked
from ai_for_sudan.clinic.results.evidence import MANUFACTURER, SERIES_NUMBERS, Names
from ai_for_sudan.clinic.store.tables import FilmReading
from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs import read_radiograph
from ai_for_sudan.reading import DISCLAIMER
from ai_for_sudan.reading.overlay import enlarge, overlay
from ai_for_sudan.reading.words import HEATMAP_WORDS, STATUS_WORDS

LARGEST_SIDE = 1024
QUALITY = 90
GROUND, INK, OUTLINE = (16, 24, 29), (232, 238, 241), (94, 200, 255)
#: a bar of this colour stands before the answer
COLOURS = {
    "suspected": (226, 74, 51),
    "uncertain": (240, 180, 41),
    "refused": (140, 150, 158),
    "not_seen": (70, 160, 110),
}


def secondary_capture(header: Dataset, film: Path, reading: FilmReading, names: Names) -> Dataset:
    """The picture as a Secondary Capture (PS3.3 A.8.1), JPEG-compressed: a film with colours is no measurement."""
    pixels = np.asarray(picture(film, reading))
    capture = SCImage(
        pixel_array=pixels,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),
        study_instance_uid=header.StudyInstanceUID,
        series_instance_uid=names.series,
        series_number=SERIES_NUMBERS["sc"],
        sop_instance_uid=names.sop,
        instance_number=1,
        manufacturer=MANUFACTURER,
        patient_id=header.PatientID or "",
        patient_name=header.PatientName,
        patient_birth_date=header.PatientBirthDate or None,
        patient_sex=header.PatientSex or None,
        accession_number=header.AccessionNumber,
        study_id=header.StudyID,
        study_date=header.StudyDate or None,
        study_time=header.StudyTime or None,
        referring_physician_name=header.ReferringPhysicianName or "",
        manufacturer_model_name="ai-for-sudan",
        software_versions=__version__,
        device_serial_number=reading.reader_file[:16],
    )
    _compress(capture, pixels)
    capture.ImageType = ["DERIVED", "SECONDARY"]
    capture.SeriesDescription = f"AI for Sudan: picture of {reading.reader}"[:64]
    capture.DerivationDescription = "Film with heatmap and answer of a computer reader burned in"
    capture.ImageComments = f"{answer(reading)[0]}. {DISCLAIMER}"[:10240]
    capture.Laterality = ""  # both sides are shown
    capture.BurnedInAnnotation = "NO"  # none that tells who the patient is (PS3.3 C.7.6.1.1)
    source = Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
    source.PurposeOfReferenceCodeSequence = Sequence(
        [_code("121322", "DCM", "Source image for image processing operation")]
    )
    capture.SourceImageSequence = Sequence([source])
    capture.DerivationCodeSequence = Sequence([_code("113076", "DCM", "Segmentation")])
    for keyword in ("SpecificCharacterSet", "IssuerOfPatientID", "PatientAge", "StudyDescription"):
        if keyword in header:
            capture[keyword] = header[keyword]
    return capture


def _compress(capture: Dataset, pixels: np.ndarray) -> None:
    """To JPEG baseline (PS3.5 A.4.1), which every viewer shows: an eighth of the size on a slow line."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="JPEG", quality=QUALITY, subsampling="4:2:2")
    content = file.getvalue()
    ratio = pixels.nbytes / len(content)
    capture.PixelData = encapsulate([content])
    capture["PixelData"].VR = "OB"
    capture["PixelData"].is_undefined_length = True
    capture.PhotometricInterpretation = "YBR_FULL_422"
    capture.PlanarConfiguration = 0
    capture.LossyImageCompression = "01"
    capture.LossyImageCompressionRatio = f"{ratio:.2f}"
    capture.LossyImageCompressionMethod = "ISO_10918_1"
    capture.file_meta.TransferSyntaxUID = JPEGBaseline8Bit


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def answer(reading: FilmReading) -> tuple[str, list[str]]:
    """The answer in one line, and what belongs to it."""
    first = STATUS_WORDS[reading.status].capitalize()
    lines = []
    if reading.probability is not None and reading.status != "refused":
        lines.append(
            f"probability {reading.probability:.2f}, threshold {reading.threshold:.2f} ({reading.operating_point})"
        )
    lines += [*reading.reasons, *(warning[-1] for warning in reading.warnings)]
    return first, lines


def picture(film: Path, reading: FilmReading) -> Image.Image:
    """The film with heatmap and outline above, the answer below; RGB."""
    try:
        pixels = read_radiograph(film).pixels
    except UnreadableFilm:
        pixels = np.zeros((LARGEST_SIDE // 2, LARGEST_SIDE // 2), dtype=np.uint8)
    if reading.heatmap is not None and reading.status != "refused":
        heat = unpacked(reading.heatmap).astype(np.float32)
        shown = overlay(pixels, heat, reading.heatmap_reference, largest_side=LARGEST_SIDE)
    else:
        grey = Image.fromarray(pixels)
        grey.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.BILINEAR)
        shown = grey.convert("RGB")
    if reading.lungs is not None:
        _outline(shown, unpacked(reading.lungs))
    return _with_answer(shown, reading)


def _outline(shown: Image.Image, lungs: np.ndarray) -> None:
    """Draw where the lungs end: the pixels at which their mask changes."""
    inside = enlarge(lungs.astype(np.float32), shown.height, shown.width) >= 127.5
    edge = np.zeros_like(inside)
    edge[1:] |= inside[1:] != inside[:-1]
    edge[:, 1:] |= inside[:, 1:] != inside[:, :-1]
    edge[:-1] |= edge[1:]
    shown.paste(OUTLINE, mask=Image.fromarray(edge))


def _with_answer(shown: Image.Image, reading: FilmReading) -> Image.Image:
    width = max(shown.width, 480)
    size = max(14, width // 42)
    big, small = ImageFont.load_default(round(1.5 * size)), ImageFont.load_default(size)
    first, lines = answer(reading)
    local = reading.read_at.astimezone()
    lines = [
        *lines,
        f"colour: {HEATMAP_WORDS}" if reading.heatmap is not None and reading.status != "refused" else "",
        f"reader {reading.reader}, {local:%Y-%m-%d %H:%M} ({local:%z}); not verified by a person",
    ]
    margin = size
    wrapped = [row for line in lines if line for row in _wrap(line, small, width - 3 * margin)]
    warning = _wrap(DISCLAIMER, big, width - 3 * margin)
    heading = _wrap(first, big, width - 3 * margin)
    step, big_step = round(1.45 * size), round(2.1 * size)
    height = 2 * margin + big_step * (len(heading) + len(warning)) + step * len(wrapped)
    framed = Image.new("RGB", (width, shown.height + height), GROUND)
    framed.paste(shown, ((width - shown.width) // 2, 0))
    draw = ImageDraw.Draw(framed)
    top = shown.height + margin
    draw.rectangle((0, shown.height, margin // 2, framed.height), fill=COLOURS.get(reading.status, INK))
    for rows, font, high in ((heading, big, big_step), (wrapped, small, step), (warning, big, big_step)):
        for row in rows:
            draw.text((1.5 * margin, top), row, font=font, fill=INK)
            top += high
    return framed


def _wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float) -> list[str]:
    rows = [""]
    for word in text.split():
        longer = f"{rows[-1]} {word}".strip()
        if rows[-1] and font.getlength(longer) > width:
            rows.append(word)
        else:
            rows[-1] = longer
    return rows
