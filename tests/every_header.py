"""DICOM films of every kind of header, drawn by a seed: small ones, and each by its number alone."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from dicom_film import as_bytes, dicom
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

SIDE = 64
SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless)
#: bits allocated, bits stored, high bit
BITS = ((8, 8, 7), (16, 10, 9), (16, 12, 11), (16, 12, 15), (16, 14, 13), (16, 16, 15))
PHOTOMETRICS = ("MONOCHROME2", "MONOCHROME1", "monochrome1", "MONOCHROME2 INVERSE", "MONOCHROME1 IDENTITY")
RESCALES = ("none", "usual", "offset", "fraction", "downwards", "empty", "zero")
WINDOWS = ("none", "narrow", "wide", "exact", "sigmoid", "several", "beside", "nan", "inf", "zero", "one", "empty")
TABLES = ("none", "modality", "voi", "voi 8 packed", "voi 8 words", "voi decreasing", "voi short", "modality unsigned")
PADDINGS = ("none", "none", "low", "range")
OVERLAYS = ("none", "none", "high bits")


def films(samples: Path) -> list[np.ndarray]:
    """Chest films, float ``(SIDE, SIDE)`` in 0..1, bone white."""
    found = []
    for name in ("normal_01", "pneumonia_01", "normal_03"):
        with Image.open(samples / f"{name}.png") as picture:
            found.append(np.asarray(picture.convert("L").resize((SIDE, SIDE)), dtype=float) / 255)
    return found


def draw(number: int, chests: list[np.ndarray]) -> tuple[bytes, dict[str, Any]]:
    """Return film ``number``: the file, and what was drawn for it. The same number gives the same film."""
    random = np.random.default_rng(number)
    pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE

    def one(choices: tuple[Any, ...]) -> Any:
        return choices[int(random.integers(len(choices)))]

    allocated, bits, high = one(BITS)
    signed = bool(random.integers(2)) and bits > 8
    kind = {
        "bits": f"{bits} of {allocated}, high bit {high}{', signed' if signed else ''}",
        "photometric": one(PHOTOMETRICS),
        "rescale": one(RESCALES),
        "window": one(WINDOWS),
        "table": one(TABLES),
        "padding": one(PADDINGS),
        "overlay": one(OVERLAYS) if allocated > bits == high + 1 else "none",
        "syntax": one(SYNTAXES),
    }
    if kind["syntax"] == RLELossless and (high >= bits or kind["overlay"] != "none"):
        kind["syntax"] = ExplicitVRLittleEndian  # pydicom compresses the stored bits only
    chest = chests[number % len(chests)]
    photometric, _, shape = kind["photometric"].partition(" ")
    inverse = shape == "INVERSE" or (photometric.upper() == "MONOCHROME1" and shape != "IDENTITY")
    if (kind["rescale"] == "downwards" and kind["table"] not in ("modality", "modality unsigned")) != inverse:
        chest = 1 - chest
    low = -(1 << bits - 1) if signed else 0
    span = (1 << bits) - 1
    values = np.rint(low + span * (0.1 + 0.8 * chest)).astype(np.int64)
    elements: dict[str, object] = {"BitsStored": bits, "HighBit": high, "PhotometricInterpretation": photometric}
    if shape:
        elements["PresentationLUTShape"] = shape
    _pad(kind["padding"], values, (low, span), elements)
    slope, intercept = _rescale(kind["rescale"], span, elements)
    table = None
    if kind["table"].startswith("modality"):
        table = _table(low, span, 16, signed=signed and kind["table"] == "modality")
        slope, intercept, ends = 1.0, 0.0, (0.0, 65535.0)
    else:
        ends = tuple(sorted((low * slope + intercept, (low + span) * slope + intercept)))
    _window(kind["window"], ends, elements)
    cells = (values & span) << (high + 1 - bits)
    if kind["overlay"] != "none":
        cells |= random.integers(0, 1 << allocated - bits, cells.shape) << bits
    film = dicom(cells.astype(np.uint8 if allocated == 8 else np.uint16), **elements)
    film.PixelRepresentation = int(signed)
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        if keyword in film:
            film[keyword].VR = "SS" if signed else "US"
    if table is not None:
        film.ModalityLUTSequence = Sequence([table])
    if kind["table"].startswith("voi"):
        film.VOILUTSequence = Sequence([_voi_table(kind["table"], ends)])
    if kind["syntax"] == RLELossless:
        film.PhotometricInterpretation = "MONOCHROME2"  # pydicom compresses what it knows
        film.compress(RLELossless)
        film.PhotometricInterpretation = photometric
    film.file_meta.TransferSyntaxUID = kind["syntax"]
    return as_bytes(film), kind


def _pad(kind: str, values: np.ndarray, ends: tuple[int, int], elements: dict[str, object]) -> None:
    low, span = ends
    if kind == "none":
        return
    elements["PixelPaddingValue"] = low
    values[:, :4] = low
    if kind == "range":
        elements["PixelPaddingRangeLimit"] = low + span // 100
        values[:, -4:] = low + span // 200


def _rescale(kind: str, span: int, elements: dict[str, object]) -> tuple[float, float]:
    """The rescale that the header names, and the one that counts."""
    named: dict[str, tuple[Any, Any]] = {
        "usual": ("1", "0"),
        "offset": ("2", "-1024"),
        "fraction": ("0.25", "-3.5"),
        "downwards": ("-1", str(span)),
        "empty": ("", ""),
        "zero": ("0", "0"),
    }
    if kind == "none":
        return 1.0, 0.0
    elements["RescaleSlope"], elements["RescaleIntercept"] = named[kind]
    slope, intercept = named[kind]
    return (1.0, 0.0) if kind in ("empty", "zero") else (float(slope), float(intercept))


def _window(kind: str, ends: tuple[float, ...], elements: dict[str, object]) -> None:
    low, high = ends
    middle, span = round((low + high) / 2, 1), round(high - low, 1)
    named: dict[str, tuple[Any, Any]] = {
        "narrow": (middle, max(2, span // 2)),
        "wide": (middle, 2 * span),
        "exact": (middle, max(2, span // 2)),
        "sigmoid": (middle, span),
        "several": ([middle, low], [max(2, span // 2), 5]),
        "beside": (high + 3 * span, span),
        "nan": (middle, "NaN"),
        "inf": (middle, "inf"),
        "zero": (middle, 0),
        "one": (middle, 1),
        "empty": ("", ""),
    }
    if kind == "none":
        return
    elements["WindowCenter"], elements["WindowWidth"] = (
        [str(each) for each in value] if isinstance(value, list) else str(value) for value in named[kind]
    )
    if kind in ("exact", "sigmoid"):
        elements["VOILUTFunction"] = "LINEAR_EXACT" if kind == "exact" else "SIGMOID"


def _table(first: int, span: int, bits: int, *, signed: bool) -> Dataset:
    """A table of a cubic curve; its first value is declared unsigned even where it is negative, unless ``signed``."""
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if signed else "US", [0, 0, 0])
    count = (span + 1) & 0xFFFF
    numbers = struct.pack("<HHH", count, first & 0xFFFF, bits)
    item["LUTDescriptor"].value = list(struct.unpack("<hhh" if signed else "<HHH", numbers))
    curve = np.linspace(0, 1, span + 1) ** 3 * ((1 << bits) - 1)
    item.add_new("LUTData", "OW", np.rint(curve).astype("<u2").tobytes())
    return item


def _voi_table(kind: str, ends: tuple[float, ...]) -> Dataset:
    low, high = int(np.floor(ends[0])), int(np.ceil(ends[1]))
    span = min(65535, high - low)
    item = _table(low, span, 8 if " 8 " in kind else 12, signed=False)
    entries = np.frombuffer(item.LUTData, dtype="<u2")
    if kind == "voi 8 packed":
        packed = entries.astype(np.uint8).tobytes()
        item.LUTData = packed + bytes(len(packed) % 2)
    elif kind == "voi decreasing":
        item.LUTData = entries[::-1].tobytes()
    elif kind == "voi short":
        item.LUTData = item.LUTData[: len(entries)]
    return item
