"""The phone says what Python says: every DICOM file that pydicom ships, and every coding of several films with several
headers and ages, through Python and through the app's own TypeScript in Node, without a browser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_film import of_a_child
from framed_film import in_frame
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSLossless,
    RLELossless,
)

from ai_for_sudan import Reader

#: other programs are started
pytestmark = pytest.mark.slow

APP = Path(__file__).resolve().parent.parent.parent / "app"
#: between ONNX Runtime of Python and that of the app, and of one grey level that is rounded apart
APART = 1e-3


def write_film(path: Path, pixels: np.ndarray, syntax: str = ExplicitVRLittleEndian, **elements: Any) -> None:
    film = of_a_child(pixels, **elements)
    if syntax in (RLELossless, JPEGLSLossless, JPEG2000Lossless):
        film.compress(syntax)
    film.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        film.PixelData = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
        pydicom.dcmwrite(path, film, implicit_vr=False, little_endian=False, force_encoding=True)
    else:
        film.save_as(path, enforce_file_format=True)


def codings(name: str, pixels: np.ndarray) -> Iterator[tuple[str, np.ndarray, dict[str, Any]]]:
    deep = pixels.astype(np.uint16) * 15 + 100
    colour = np.stack([pixels, pixels // 2, 255 - pixels], axis=-1)
    rgb = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}
    window = {"WindowCenter": 2000, "WindowWidth": 1500}
    rescale = {"RescaleSlope": "2", "RescaleIntercept": "-1024", "WindowCenter": 3000, "WindowWidth": 3000}
    downwards = {"RescaleSlope": "-1", "RescaleIntercept": "4095", **window}
    planes = np.moveaxis(colour, -1, 0).tobytes()
    yield from (
        (f"{name}_grey8", pixels, {}),
        (f"{name}_grey16", deep, {}),
        (f"{name}_monochrome1", 255 - pixels, {"PhotometricInterpretation": "MONOCHROME1"}),
        (f"{name}_monochrome1_wrongly", pixels, {"PhotometricInterpretation": "MONOCHROME1"}),
        (f"{name}_monochrome2_wrongly", 255 - pixels, {}),
        (f"{name}_window", deep, window),
        (f"{name}_exact", deep, {**window, "VOILUTFunction": "LINEAR_EXACT"}),
        (f"{name}_sigmoid", deep, {**window, "VOILUTFunction": "SIGMOID"}),
        (f"{name}_nonsense", deep, {"WindowCenter": 2000, "WindowWidth": 0}),
        (f"{name}_rescaled", deep, rescale),
        (f"{name}_downwards", 4095 - deep, downwards),
        (f"{name}_signed", (deep.astype(np.int32) - 2000).astype(np.int16), {"PixelRepresentation": 1}),
        (f"{name}_rgb", colour, {**rgb, "PlanarConfiguration": 0}),
        (f"{name}_planes", colour, {**rgb, "PlanarConfiguration": 1, "PixelData": planes}),
        (f"{name}_implicit", deep, {"syntax": ImplicitVRLittleEndian}),
        (f"{name}_big_endian", deep, {"syntax": ExplicitVRBigEndian}),
        (f"{name}_deflated", deep, {"syntax": DeflatedExplicitVRLittleEndian}),
    )
    for coding, syntax in (("rle", RLELossless), ("jpeg_ls", JPEGLSLossless), ("jpeg2000", JPEG2000Lossless)):
        for bits, values in ((8, pixels), (16, deep)):
            yield f"{name}_{coding}_{bits}", values, {"syntax": syntax}


def headers() -> Iterator[tuple[str, dict[str, Any]]]:
    view = Dataset()
    view.CodeValue, view.CodingSchemeDesignator, view.CodeMeaning = "399173006", "SCT", "left lateral"
    yield from (
        ("knee", {"BodyPartExamined": "KNEE"}),
        ("free_text", {"BodyPartExamined": "MOHAMED AHMED"}),
        ("ct", {"Modality": "CT"}),
        ("ct_frames", {"Modality": "CT", "NumberOfFrames": 12}),
        ("frames", {"NumberOfFrames": 2}),
        ("lateral", {"ViewPosition": "LL"}),
        ("coded_lateral", {"ViewPosition": "", "ViewCodeSequence": [view]}),
        ("nothing", {"Modality": "", "BodyPartExamined": "", "ViewPosition": "", "PatientAge": ""}),
        ("age_64", {"PatientAge": "064Y"}),
        ("age_6_months", {"PatientAge": "006M"}),
        ("dates_64", {"PatientAge": "", "PatientBirthDate": "19620315", "StudyDate": "20260401"}),
        ("dates_3", {"PatientAge": "", "PatientBirthDate": "20230101", "StudyDate": "20260401"}),
        ("acquired_64", {"PatientAge": "", "PatientBirthDate": "19620315", "AcquisitionDate": "20260401"}),
        ("no_birth", {"PatientAge": "", "StudyDate": "20260401"}),
        ("too_large", {"Rows": 65535, "Columns": 65535}),
        ("truncated", {"PixelData": b"\0" * 100}),
        ("truncated_knee", {"BodyPartExamined": "KNEE", "PixelData": b"\0" * 100}),
    )


def write(folder: Path, samples: Path) -> None:
    for path in sorted((Path(pydicom.__file__).parent / "data").rglob("*")):
        if path.is_file() and path.suffix in ("", ".dcm") and path.name != "README":
            shutil.copy(path, folder / path.name)
    films = [np.asarray(Image.open(samples / f"{name}.png").convert("L")) for name in ("normal_01", "pneumonia_03")]
    for index, film in enumerate([*films, films[0][10:-21, 7:-30]]):
        for name, pixels, elements in codings(f"film{index}", film):
            write_film(folder / f"{name}.dcm", pixels, **elements)
    for name, grey, share in (("black", 0, 0.35), ("page", 230, 0.6)):
        write_film(folder / f"small_{name}.dcm", in_frame(films[1], grey, share))
    for name, elements in headers():
        write_film(folder / f"header_{name}.dcm", films[1], **elements)
    for path in samples.glob("*.png"):
        film = np.asarray(Image.open(path).convert("L"))
        write_film(folder / f"wrongly_{path.stem}.dcm", film, PhotometricInterpretation="MONOCHROME1")


def is_8_bit_jpeg(path: Path) -> bool:
    """What a browser decodes, and Node has none."""
    found = pydicom.dcmread(path, force=True, stop_before_pixels=True)
    return getattr(found, "file_meta", {}).get("TransferSyntaxUID") in (JPEGBaseline8Bit, JPEGExtended12Bit)


@pytest.fixture(scope="module")
def folder(root: Path, samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("npx") is None or not (APP / "node_modules").is_dir():
        pytest.skip("the app's packages are not installed; run: npm ci --prefix app")
    folder = tmp_path_factory.mktemp("parity")
    write(folder, samples)
    file = root / "readers" / "mobilenet_v2.onnx"
    reader = Reader.open(file)
    files = sorted(path for path in folder.iterdir())
    expected = [reader.read(path).to_dict() | {"file": path.name} for path in files]
    (folder / "expected.json").write_text(json.dumps(expected))
    done = subprocess.run(
        ["npx", "vitest", "run", "--config", "vitest.parity.config.ts", "parity.test"],
        cwd=APP,
        env={**os.environ, "FILMS": str(folder), "READER": str(file)},
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return folder


def test_status_codes_warnings_and_probability_agree(folder: Path) -> None:
    expected, said = (json.loads((folder / f"{name}.json").read_text()) for name in ("expected", "said"))
    assert len(expected) == len(said) > 200
    compared, left_to_browsers, apart = 0, [], []
    for python, app in zip(expected, said, strict=True):
        name = python["file"]
        if is_8_bit_jpeg(folder / name) and python["probability"] is not None:
            left_to_browsers.append(name)
            continue
        same = ["status", "codes", "warning_codes", "warnings"]
        apart += [(name, key, python[key], app[key]) for key in same if python[key] != app[key]]
        one, other = python["probability"], app["probability"]
        if (one is None) != (other is None) or (one is not None and abs(one - other) > APART):
            apart.append((name, "probability", one, other))
        compared += 1
    assert not apart, "\n".join(map(str, apart))
    assert compared > 200 and len(left_to_browsers) < 16
    statuses = {row["status"] for row in expected}
    assert {"refused", "failed", "suspected", "not_seen"} <= statuses | {"uncertain"}


def test_the_comparison_holds_what_went_apart_before(folder: Path) -> None:
    """The cases that are known to have differed are there, and are as they should be."""
    rows = {row["file"]: row for row in json.loads((folder / "said.json").read_text())}
    assert rows["header_ct_frames.dcm"]["status"] == "refused"
    assert rows["header_frames.dcm"]["codes"] == ["multi_frame"]
    for name in ("header_dates_64.dcm", "header_acquired_64.dcm", "header_age_64.dcm"):
        assert rows[name]["warning_codes"][0] == "age_outside" and "64 years old" in rows[name]["warnings"][0]
    for index in range(3):
        wrong, right = rows[f"film{index}_monochrome1_wrongly.dcm"], rows[f"film{index}_grey8.dcm"]
        assert wrong["warning_codes"][0] == "header_contradicts_pixels"
        assert wrong["probability"] == right["probability"]
    wrongly = [row for name, row in rows.items() if name.startswith("wrongly_")]
    assert len(wrongly) == 24, "every sample"
    assert all(row["warning_codes"][0] == "header_contradicts_pixels" for row in wrongly), "none is shown as a negative"
    # Its elements are implicit where the syntax promises explicit ones; then comes a JPEG, which Node cannot open.
    assert rows["SC_rgb_jpeg.dcm"]["codes"] == ["truncated"]
    assert rows["header_free_text.dcm"]["codes"][0] == "header_body_part"
