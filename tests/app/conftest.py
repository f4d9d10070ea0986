"""The built app with a reader, and films with what Python says of them, for the browser to be held against."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from dicom_film import of_a_child
from light_box import KINDS, write_scenes
from PIL import Image
from pydicom import dcmwrite
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from ai_for_sudan import Reader
from ai_for_sudan.radiographs import read_radiograph

ROOT = Path(__file__).resolve().parent.parent.parent
APP = ROOT / "app"


def grey(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L"))


@pytest.fixture(scope="session")
def node() -> None:
    """Node, the app's packages and Chromium; without them these tests are skipped, and say why."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: the app's tests need Node 20 or newer")
    if not (APP / "node_modules").is_dir():
        pytest.skip("app/node_modules is missing; run: npm ci --prefix app")


@pytest.fixture(scope="session")
def reader_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader named by READER=, or the one that the app ships, or (where none is built yet) a tiny one."""
    if "READER" in os.environ:
        return Path(os.environ["READER"]).resolve()
    shipped = APP / json.loads((APP / "package.json").read_text())["config"]["reader"]
    if shipped.is_file():
        return shipped
    path = tmp_path_factory.mktemp("reader") / "tiny.onnx"
    subprocess.run([sys.executable, ROOT / "tests" / "tiny_reader.py", path], check=True)
    return path


@pytest.fixture(scope="session")
def bench(node: None, reader_file: Path, samples: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of the browser tests: the built site, the films, and the Python that serves."""
    if shutil.which("chromium") is None and "CHROMIUM" not in os.environ:
        pytest.skip("chromium is not installed")
    folder = tmp_path_factory.mktemp("app")
    site = folder / "site"
    subprocess.run(
        ["npx", "vite", "build"],
        cwd=APP,
        env={**os.environ, "READER": str(reader_file), "OUT_DIR": str(site)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    reader = Reader.open(reader_file)
    films = folder / "films"
    films.mkdir()
    write_films(reader, samples, films)
    paths = {"SITE": str(site), "FILMS": str(films), "READER": str(reader_file), "PYTHON": sys.executable}
    return {**os.environ, **paths}


def write_films(reader: Reader, samples: Path, folder: Path) -> None:
    """One film of each status, damaged and DICOM files, a photo, and at least 50 films for the comparison."""
    named = sorted(samples.glob("*.png"))
    _one_of_each(reader, named, folder)
    Image.fromarray(grey(named[0])[:100, :100]).save(folder / "tiny.png")
    Image.fromarray(grey(named[0])).save(folder / "film.jpg", quality=92)
    _dicoms(grey(named[0]), folder)
    _warned(reader, [grey(path) for path in named], folder)
    _photo(reader, grey(named[-1]), folder)
    own = [reader.read(grey(path)).status for path in named]
    write_scenes(folder / "light_box", [grey(path) for path in named], own, len(KINDS), seed=7)
    _comparison(reader, named, folder / "parity")
    _pydicom_files(reader, folder / "pydicom")


def _one_of_each(reader: Reader, named: list[Path], folder: Path) -> None:
    # Darker copies too: a tiny reader may call every sample as it is "suspected".
    films = [(grey(path) * light).astype(np.uint8) for light in (1, 0.6, 0.4) for path in named]
    readings = [reader.read(film) for film in films]
    chosen = {}
    for wanted, sign in (("suspected", 1), ("not_seen", -1)):
        fitting = [i for i, reading in enumerate(readings) if reading.status == wanted]
        assert fitting, f"no film is {wanted} for {reader.card.name}"
        chosen[wanted] = films[max(fitting, key=lambda i: sign * (readings[i].probability or 0))]
        Image.fromarray(chosen[wanted]).save(folder / f"{wanted}.png")
    blank = np.full((400, 300), 40, np.uint8)
    assert reader.read(blank).status == "refused", "a blank picture must be refused"
    Image.fromarray(blank).save(folder / "refused.png")
    # Between the two lies a mixture that the reader is not sure of.
    for share in np.linspace(0, 1, 201):
        mixed = (chosen["suspected"] * share + chosen["not_seen"] * (1 - share)).astype(np.uint8)
        if reader.read(mixed).status == "uncertain":
            Image.fromarray(mixed).save(folder / "uncertain.png")
            return
    raise AssertionError("no mixture of two samples is uncertain")


def _dicoms(pixels: np.ndarray, folder: Path) -> None:
    of_a_child(pixels).save_as(folder / "film.dcm")
    of_a_child(pixels, NumberOfFrames=2).save_as(folder / "frames.dcm")
    of_a_child(pixels, Rows=65535, Columns=65535).save_as(folder / "huge.dcm")
    without = of_a_child(pixels)
    del without.PixelData
    without.save_as(folder / "no_pixels.dcm")
    of_a_child(pixels, BodyPartExamined="KNEE", PatientAge="034Y").save_as(folder / "knee.dcm")
    view = Dataset()
    view.CodeValue, view.CodingSchemeDesignator, view.CodeMeaning = "399173006", "SCT", "left lateral"
    of_a_child(pixels, ViewPosition="", ViewCodeSequence=[view]).save_as(folder / "side.dcm")
    _codings(pixels, folder / "dicom")


def _warned(reader: Reader, films: list[np.ndarray], folder: Path) -> None:
    """A film of an adult, and one that is left to a person for several reasons, with what Python says of them."""
    of_a_child(films[0], PatientAge="034Y").save_as(folder / "adult.dcm")
    warnings = [tuple(warning) for warning in reader.read(folder / "adult.dcm").warnings]
    said = {"codes": [code for code, _ in warnings], "texts": [text for _, text in warnings]}
    (folder / "adult.json").write_text(json.dumps(said))
    for film in films:
        # A chest that is small in a picture, whose surround is not plain, is often unlike the known films too.
        small = np.tile(np.linspace(0, 90, 3 * film.shape[1]).astype(np.uint8), (3 * film.shape[0], 1))
        small[film.shape[0] : 2 * film.shape[0], film.shape[1] : 2 * film.shape[1]] = film
        of_a_child(small).save_as(folder / "many_reasons.dcm")
        codes = reader.read(folder / "many_reasons.dcm").codes
        if len(set(codes) - {"abstained"}) > 1:
            (folder / "many_reasons.json").write_text(json.dumps({"codes": list(codes)}))
            return
    raise AssertionError("no film is left to a person for more than one reason")


def _codings(pixels: np.ndarray, folder: Path) -> None:
    """One film in every coding and grey scale that the app opens, each with the pixels that Python makes of it."""
    folder.mkdir()
    deep = pixels.astype(np.uint16) * 15 + 100
    films = {
        "grey8": of_a_child(pixels),
        "grey16": of_a_child(deep),
        "negative": of_a_child(255 - pixels, PhotometricInterpretation="MONOCHROME1"),
        "false_negative": of_a_child(pixels, PhotometricInterpretation="MONOCHROME1"),
        "window": of_a_child(deep, WindowCenter=2000, WindowWidth=1500),
        "window_exact": of_a_child(deep, WindowCenter=2000, WindowWidth=1500, VOILUTFunction="LINEAR_EXACT"),
        "window_sigmoid": of_a_child(deep, WindowCenter=2000, WindowWidth=1500, VOILUTFunction="SIGMOID"),
        "window_nonsense": of_a_child(deep, WindowCenter=2000, WindowWidth=0),
        "rescaled": of_a_child(deep, RescaleSlope="2", RescaleIntercept="-1024", WindowCenter=3000, WindowWidth=3000),
        "signed": of_a_child((deep.astype(np.int32) - 2000).astype(np.int16).view(np.uint16), PixelRepresentation=1),
    }
    colour = np.stack([pixels, pixels // 2, 255 - pixels], axis=-1)
    films["colour"] = of_a_child(
        pixels, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0, PixelData=colour.tobytes()
    )
    planes = np.ascontiguousarray(np.moveaxis(colour, -1, 0)).tobytes()
    films["planes"] = of_a_child(
        pixels, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=1, PixelData=planes
    )
    for name, syntax in (("rle", RLELossless), ("jpeg_ls", JPEGLSLossless), ("jpeg2000", JPEG2000Lossless)):
        for depth, values in (("8", pixels), ("16", deep)):
            film = of_a_child(values)
            film.compress(syntax)
            films[f"{name}_{depth}"] = film
    ybr = {"SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_FULL_422", "PlanarConfiguration": 0}
    films["jpeg"] = _jpeg(pixels, pixels)
    films["jpeg_colour"] = _jpeg(pixels, colour, **ybr)
    # Red, green and blue as they are: said by the stream, or by the header alone.
    films["jpeg_rgb"] = _jpeg(pixels, colour, keep_rgb=True, **ybr | {"PhotometricInterpretation": "RGB"})
    films["jpeg_rgb_unsaid"] = _jpeg(
        pixels, colour, keep_rgb=True, unsaid=True, **ybr | {"PhotometricInterpretation": "RGB"}
    )
    for name, film in films.items():
        film.save_as(folder / f"{name}.dcm")
    implicit = of_a_child(deep)
    implicit.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    implicit.save_as(folder / "implicit.dcm", implicit_vr=True, little_endian=True)
    big = of_a_child(deep, PixelData=deep.astype(">u2").tobytes())
    big.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dcmwrite(folder / "big_endian.dcm", big, implicit_vr=False, little_endian=False, force_encoding=True)
    bare = (folder / "implicit.dcm").read_bytes()
    group = bare.index(b"\x08\x00\x16\x00")  # SOP Class UID, the first element after the preamble and group 2
    (folder / "bare.dcm").write_bytes(bare[group:])
    shutil.copy(folder / "jpeg2000_16.dcm", folder.parent / "film_jpeg2000.dcm")
    expected = {}
    for path in sorted(folder.glob("*.dcm")):
        film = read_radiograph(path)
        (folder / f"{path.stem}.grey").write_bytes(film.pixels.tobytes())
        expected[path.stem] = {"height": film.pixels.shape[0], "width": film.pixels.shape[1]}
        expected[path.stem]["warnings"] = film.warnings
    (folder / "expected.json").write_text(json.dumps(expected))


def _jpeg(
    pixels: np.ndarray, coded: np.ndarray, *, keep_rgb: bool = False, unsaid: bool = False, **elements: object
) -> Dataset:
    """A film of the size of ``pixels`` that holds ``coded`` as JPEG, whose colour space may be ``unsaid``."""
    stream = io.BytesIO()
    Image.fromarray(coded).save(stream, "JPEG", quality=95, keep_rgb=keep_rgb)
    data = stream.getvalue()
    if unsaid:
        adobe = data.index(b"\xff\xee\x00\x0eAdobe")
        data = data[:adobe] + data[adobe + 16 :]
        # Its components are named R, G, B, by which decoders would tell.
        data = data.replace(b"R\x11\0G\x11\0B\x11\0", b"\0\x11\0\1\x11\0\2\x11\0")
        data = data.replace(b"\3R\0G\0B\0", b"\3\0\0\1\0\2\0")
    film = of_a_child(pixels, PixelData=encapsulate([data]), **elements)
    film["PixelData"].is_undefined_length = True
    film.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    return film


def _photo(reader: Reader, film: np.ndarray, folder: Path) -> None:
    """A film on a light table, seen a little from the side; corners and the probability of the film itself."""
    width, height = 1200, 1500
    rng = np.random.default_rng(5)
    table = Image.fromarray((235 + rng.normal(0, 4, (height, width))).clip(0, 255).astype(np.uint8))
    corners = [(190, 260), (1010, 200), (1080, 1270), (130, 1330)]
    # The film's own edge is dark, as it is on a light box.
    framed = np.pad(film, 8, constant_values=12)
    source = [(0, 0), (framed.shape[1], 0), (framed.shape[1], framed.shape[0]), (0, framed.shape[0])]
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    map_back = np.linalg.solve(np.array(rows, float), np.array(values, float))
    size, bilinear = (width, height), Image.Resampling.BILINEAR
    projected = Image.fromarray(framed).transform(size, Image.Transform.PERSPECTIVE, map_back, bilinear)
    inside = Image.fromarray(np.full(framed.shape, 255, np.uint8))
    table.paste(projected, mask=inside.transform(size, Image.Transform.PERSPECTIVE, map_back, bilinear))
    table.save(folder / "photo.jpg", quality=90)
    shares = [[100 * x / width, 100 * y / height] for x, y in corners]
    expected = {"corners": shares, "probability": reader.read(film).probability}
    (folder / "photo.json").write_text(json.dumps(expected))


def _comparison(reader: Reader, named: list[Path], folder: Path) -> None:
    """Samples and perturbed copies of other sizes, as PNG and JPEG, with all that Python says of each."""
    folder.mkdir()
    rng = np.random.default_rng(11)
    for index, path in enumerate(named):
        film = grey(path)
        scaled = Image.fromarray(film).resize((250 + 37 * index, 700 - 19 * index), Image.Resampling.BILINEAR)
        noisy = (np.asarray(scaled) * rng.uniform(0.5, 1.2) + rng.normal(0, 9, scaled.size[::-1])).clip(0, 255)
        copies = {path.stem: film, f"{path.stem}_noisy": noisy.astype(np.uint8)}
        if index % 4 == 0:
            copies[f"{path.stem}_rotated"] = np.ascontiguousarray(np.rot90(film))
            copies[f"{path.stem}_negative"] = 255 - film
        for name, pixels in copies.items():
            Image.fromarray(pixels).save(folder / f"{name}.png")
    film = Image.open(named[0]).convert("L")
    film.save(folder / "grey.jpg", quality=85)
    film.save(folder / "progressive.jpg", quality=85, progressive=True)
    Image.merge("RGB", [film, film.point(lambda v: v * 0.9), film.point(lambda v: v * 0.8)]).save(
        folder / "colour.jpg", quality=85, subsampling=2
    )
    # As large as a phone's photo and a plate's film: neither is reduced before it is read.
    film.resize((3000, 4000), Image.Resampling.BICUBIC).save(folder / "photo_size.jpg", quality=90)
    film.resize((3520, 4280), Image.Resampling.BICUBIC).save(folder / "plate_size.png")
    expected = _said_by_python(reader, folder)
    assert len(expected) >= 50


def _pydicom_files(reader: Reader, folder: Path) -> None:
    """Every DICOM file that pydicom ships, whatever it is."""
    folder.mkdir()
    for path in sorted(Path(pydicom.data.__file__).parent.joinpath("test_files").rglob("*.dcm")):
        shutil.copy(path, folder / path.name)
    expected = _said_by_python(reader, folder)
    assert len(expected) > 60


def _said_by_python(reader: Reader, folder: Path) -> dict[str, object]:
    expected: dict[str, object] = {}
    for path in sorted(folder.iterdir()):
        reading = reader.read(path)
        expected[path.name] = {
            "status": reading.status,
            "probability": reading.probability,
            "codes": list(reading.codes),
            "warnings": [code for code, _ in reading.warnings],
            "heatmap": None if reading.heatmap is None else reading.heatmap.ravel().tolist(),
        }
    (folder / "expected.json").write_text(json.dumps(expected))
    return expected
