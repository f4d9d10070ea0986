"""DICOM films, by pydicom: windowed (PS3.3 C.11.2), MONOCHROME1 turned, refused where the header rules out a chest."""

from __future__ import annotations

import io
import re
import warnings
import zlib
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
from PIL import Image
from pydicom import config as pydicom_config
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.errors import InvalidDicomError
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, get_decoder, pixel_array
from pydicom.uid import (
    JPEG2000,
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    RLELossless,
)

from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs import lossless
from ai_for_sudan.radiographs.radiograph import (
    LARGEST_FILE,
    LARGEST_PICTURE,
    MOST_SCANS,
    Header,
    Radiograph,
    RefusedByHeader,
    Remark,
    luma,
    one_line,
    strips,
)

# Values outside the standard are met daily; they must not stop a reading.
pydicom_config.settings.reading_validation_mode = pydicom_config.IGNORE

RADIOGRAPHY = {"CR", "DX", "RG", "DR", "XR", "OT", "SC"}  # PS3.3 C.7.3.1.1.1, and two that devices invent
CHEST = re.compile("CHEST|THORAX|TORAX|LUNG|RIB|PULMO|^(UNKNOWN|OTHER|ANY|NONE|NA|UNDEFINED)?$")
#: GDCM ends the whole process on some damaged films (an exception that C++ never catches), so it is not used
ABORTING = {"gdcm"}
#: decoded at some 5 MB a second; a film of ten million pixels has 20 MB
SLOW = {RLELossless, JPEG2000Lossless, JPEG2000}
LARGEST_SLOW = 60_000_000
#: OpenJPEG holds four bytes and more of each sample
LARGEST_JPEG2000 = 100_000_000
#: reads of a film's header are some thousands; of its pixels, 8 kB at a time, 40,000 at most
MOST_READS = 200_000
JPEG_LOSSLESS = {JPEGLossless, JPEGLosslessSV1}
LARGEST_LOSSLESS = 30_000_000
DEFLATED = b"1.2.840.10008.1.2.1.99"
J2K_START = b"\xff\x4f\xff\x51"  # SOC, SIZ
JPEG_START = b"\xff\xd8\xff"
JPEG_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15, and JPEG-LS
LATERAL = re.compile("LAT|^(LL|RL|LLD|RLD)$")  # PS3.3 C.8.1.1 View Position, and as it is written by hand


class _Bounded(io.BytesIO):
    """A file that ends the reading of headers with millions of elements, which would take minutes."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > MOST_READS:
            raise UnreadableFilm("damaged", "the DICOM header has more elements than any film's")
        return super().read(size)


def decode(data: bytes) -> Radiograph:
    """Decode a DICOM file to what a workstation shows, stretched over the whole range of grey.

    Raises:
        RefusedByHeader: the header rules out a frontal chest film, and the pixels could not be decoded either.
        UnreadableFilm: no pixels, several frames, too many pixels, damaged, or no decoder for its transfer syntax.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _check_inflated_size(data)
        try:
            dataset = dcmread(_Bounded(data), force=True)
        except InvalidDicomError as error:
            raise UnreadableFilm("damaged", f"the DICOM header is damaged: {one_line(error)}") from error
        header = _header(dataset)
        refusals = tuple(_refusals(header))
        try:
            _check(dataset)
            grey = _grey(dataset)
        except UnreadableFilm as error:
            if refusals:
                raise RefusedByHeader(refusals) from error
            raise
    pixels, contradictions = _bone_white(grey, header.photometric)
    return Radiograph(pixels, header, refusals, tuple(contradictions))


def _check_inflated_size(data: bytes) -> None:
    """A deflated file (PS3.5 A.5) may grow without bound when it is opened: measure it first."""
    meta_end = 144 + int.from_bytes(data[140:144], "little")  # (0002,0000) File Meta Information Group Length
    if DEFLATED not in data[132 : max(meta_end, 4096)]:
        return
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflater.decompress(data[meta_end:], LARGEST_FILE)
    except zlib.error as error:
        raise UnreadableFilm("damaged", f"the deflated DICOM file is damaged: {one_line(error)}") from error
    if inflater.unconsumed_tail:
        raise UnreadableFilm("too_large", f"the DICOM file grows beyond {LARGEST_FILE / 1e6:.0f} MB when opened")


def _check(dataset: Dataset) -> None:
    """Refuse before anything is decoded or allocated."""
    if "PixelData" not in dataset:
        raise UnreadableFilm("no_pixels", "the DICOM file holds no picture (a report, or a header only)")
    frames = _number(dataset.get("NumberOfFrames", 1)) or 1
    if frames > 1:
        raise UnreadableFilm("multi_frame", f"the DICOM file holds {frames:.0f} frames; a film has one")
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
        if samples > 4:
            raise UnreadableFilm("damaged", f"{words} {samples:.0f} samples a pixel; a film has one or three")
    syntax = _syntax(dataset)
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
    if syntax in JPEG_LOSSLESS and width * height > LARGEST_LOSSLESS:
        text = f"a film of {width:.0f} x {height:.0f} pixels in {syntax.name}; at most {LARGEST_LOSSLESS:,} are read"
        raise UnreadableFilm("too_large", text)
    if width * height * samples * (_number(dataset.get("BitsAllocated")) or 8) / 8 > LARGEST_FILE:
        raise UnreadableFilm("too_large", f"the header declares more than {LARGEST_FILE / 1e6:.0f} MB of pixels")


def _syntax(dataset: Dataset) -> UID:
    """The transfer syntax; without a meta header (PS3.5 10.1) the one that was found by reading, which is filled in."""
    if not hasattr(dataset, "file_meta") or not dataset.file_meta.get("TransferSyntaxUID"):
        dataset.ensure_file_meta()
        implicit, little = dataset.original_encoding
        found = ImplicitVRLittleEndian if implicit is not False else ExplicitVRLittleEndian
        dataset.file_meta.TransferSyntaxUID = found if little is not False else ExplicitVRBigEndian
    return UID(dataset.file_meta.TransferSyntaxUID)


def _coded_size(dataset: Dataset) -> tuple[int, int, int] | None:
    """Width, height and components that a JPEG or JPEG 2000 stream declares; they may contradict the header."""
    data = dataset.PixelData
    if not isinstance(data, bytes):
        raise UnreadableFilm("damaged", "the DICOM file's pixels are no bytes")
    if not _syntax(dataset).is_encapsulated:
        return None
    start = data.find(J2K_START, 0, 4096)
    if start >= 0:  # ISO 15444-1 A.5.1: marker, length, capabilities, Xsiz, Ysiz, offsets, tiles, Csiz
        size = data[start + 8 : start + 42]
        return int.from_bytes(size[:4], "big"), int.from_bytes(size[4:8], "big"), int.from_bytes(size[32:34], "big")
    at = data.find(JPEG_START, 0, 4096) + 2
    if at >= 2 and data.count(b"\xff\xda") > MOST_SCANS:
        raise UnreadableFilm("damaged", "the compressed picture has more scans than any device writes")
    while at >= 2 and data[at : at + 1] == b"\xff" and at + 10 < len(data):  # ISO 10918-1 B.1.1.4
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in JPEG_FRAMES:
            return (
                int.from_bytes(data[at + 7 : at + 9], "big"),
                int.from_bytes(data[at + 5 : at + 7], "big"),
                data[at + 9],
            )
        at += 2 + length
    return None


def _grey(dataset: Dataset) -> np.ndarray:
    """Grey values as they are to be shown, uint8 ``(H, W)``, not yet turned bone white."""
    values = _stored(dataset)
    photometric = str(dataset.get("PhotometricInterpretation", "MONOCHROME2")).strip().upper()
    if values.ndim == 3 and values.shape[2] in (3, 4):
        # YBR_FULL: its first sample is the luma. JPEG 2000 (YBR_RCT, YBR_ICT) is turned to RGB by its decoder.
        if photometric.startswith("YBR_FULL"):
            return _stretched(values[..., 0])
        return _stretched(values, luma)
    if values.ndim != 2:
        raise UnreadableFilm("shape", f"the DICOM file holds pixels of shape {values.shape}; a film has two sides")
    if photometric == "PALETTE COLOR":
        return _through_table(values, lambda stored: luma(apply_color_lut(stored[None], dataset))[0])
    return _through_table(values, lambda stored: _windowed(stored, dataset))


def _stored(dataset: Dataset) -> np.ndarray:
    """The stored values, by the first decoder that can be trusted with damaged films and succeeds."""
    syntax = _syntax(dataset)
    if syntax in JPEG_LOSSLESS and dataset.get("SamplesPerPixel") == 1:
        return _stored_lossless(dataset)
    plugins: tuple[str, ...] = ("",)
    if syntax.is_encapsulated:
        try:
            plugins = tuple(name for name in get_decoder(syntax).available_plugins if name not in ABORTING)
        except NotImplementedError:
            plugins = ()
    if not plugins:
        raise UnreadableFilm(
            "no_decoder",
            f"the film is compressed as {syntax.name}, for which no decoder is installed; "
            'try pip install "ai-for-sudan[dicom]", or save the film uncompressed',
        )
    problem = ""
    for plugin in plugins:
        try:
            return pixel_array(dataset, raw=True, decoding_plugin=plugin)
        except MemoryError:
            raise
        except Exception as error:  # each decoder raises its own kinds
            problem = problem or one_line(error)
    raise UnreadableFilm("truncated", f"the film's pixels are cut short or damaged: {problem}")


def _stored_lossless(dataset: Dataset) -> np.ndarray:
    try:
        values = lossless.decode(get_frame(dataset.PixelData, 0, number_of_frames=1))
    except ValueError as error:
        raise UnreadableFilm("truncated", f"the film's pixels are cut short or damaged: {one_line(error)}") from error
    if values.shape != (dataset.Rows, dataset.Columns):
        raise UnreadableFilm("damaged", "the size of the compressed picture contradicts the DICOM header")
    if dataset.get("PixelRepresentation") != 1:
        return values
    unused = 16 - int(dataset.BitsStored)
    return (values << unused).astype(np.int16) >> unused  # two's complement of fewer bits (PS3.5 8.1.1)


def _windowed(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    try:
        return np.asarray(apply_voi_lut(apply_modality_lut(stored, dataset), dataset), dtype=np.float32)
    except Exception:  # a window that is nonsense (width 0, a text): the stored values are shown over their whole range
        return stored.astype(np.float32)


def _through_table(values: np.ndarray, shown: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """``shown`` is computed once for each stored value, not once for each pixel: faster, and a film stays small."""
    low, high = int(values.min()), int(values.max())
    if values.dtype.kind == "f" or high - low > 1 << 17:
        return _stretched(values)  # 32 bits (dose maps and the like): over their whole range
    counts = np.zeros(high - low + 1, dtype=bool)
    for rows in strips(*values.shape):
        counts[values[rows].astype(np.int64) - low] = True
    stored = np.flatnonzero(counts) + low
    table = np.zeros(len(counts), dtype=np.uint8)
    kind = values.dtype if values.dtype.kind in "iu" else np.int64
    table[stored - low] = _stretched(shown(stored.astype(kind))[None])[0]
    grey = np.empty(values.shape, dtype=np.uint8)
    for rows in strips(*values.shape):
        grey[rows] = table[values[rows].astype(np.int64) - low]
    return grey


def _stretched(values: np.ndarray, to_grey: Callable[[np.ndarray], np.ndarray] | None = None) -> np.ndarray:
    """Values of any range ``(H, W)`` (or what ``to_grey`` makes of them) -> uint8 over 0..255."""
    low, high = np.inf, -np.inf
    for rows in strips(*values.shape[:2]):
        strip = to_grey(values[rows]) if to_grey else values[rows]
        low, high = min(low, float(strip.min())), max(high, float(strip.max()))
    if not np.isfinite([low, high]).all():
        raise UnreadableFilm("not_finite", "the film holds values that are no numbers (NaN or infinite)")
    grey = np.zeros(values.shape[:2], dtype=np.uint8)
    if high > low:
        for rows in strips(*values.shape[:2]):
            strip = to_grey(values[rows]) if to_grey else values[rows]
            grey[rows] = (strip.astype(np.float64) - low) * (255 / (high - low)) + 0.5
    return grey


def _bone_white(grey: np.ndarray, photometric: str | None) -> tuple[np.ndarray, list[Remark]]:
    """Turn MONOCHROME1, unless the pixels contradict it.

    A header that says MONOCHROME1 for pixels that are already bone white (as some converters write) would turn the film
    into its negative.
    """
    if photometric == "MONOCHROME1":
        turned = 255 - grey
        if not _looks_negative(turned):
            return turned, []
        return grey, [("header_contradicts_pixels", "the header says MONOCHROME1, but the film is bone white as it is")]
    if photometric == "MONOCHROME2" and _looks_negative(grey):
        return grey, [("header_contradicts_pixels", "the header says MONOCHROME2, but the film looks like a negative")]
    return grey, []


def _looks_negative(film: np.ndarray) -> bool:
    """Whether spine and heart are darker than the lungs and the air above the shoulders.

    On films of 652 children and 295 adults the sum of both contrasts lies between 0.03 and 1.2 of the film's range, so
    that its negative has -0.03 at most; doubtful films (-0.1 and above) are taken as their header says.
    """
    small = np.asarray(Image.fromarray(film).resize((64, 64), Image.Resampling.BILINEAR), dtype=np.float32)
    middle = small[16:42, 28:36].mean()
    lungs = (small[16:42, 10:22].mean() + small[16:42, 42:54].mean()) / 2
    above = (small[:8, :8].mean() + small[:8, -8:].mean()) / 2
    return bool((middle - lungs) + (middle - above) < -0.1 * np.ptp(small))


def _header(dataset: Dataset) -> Header:
    def text(keyword: str) -> str | None:
        # A damaged header may run on into names and control characters; a Code String (PS3.5 6.2) has 16 at most.
        value = re.sub(r"[^\x20-\x7e]+", " ", str(dataset.get(keyword, "") or "")).strip().upper()
        return value[:16].strip() or None

    return Header(
        modality=text("Modality"),
        body_part=text("BodyPartExamined"),
        view=text("ViewPosition") or _coded_view(dataset),
        laterality=text("ImageLaterality") or text("Laterality"),
        sex=text("PatientSex"),
        age_years=_age(text("PatientAge"), text("PatientBirthDate"), text("StudyDate")),
        photometric=text("PhotometricInterpretation"),
        study_date=_date(text("StudyDate") or text("AcquisitionDate")),
        institution=str(dataset.get("InstitutionName", "") or "").strip() or None,
    )


def _coded_view(dataset: Dataset) -> str | None:
    """The meaning of View Code Sequence (PS3.3 C.8.11.5), where a digital radiograph has no View Position."""
    try:
        return str(dataset.ViewCodeSequence[0].CodeMeaning).strip().upper()[:64] or None
    except (AttributeError, IndexError, TypeError):
        return None


def _refusals(header: Header) -> list[Remark]:
    found: list[Remark] = []
    if header.modality and header.modality not in RADIOGRAPHY:
        found.append(("header_modality", f"the header says modality {header.modality}, not a radiograph"))
    if header.body_part and not CHEST.search(re.sub(r"[^A-Z]", "", header.body_part)):
        found.append(("header_body_part", f"the header says body part {header.body_part}, not a chest"))
    if header.view and LATERAL.search(header.view):
        found.append(("header_view", f"the header says view {header.view}, not a frontal film"))
    return found


def _age(age: str | None, born: str | None, examined: str | None) -> float | None:
    """In years, from an Age String (PS3.5 6.2, VR AS: nnnD, nnnW, nnnM, nnnY), or else from the two dates."""
    match = re.fullmatch(r"(\d{1,3})([DWMY])", age or "")
    if match:
        return int(match[1]) * {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}[match[2]]
    try:
        days = (date.fromisoformat(_date(examined) or "") - date.fromisoformat(_date(born) or "")).days
    except ValueError:
        return None
    return days / 365.25 if 0 <= days < 120 * 365.25 else None  # others are made up, to hide who it is


def _date(text: str | None) -> str | None:
    """Date (PS3.5 6.2, VR DA): YYYYMMDD -> YYYY-MM-DD."""
    match = re.fullmatch(r"(\d{4})(\d{2})(\d{2})", text or "")
    return "-".join(match.groups()) if match else None


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
