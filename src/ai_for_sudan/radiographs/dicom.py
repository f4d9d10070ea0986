"""DICOM films, by pydicom: windowed (PS3.3 C.11.2), MONOCHROME1 turned, refused where the header rules out a chest."""

from __future__ import annotations

import io
import re
import warnings
from typing import Any

import numpy as np
from pydicom import config as pydicom_config
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, convert_color_space, pixel_array
from pydicom.uid import UID

from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs.radiograph import LARGEST_PICTURE, Header, Radiograph, Remark

# Values outside the standard are met daily; they must not stop a reading.
pydicom_config.settings.reading_validation_mode = pydicom_config.IGNORE

RADIOGRAPHY = {"CR", "DX", "RG", "DR", "XR", "OT", "SC"}  # PS3.3 C.7.3.1.1.1, and two that devices invent
CHEST = {"CHEST", "THORAX", "LUNG", "TORAX", "CHESTABDOMEN", "RIB", "RIBS", ""}
LATERAL_VIEWS = {"LL", "RL", "LAT", "LATERAL", "LLD", "RLD"}  # PS3.3 C.8.1.1 View Position


def decode(data: bytes) -> Radiograph:
    """Decode a DICOM file to what a workstation shows.

    Raises:
        UnreadableFilm: no pixels, several frames, too many pixels, damaged, or no decoder for its transfer syntax.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = dcmread(io.BytesIO(data), force=True)
        except InvalidDicomError as error:
            raise UnreadableFilm("damaged", f"the DICOM header is damaged: {error}") from error
        _check(dataset)
        header = _header(dataset)
        values = _pixels(dataset)
    pixels, warning = _bone_white(values, header.photometric)
    return Radiograph(pixels, header, tuple(_refusals(header)), tuple(warning))


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
    if rows * columns > LARGEST_PICTURE:
        raise UnreadableFilm(
            "too_large", f"the header declares {columns:.0f} x {rows:.0f} pixels; at most {LARGEST_PICTURE:,} are read"
        )


def _pixels(dataset: Dataset) -> np.ndarray:
    """Display values ``(H, W)``, of any range."""
    syntax = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    if syntax is None:
        # PS3.5 10.1: without a meta header the default is implicit VR little endian, or what was found by reading.
        dataset.ensure_file_meta()
        explicit = dataset.original_encoding[0] is False
        syntax = UID("1.2.840.10008.1.2.1" if explicit else "1.2.840.10008.1.2")
        dataset.file_meta.TransferSyntaxUID = syntax
    try:
        values = pixel_array(dataset, raw=True)
    except MemoryError:
        raise
    except Exception as error:  # each decoder raises its own kinds
        text = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        if "missing dependencies" in str(error) or "no available" in str(error).lower():
            raise UnreadableFilm(
                "no_decoder", f"there is no decoder for {UID(syntax).name}; save the film uncompressed or as JPEG"
            ) from error
        raise UnreadableFilm("truncated", f"the film's pixels are cut short or damaged: {text}") from error
    photometric = str(dataset.get("PhotometricInterpretation", "MONOCHROME2")).strip().upper()
    if photometric == "PALETTE COLOR":
        return _luma(apply_color_lut(values, dataset))
    if values.ndim == 3:
        # JPEG 2000 (YBR_RCT, YBR_ICT) is turned to RGB by its decoder.
        if photometric.startswith("YBR_FULL") and values.dtype == np.uint8:
            values = convert_color_space(values, photometric, "RGB")
        return _luma(values)
    try:
        return np.asarray(apply_voi_lut(apply_modality_lut(values, dataset), dataset), dtype=np.float32)
    except Exception:  # a window that is nonsense (width 0, a text): the raw values are shown over their whole range
        return values.astype(np.float32)


def _luma(colour: np.ndarray) -> np.ndarray:
    return colour[..., :3].astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)


def _bone_white(values: np.ndarray, photometric: str | None) -> tuple[np.ndarray, list[Remark]]:
    """Stretch display values over 0..255 and turn MONOCHROME1, unless its corners contradict it.

    Around a patient lies air: the border of a film is dark when bone is white. A header that says MONOCHROME1 for
    pixels that are already bone white (as some converters write) would turn the film into its negative.
    """
    if not np.isfinite(values).all():
        raise UnreadableFilm("not_finite", "the film holds values that are no numbers (NaN or infinite)")
    low, high = float(values.min()), float(values.max())
    scaled = (values - low) / (high - low) if high > low else np.zeros_like(values)
    warning: list[Remark] = []
    if photometric == "MONOCHROME1":
        if _air_is_dark(scaled):
            warning.append(
                ("header_contradicts_pixels", "the header says MONOCHROME1, but the film is bone white as it is")
            )
        else:
            scaled = 1 - scaled
    elif photometric == "MONOCHROME2" and high > low and _air_is_dark(1 - scaled):
        warning.append(("header_contradicts_pixels", "the header says MONOCHROME2, but the film looks like a negative"))
    return (scaled * 255 + 0.5).astype(np.uint8), warning


def _air_is_dark(film: np.ndarray) -> bool:
    """Whether the border is far darker than the middle, by medians, for values in 0..1."""
    height, width = film.shape
    edge_y, edge_x = max(1, height // 25), max(1, width // 25)
    sides = [film[:, :edge_x], film[:, -edge_x:], film[:edge_y, :edge_x], film[:edge_y, -edge_x:]]
    border = np.median(np.concatenate([side.ravel() for side in sides]))
    middle = np.median(film[height // 4 : -(height // 4) or None, width // 4 : -(width // 4) or None])
    return bool(border < 0.25 and middle - border > 0.2)


def _header(dataset: Dataset) -> Header:
    def text(keyword: str) -> str | None:
        value = str(dataset.get(keyword, "") or "").strip().upper()
        return value or None

    return Header(
        modality=text("Modality"),
        body_part=text("BodyPartExamined"),
        view=text("ViewPosition"),
        sex=text("PatientSex"),
        age_years=_age(text("PatientAge")),
        photometric=text("PhotometricInterpretation"),
    )


def _refusals(header: Header) -> list[Remark]:
    found: list[Remark] = []
    if header.modality and header.modality not in RADIOGRAPHY:
        found.append(("header_modality", f"the header says modality {header.modality}, not a radiograph"))
    if header.body_part and re.sub(r"[^A-Z]", "", header.body_part) not in CHEST:
        found.append(("header_body_part", f"the header says body part {header.body_part}, not a chest"))
    if header.view and header.view in LATERAL_VIEWS:
        found.append(("header_view", f"the header says view {header.view}, not a frontal film"))
    return found


def _age(text: str | None) -> float | None:
    """Age String (PS3.5 6.2, VR AS): nnnD, nnnW, nnnM, nnnY."""
    match = re.fullmatch(r"(\d{1,3})([DWMY])", text or "")
    if not match:
        return None
    return int(match[1]) * {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}[match[2]]


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
