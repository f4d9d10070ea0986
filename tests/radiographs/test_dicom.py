from __future__ import annotations

import importlib.util
import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_film import as_bytes, dicom
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from ai_for_sudan.contract import Remark
from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs import RefusedByHeader, read_radiograph

TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"

ROWS, COLUMNS = np.mgrid[0:100, 0:80]
#: dark all round, bright in the middle, 0..255 exactly
FILM = np.minimum(255, 11 * np.minimum(np.minimum(ROWS, 99 - ROWS), np.minimum(COLUMNS, 79 - COLUMNS))).astype(np.uint8)


def code_of(content: bytes) -> str:
    with pytest.raises(UnreadableFilm) as caught:
        read_radiograph(content)
    assert caught.value.reason and "\n" not in caught.value.reason
    return caught.value.code


def test_grey_values_come_as_they_are_shown() -> None:
    told = {"PatientAge": "018M", "PatientSex": "F", "ViewPosition": "AP", "StudyDate": "20260131"}
    film = read_radiograph(as_bytes(dicom(FILM, **told)))
    np.testing.assert_array_equal(film.pixels, FILM)
    assert film.header is not None
    assert (film.header.age_years, film.header.sex, film.header.view) == (1.5, "F", "AP")
    assert film.header.study_date == "2026-01-31"
    assert film.refusals == () and film.warnings == ()


@pytest.mark.parametrize(
    ("age", "born", "years"),
    [("006W", "", 0.115), ("", "20200615", 5.63), ("030Y", "20200615", 30), ("", "19000101", None), ("x", "", None)],
)
def test_the_age_comes_from_the_age_or_the_dates(age: str, born: str, years: float | None) -> None:
    header = read_radiograph(as_bytes(dicom(FILM, PatientAge=age, PatientBirthDate=born, StudyDate="20260131"))).header
    assert header is not None
    assert header.age_years == (years if years is None else pytest.approx(years, abs=0.01))


def test_the_window_of_the_header_is_applied() -> None:
    deep = FILM.astype(np.uint16) * 16
    windowed = read_radiograph(as_bytes(dicom(deep, BitsStored=12, HighBit=11, WindowCenter=1024, WindowWidth=2048)))
    expected = np.clip((deep.astype(float) - 1023.5) / 2047 + 0.5, 0, 1) * 255  # PS3.3 C.11.2.1.2.1
    np.testing.assert_allclose(windowed.pixels.astype(float), expected, atol=1)
    nonsense = read_radiograph(as_bytes(dicom(deep, BitsStored=12, HighBit=11, WindowCenter=5, WindowWidth=0)))
    np.testing.assert_array_equal(nonsense.pixels, FILM)


@pytest.mark.parametrize("shape", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_a_rescale_that_runs_downwards_makes_no_negative_of_a_window(shape: str) -> None:
    window = {"BitsStored": 12, "HighBit": 11, "WindowCenter": 1024, "WindowWidth": 2048, "VOILUTFunction": shape}
    deep = FILM.astype(np.uint16) * 16
    downwards = dicom(4095 - deep, **window, RescaleSlope=-1, RescaleIntercept=4095)
    expected = read_radiograph(as_bytes(dicom(deep, **window)))
    film = read_radiograph(as_bytes(downwards))
    np.testing.assert_array_equal(film.pixels, expected.pixels)
    assert film.warnings == expected.warnings == ()


def test_rescale_and_lookup_tables_are_applied() -> None:
    signed = FILM.astype(np.int16) - 500
    film = read_radiograph(as_bytes(dicom(signed, RescaleSlope=2, RescaleIntercept=1000)))
    np.testing.assert_array_equal(film.pixels, FILM)
    table = Dataset()
    table.LUTDescriptor = [256, 0, 8]
    table.add_new("LUTData", "OW", bytes((255 - np.arange(256)).astype(np.uint16).tobytes()))
    film = read_radiograph(as_bytes(dicom(FILM, VOILUTSequence=Sequence([table]))))
    np.testing.assert_array_equal(film.pixels, 255 - FILM)
    assert film.warnings[0][0] == "header_contradicts_pixels"


def test_monochrome1_is_inverted_and_a_false_one_is_noticed() -> None:
    true = read_radiograph(as_bytes(dicom(255 - FILM, PhotometricInterpretation="MONOCHROME1")))
    np.testing.assert_array_equal(true.pixels, FILM)
    assert true.warnings == ()
    false = read_radiograph(as_bytes(dicom(FILM, PhotometricInterpretation="MONOCHROME1")))
    np.testing.assert_array_equal(false.pixels, FILM)
    assert [code for code, _ in false.warnings] == ["header_contradicts_pixels"]
    negative = read_radiograph(as_bytes(dicom(255 - FILM)))
    assert [code for code, _ in negative.warnings] == ["header_contradicts_pixels"]


@pytest.mark.parametrize("source", ["kermany", "adult_site"])
def test_real_films_are_never_taken_for_negatives(source: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(source)
    films = [path for path in sorted(folder.rglob("*")) if path.suffix in (".jpeg", ".jpg", ".png")][
        :: 60 if source == "kermany" else 6
    ]
    assert len(films) > 40
    noticed = 0
    for path in films:
        shown = read_radiograph(as_bytes(dicom(read_radiograph(path).pixels)))
        assert shown.warnings == (), path
        true = read_radiograph(as_bytes(dicom(255 - shown.pixels, PhotometricInterpretation="MONOCHROME1")))
        np.testing.assert_array_equal(true.pixels, shown.pixels)
        false = read_radiograph(as_bytes(dicom(shown.pixels, PhotometricInterpretation="MONOCHROME1")))
        noticed += false.warnings != () and bool((false.pixels == shown.pixels).all())
    assert noticed >= 0.97 * len(films)


def test_a_coded_view_refuses_too() -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "399173006", "SCT", "left lateral"
    assert read_radiograph(as_bytes(dicom(FILM, ViewCodeSequence=[code]))).refusals[0][0] == "header_view"
    code.CodeMeaning = "postero-anterior"
    assert not read_radiograph(as_bytes(dicom(FILM, ViewCodeSequence=[code]))).refusals


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ({"Modality": "CT"}, "header_modality"),
        ({"Modality": "MG"}, "header_modality"),
        ({"BodyPartExamined": "KNEE"}, "header_body_part"),
        ({"BodyPartExamined": "hand "}, "header_body_part"),
        ({"ViewPosition": "LATERAL"}, "header_view"),
        ({"ViewPosition": "LL"}, "header_view"),
        ({"ViewPosition": "Left lateral"}, "header_view"),
    ],
)
def test_the_header_alone_refuses(tags: dict[str, str], code: str) -> None:
    data = dicom(FILM, **tags)
    assert [found for found, _ in read_radiograph(as_bytes(data)).refusals] == [code]
    data.PixelData = data.PixelData[:100]
    with pytest.raises(RefusedByHeader) as caught:
        read_radiograph(as_bytes(data))
    assert caught.value.code == code


def test_what_is_no_term_of_the_standard_stays_in_the_file() -> None:
    """Free text may name a patient, or hold what moves a terminal's cursor."""
    secret = "AMNA \x1b[31mOSMAN"
    meaning = Dataset()
    meaning.CodeValue, meaning.CodingSchemeDesignator, meaning.CodeMeaning = "1", "99", f"{secret} left lateral"
    tags: dict[str, object] = {
        name: secret
        for name in ("Modality", "BodyPartExamined", "Laterality", "PatientSex", "PatientAge", "PatientName")
    }
    film = read_radiograph(as_bytes(dicom(FILM, **tags, ViewCodeSequence=[meaning])))
    assert [code for code, _ in film.refusals] == ["header_modality", "header_body_part", "header_view"]
    assert "AMNA" not in repr(film) and "OSMAN" not in repr(film)
    assert read_radiograph(as_bytes(dicom(FILM, BodyPartExamined="KNEE"))).refusals[0][1].count("KNEE") == 1


def test_the_name_of_the_hospital_is_printable_and_short() -> None:
    arabic = "\u0645\u0633\u062a\u0634\u0641\u0649 \u0627\u0644\u062e\u0631\u0637\u0648\u0645"
    film = read_radiograph(as_bytes(dicom(FILM, SpecificCharacterSet="ISO_IR 192", InstitutionName=arabic)))
    assert film.header is not None and film.header.institution == arabic
    film = read_radiograph(
        as_bytes(dicom(FILM, InstitutionName="A\x1b[2J\u202eB" * 500, SpecificCharacterSet="ISO_IR 192"))
    )
    assert film.header is not None and film.header.institution is not None
    assert film.header.institution.isprintable() and len(film.header.institution) <= 64


@pytest.mark.parametrize(
    "tags",
    [
        {"BodyPartExamined": "Chest"},
        {"BodyPartExamined": "CHEST_PA"},
        {"BodyPartExamined": "UNKNOWN"},
        {"BodyPartExamined": "POUMONS"},
        {"BodyPartExamined": "CAGE THORACIQUE"},
        {"ViewPosition": "PA"},
        {"Modality": "DX"},
    ],
)
def test_the_header_of_a_chest_film_does_not(tags: dict[str, str]) -> None:
    assert read_radiograph(as_bytes(dicom(FILM, **tags))).refusals == ()


def test_colour_palette_and_compressed_films() -> None:
    rgb = np.repeat(FILM[..., None], 3, -1)
    colour = read_radiograph(as_bytes(dicom(rgb, PhotometricInterpretation="RGB", PlanarConfiguration=0)))
    np.testing.assert_allclose(colour.pixels.astype(int), FILM, atol=1)
    palette = dicom(FILM // 16, PhotometricInterpretation="PALETTE COLOR")
    for name in ("Red", "Green", "Blue"):
        setattr(palette, f"{name}PaletteColorLookupTableDescriptor", [16, 0, 16])
        entries = (np.arange(16) * 4369).astype(np.uint16)
        setattr(palette, f"{name}PaletteColorLookupTableData", entries.tobytes())
    np.testing.assert_allclose(
        read_radiograph(as_bytes(palette)).pixels.astype(int), (FILM // 16).astype(int) * 17, atol=1
    )

    run_length = dicom(FILM)
    run_length.compress(RLELossless)
    np.testing.assert_array_equal(read_radiograph(as_bytes(run_length)).pixels, FILM)
    for syntax, kind, tolerance in ((JPEGBaseline8Bit, "JPEG", 6), (JPEG2000Lossless, "JPEG2000", 0)):
        buffer = io.BytesIO()
        Image.fromarray(FILM).save(buffer, kind, **({"quality": 98} if kind == "JPEG" else {"no_jp2": True}))
        packed = dicom(FILM)
        packed.file_meta.TransferSyntaxUID = syntax
        packed.PixelData = encapsulate([buffer.getvalue()])
        packed["PixelData"].is_undefined_length = True
        np.testing.assert_allclose(read_radiograph(as_bytes(packed)).pixels.astype(int), FILM, atol=tolerance)


def test_every_bad_dicom_has_its_code() -> None:
    no_pixels = dicom(FILM)
    del no_pixels.PixelData
    assert code_of(as_bytes(no_pixels)) == "no_pixels"
    assert code_of(as_bytes(dicom(FILM, NumberOfFrames=3))) == "multi_frame"

    assert code_of(as_bytes(dicom(FILM, Rows=65535, Columns=65535))) == "too_large"
    assert code_of(as_bytes(dicom(FILM, Rows=0))) == "damaged"
    assert code_of(as_bytes(dicom(FILM))[:-500]) == "truncated"
    assert code_of(as_bytes(dicom(FILM))[:300]) in ("damaged", "no_pixels")
    without_size = dicom(FILM)
    del without_size.Rows
    assert code_of(as_bytes(without_size)) == "damaged"


@pytest.mark.parametrize("keyword", ["NumberOfFrames", "RescaleSlope", "WindowCenter", "WindowWidth"])
def test_what_a_header_holds_in_the_place_of_a_number_is_never_repeated(keyword: str) -> None:
    values = {"RescaleIntercept": "0", "RescaleSlope": "1", "WindowCenter": "99", "WindowWidth": "99"}
    film = as_bytes(dicom(FILM, **values | {keyword: "1234567 "}))
    assert film.count(b"1234567 ") == 1
    said = [remark.text for remark in shown(film.replace(b"1234567 ", b"HASSAN A"))]
    assert not any("HASSAN" in text for text in said)


def shown(content: bytes) -> list[Remark]:
    """All that is said of a film, whether it can be read or not."""
    try:
        film = read_radiograph(content)
    except UnreadableFilm as error:
        return [Remark(error.code, error.reason)]
    return [*film.refusals, *film.warnings]


def test_a_compressed_picture_larger_than_its_header_is_refused_before_it_is_decoded() -> None:
    for syntax, kind, marker, at in (
        (JPEGBaseline8Bit, "JPEG", b"\xff\xc0", 5),
        (JPEG2000Lossless, "JPEG2000", b"\xff\x4f\xff\x51", 8),
    ):
        buffer = io.BytesIO()
        Image.fromarray(FILM).save(buffer, kind, **({"no_jp2": True} if kind == "JPEG2000" else {}))
        stream = bytearray(buffer.getvalue())
        start = stream.index(marker) + at
        size = (60000).to_bytes(2, "big") * 2 if kind == "JPEG" else (60000).to_bytes(4, "big") * 2
        stream[start : start + len(size)] = size
        packed = dicom(FILM)
        packed.file_meta.TransferSyntaxUID = syntax
        packed.PixelData = encapsulate([bytes(stream)])
        packed["PixelData"].is_undefined_length = True
        assert code_of(as_bytes(packed)) == "too_large"


def test_what_keeps_a_decoder_busy_for_minutes_is_refused_at_once() -> None:
    def packed(syntax: UID, stream: bytes, pixels: np.ndarray = FILM) -> bytes:
        data = dicom(pixels)
        data.file_meta.TransferSyntaxUID = syntax
        data.PixelData = encapsulate([stream])
        data["PixelData"].is_undefined_length = True
        return as_bytes(data)

    buffer = io.BytesIO()
    Image.fromarray(FILM).save(buffer, "JPEG", progressive=True)
    jpeg = buffer.getvalue()
    assert read_radiograph(packed(JPEGBaseline8Bit, jpeg)).pixels.shape == FILM.shape
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    assert code_of(packed(JPEGBaseline8Bit, jpeg[:-2] + scan * 200 + jpeg[-2:])) == "damaged"
    size = (9000).to_bytes(4, "big") * 2
    stream = b"\xff\x4f\xff\x51\0\x2f\0\0" + size + bytes(24) + (3).to_bytes(2, "big")
    assert code_of(packed(JPEG2000Lossless, stream + bytes(100))) == "too_large"
    elements = b"".join(struct.pack("<HH2sH", 0x0011, number, b"LO", 0) for number in range(0x1000, 0xFFFF)) * 4
    content = as_bytes(dicom(FILM))
    assert code_of(content[:-8000] + elements) == "damaged"


def test_a_deflated_bomb_is_refused_before_it_grows() -> None:
    small = dicom(FILM)
    small.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    content = as_bytes(small)
    np.testing.assert_array_equal(read_radiograph(content).pixels, FILM)
    meta_end = 144 + int.from_bytes(content[140:144], "little")
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = b"".join(deflate.compress(bytes(10_000_000)) for _ in range(40)) + deflate.flush()
    assert code_of(content[:meta_end] + bomb) == "too_large"


def test_without_a_decoder_the_reason_says_what_to_install() -> None:
    # In a process of its own, in which the optional decoders cannot be imported.
    code = (
        "import sys\n"
        "for name in ('gdcm', 'pylibjpeg', 'jpeg_ls', 'openjpeg', 'libjpeg'): sys.modules[name] = None\n"
        "from ai_for_sudan.errors import UnreadableFilm\n"
        "from ai_for_sudan.radiographs.decoding import decode\n"
        "try: decode(open(sys.argv[1], 'rb').read())\n"
        "except UnreadableFilm as error: print(error.code, error.reason)\n"
    )
    film = TEST_FILES / "JPEGLSNearLossless_08.dcm"
    done = subprocess.run([sys.executable, "-c", code, film], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("no_decoder") and "[dicom]" in done.stdout


@pytest.mark.skipif(importlib.util.find_spec("jpeg_ls") is None, reason="the extra [dicom] is not installed")
@pytest.mark.parametrize("name", ["JPEGLSNearLossless_08.dcm", "MR_small_jpeg_ls_lossless.dcm"])
def test_the_extra_decodes_jpeg_ls(name: str) -> None:
    assert read_radiograph(TEST_FILES / name).pixels.std() > 10


def test_every_file_that_pydicom_tests_with_gives_a_film_or_a_reason() -> None:
    films, reasons = 0, []
    for path in sorted(p for p in TEST_FILES.rglob("*") if p.is_file()):
        try:
            film = read_radiograph(path)
        except UnreadableFilm as error:
            reasons.append(error.reason)
        else:
            films += 1
            assert film.pixels.dtype == np.uint8 and film.pixels.ndim == 2
    assert films > 70  # more where the extra [dicom] is installed
    assert all(reason and reason.isprintable() for reason in reasons)
