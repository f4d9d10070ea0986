"""Reports and pictures for the PACS: valid, in the study of the film, and the same when a film is read twice."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import highdicom
import numpy as np
import pytest
from clinic_parts import film
from dicom_film import as_bytes
from pydicom import dcmread
from pydicom.dataset import Dataset

from ai_for_sudan.clinic.arrays import packed, unpacked
from ai_for_sudan.clinic.arrivals import look
from ai_for_sudan.clinic.results import Made, arabic, capture, identifiers, objects
from ai_for_sudan.clinic.store.tables import Film, FilmReading, Study, now
from ai_for_sudan.clinic.work import OpenReader
from ai_for_sudan.reading import DISCLAIMER, words
from ai_for_sudan.reading.overlay import overlay


@pytest.fixture(scope="module")
def reader(reader_file: Path) -> OpenReader:
    return OpenReader(str(reader_file), "")


def made(reader: OpenReader, tmp_path: Path, dataset: Dataset, **changes: object) -> dict[str, Made]:
    file = tmp_path / "film.dcm"
    file.write_bytes(as_bytes(dataset))
    row, pixels = reader.read(file, "x")
    for name, value in changes.items():
        setattr(row, name, value)
    return {one.kind: one for one in objects(source(file), row, pixels)}


def source(file: Path) -> identifiers.Source:
    """A film as the store would know it."""
    facts = look(file).facts
    return identifiers.Source(Film(**facts.film), Study(**facts.study), facts.identity)


def opened(one: Made) -> Dataset:
    return dcmread(io.BytesIO(one.content))


def errors(one: Made, tmp_path: Path) -> list[str]:
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed: apt-get install dicom3tools")
    file = tmp_path / f"{one.kind}.dcm"
    file.write_bytes(one.content)
    done = subprocess.run(["dciodvfy", file], capture_output=True, text=True)
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]


#: films as devices write them: with all elements, with hardly any, with damaged ones, in Arabic
HEADERS: dict[str, dict[str, object]] = {
    "whole": {},
    "bare": {"PatientBirthDate": "", "PatientSex": "", "PatientAge": "", "AccessionNumber": "", "StudyDate": "",
             "StudyTime": "", "StudyID": "", "PatientID": ""},
    "damaged": {"StudyDate": "20261345", "StudyTime": "256100", "PatientBirthDate": "20230231", "PatientName": "AMINA"},
    "arabic": {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "محمد^أحمد"},
}  # fmt: skip


ARABIC = "محمد^أحمد"


@pytest.mark.parametrize(
    ("declared", "written", "name"),
    [
        ("", ARABIC.encode(), ARABIC),
        ("", ARABIC.encode("cp1256"), ARABIC),
        ("ISO_IR 100", ARABIC.encode(), ARABIC),
        ("ISO_IR 100", ARABIC.encode("cp1256"), ARABIC),
        ("ISO_IR 100", "José^Léa".encode("latin-1"), "José^Léa"),
        ("ISO_IR 127", ARABIC.encode("iso8859-6"), ARABIC),
        ("ISO_IR 192", ARABIC.encode("cp1256"), ARABIC),
        ("ISO_IR 192", ARABIC.encode()[:-1], ARABIC[:-1] + "\ufffd"),  # cut in the middle of a letter: marked
    ],
)
def test_a_name_is_right_whatever_character_set_its_header_names(
    reader: OpenReader, tmp_path: Path, declared: str, written: bytes, name: str
) -> None:
    file, length = tmp_path / "film.dcm", len(written) + len(written) % 2
    content = as_bytes(film(PatientName="X" * length, SpecificCharacterSet=declared))
    file.write_bytes(content.replace(b"X" * length, written.ljust(length)))
    assert source(file).identity.name == name
    row, pixels = reader.read(file, "x")
    for one in objects(source(file), row, pixels):
        assert (opened(one).SpecificCharacterSet, str(opened(one).PatientName)) == ("ISO_IR 192", name)


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("status", ["suspected", "not_seen", "uncertain", "refused"])
def test_every_object_is_valid(reader: OpenReader, tmp_path: Path, header: str, status: str) -> None:
    for one in made(reader, tmp_path, film(**HEADERS[header]), status=status).values():
        assert errors(one, tmp_path) == []


def test_results_lie_in_the_study_of_the_film_and_refer_to_it(reader: OpenReader, tmp_path: Path) -> None:
    one_film = film()
    results = {kind: opened(one) for kind, one in made(reader, tmp_path, one_film).items()}
    for result in results.values():
        assert result.StudyInstanceUID == one_film.StudyInstanceUID
        assert result.SeriesInstanceUID != one_film.SeriesInstanceUID
        for keyword in ("PatientID", "PatientName", "AccessionNumber", "StudyID", "StudyDate", "PatientBirthDate"):
            assert result[keyword].value == one_film[keyword].value
    evidence = results["sr"].CurrentRequestedProcedureEvidenceSequence[0]
    reference = evidence.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert evidence.StudyInstanceUID == one_film.StudyInstanceUID
    assert reference.ReferencedSOPInstanceUID == one_film.SOPInstanceUID
    assert results["sc"].SourceImageSequence[0].ReferencedSOPInstanceUID == one_film.SOPInstanceUID


def test_the_report_says_what_the_reading_said_and_that_nobody_verified_it(reader: OpenReader, tmp_path: Path) -> None:
    results = made(reader, tmp_path, film())
    report = highdicom.sr.srread(io.BytesIO(results["sr"].content))
    assert (report.VerificationFlag, report.SOPClassUID.name) == ("UNVERIFIED", "Comprehensive 3D SR Storage")
    (group,) = report.content.get_image_measurement_groups()
    assert group.finding_type.meaning == "Pneumonia"
    values = {item.name.meaning: float(item.value) for item in group.get_measurements()}
    codes = {item.name.meaning: item.value.meaning for item in group.get_qualitative_evaluations()}
    file = tmp_path / "film.dcm"
    reading, _ = reader.read(file, "x")
    assert values["Certainty of Finding"] == pytest.approx(100 * float(reading.probability or 0), abs=1e-3)
    assert codes["Operating point"] == reading.operating_point
    assert "pneumonia" in codes["Status of the reading"].lower()
    written = results["sr"].content.decode(errors="replace")
    assert reading.reader_file in written and reader.title.rpartition(" ")[0] in written


#: what stands in Arabic on a picture; of a film that failed there is none
STATUSES = [status for status in words.ARABIC_STATUS_WORDS if status != "failed"]
SENTENCES = {
    *(words.ARABIC_STATUS_WORDS[status] for status in STATUSES),
    *words.ARABIC_SIDE_WORDS.values(),
    words.ARABIC_DISCLAIMER,
}
#: of a reader that tells the lungs apart
LUNGS = {"side": "right", "right_lung": 0.9, "left_lung": 0.1, "abnormal": 0.97}


def test_report_and_picture_name_the_lung(reader: OpenReader, tmp_path: Path) -> None:
    results = made(reader, tmp_path, film(), status="suspected", **LUNGS)
    assert [errors(one, tmp_path) for one in results.values()] == [[], []]
    (group,) = highdicom.sr.srread(io.BytesIO(results["sr"].content)).content.get_image_measurement_groups()
    (site,) = group.finding_sites
    assert (site.value.meaning, site.ContentSequence[0].value.meaning) == ("Lung", "Right")
    values = {item.name.meaning: float(item.value) for item in group.get_measurements()}
    assert (
        values["Certainty of finding in the right lung"] == 90
        and values["Certainty that the lungs are abnormal in any way"] == 97
    )
    assert opened(results["sc"]).ImageComments.startswith("Pneumonia suspected (right lung). ")


def test_a_refused_film_has_no_probability_in_its_report(reader: OpenReader, tmp_path: Path) -> None:
    results = made(
        reader, tmp_path, film(), status="refused", codes=["upside_down"], reasons=["the film is upside down"]
    )
    report = highdicom.sr.srread(io.BytesIO(results["sr"].content))
    (group,) = report.content.get_image_measurement_groups()
    assert group.get_measurements() == [] and b"upside down" in results["sr"].content


def test_uids_are_the_same_when_a_film_is_read_twice_and_others_for_other_pixels_or_readers(
    reader: OpenReader, tmp_path: Path
) -> None:
    plain = film()

    def uids(dataset: Dataset, **changes: object) -> list[str]:
        return [one.sop_uid for one in made(reader, tmp_path, dataset, **changes).values()]

    first = uids(plain)
    assert uids(plain) == first
    other_pixels = film(number=9, SOPInstanceUID=plain.SOPInstanceUID, StudyInstanceUID=plain.StudyInstanceUID)
    assert not {*first} & {*uids(other_pixels)}
    assert not {*first} & {*uids(plain, reader_file="0" * 64)}
    assert not {*first} & {*uids(plain, operating_point="other")}


def test_a_verdict_is_a_verified_report_that_follows_the_one_of_the_reader(reader: OpenReader, tmp_path: Path) -> None:
    file = tmp_path / "film.dcm"
    file.write_bytes(as_bytes(film()))
    row, pixels = reader.read(file, "x")
    (before, _) = objects(source(file), row, pixels)
    signed = identifiers.Signed(
        "Amal Idris^", "Clinic", "disagree", "the heart hides it", "positive", "left lower lobe", now()
    )
    (made,) = objects(
        source(file), row, pixels, occasion="verdict:1", signed=signed, trail="f" * 64,
        predecessor=(before.series_uid, before.sop_class, before.sop_uid),
    )  # fmt: skip
    assert errors(made, tmp_path) == []
    found = highdicom.sr.srread(io.BytesIO(made.content))
    assert (found.VerificationFlag, found.PreliminaryFlag) == ("VERIFIED", "FINAL")
    assert found.VerifyingObserverSequence[0].VerifyingObserverName == "Amal Idris^"
    (study,) = found.PredecessorDocumentsSequence
    (reference,) = study.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert reference.ReferencedSOPInstanceUID == before.sop_uid != found.SOPInstanceUID
    (group,) = found.content.get_image_measurement_groups()
    codes = {item.name.meaning: item.value.meaning for item in group.get_qualitative_evaluations()}
    assert codes["Verdict of a clinician on the reading"] == "Disagree"
    assert codes["Final diagnosis"] == "Pneumonia positive"
    for text in (b"the heart hides it", b"left lower lobe", b"f" * 64):
        assert text in made.content


def test_the_picture_shows_heatmap_outline_answer_and_disclaimer(reader: OpenReader, tmp_path: Path) -> None:
    y, x = np.mgrid[:112, :112]
    lungs = packed(np.where((x - 56) ** 2 + (y - 56) ** 2 < 900, 255, 0).astype(np.uint8))
    capture = opened(made(reader, tmp_path, film(side=1024), lungs=lungs, status="suspected")["sc"])
    pixels = capture.pixel_array.astype(int)
    assert pixels.shape[2] == 3 and pixels.shape[0] > pixels.shape[1]  # the answer stands below the film
    film_part = pixels[:1024]
    blue = (film_part[..., 2] - film_part[..., 0] > 60) & (film_part[..., 1] > 120)
    rows, columns = np.nonzero(blue)
    radius = np.hypot(rows - 512, columns - 512)
    assert len(rows) > 500 and np.percentile(abs(radius - 30 / 112 * 1024), 95) < 16
    assert DISCLAIMER in capture.ImageComments
    assert capture.BurnedInAnnotation == "NO" and "DERIVED" in capture.ImageType


def test_the_picture_is_the_overlay_with_words_below(reader: OpenReader, tmp_path: Path) -> None:
    file = tmp_path / "film.dcm"
    file.write_bytes(as_bytes(film(side=1024)))
    row, pixels = reader.read(file, "x")
    assert pixels is not None and row.heatmap is not None and row.lungs is not None
    lungs = unpacked(row.lungs) / np.float32(255)
    for shown, left in ((pixels, 0), (np.ascontiguousarray(pixels[::4, ::8]), 176)):
        framed = np.asarray(capture.picture(shown, row).convert("RGB"))
        expected = overlay(shown, unpacked(row.heatmap), row.heatmap_reference, lungs=lungs)
        height, width = shown.shape
        np.testing.assert_array_equal(framed[:height, left : left + width], expected)
        assert (framed[:height, :left] == capture.GROUND).all() and (framed[-1, -1] == capture.GROUND).all()


def test_arabic_is_shaped_as_a_shaper_of_its_own_does(reader: OpenReader, tmp_path: Path) -> None:
    assert [f"{ord(sign):04X}" for sign in arabic.shaped("لا سلام")] == [
        *("FEE1", "FEFC", "FEB3"),  # salam, from the left: meem isolated, lam-alef at its end, seen that begins
        *("0020", "FEFB"),
    ]
    assert arabic.shaped("صورة") == "\ufe93\ufead\ufeee\ufebb"
    with pytest.raises(ValueError, match="more than Arabic"):
        arabic.shaped("سنة 3")
    said = (Path(__file__).parents[2] / "app" / "src" / "i18n" / "ar.ts").read_text(encoding="utf-8")
    for sentence in SENTENCES:  # as the app says it, with a sign in the font for each of its letters
        assert f"'{sentence}'" in said
        for sign in set(arabic.shaped(sentence)) - {" "}:
            font = arabic.font(40)
            assert font.getmask(sign).getbbox() and bytes(font.getmask(sign)) != bytes(font.getmask("\u0e01"))


def test_no_row_of_text_is_cut(reader: OpenReader) -> None:
    for sentence in [*SENTENCES, DISCLAIMER, "gjpqy"]:
        font = arabic.font(36) if sentence in SENTENCES else capture._font(36)
        for row in capture._rows(sentence, font, 50, 900):
            left, top, right, bottom = capture._drawn(row, 900).getbbox() or (0, 0, 0, 0)
            assert right - left > 0 and right <= 900 and top > 0 and bottom < 2 * row.high


def test_the_picture_of_an_arabic_clinic_says_it_in_both_languages(reader: OpenReader, tmp_path: Path) -> None:
    file = tmp_path / "film.dcm"
    file.write_bytes(as_bytes(film(side=1024)))
    row, pixels = reader.read(file, "x")
    assert pixels is not None
    for status, side in [*((status, None) for status in STATUSES), ("suspected", "both")]:
        row.status, row.side = status, side
        english, both = (capture.picture(pixels, row, language) for language in ("en", "ar"))
        assert both.height > english.height and both.width == english.width
        strip = np.asarray(both.convert("L"))[1024 : 1024 + 80]
        assert (strip[:, 700:] > 150).sum() > 300  # the answer stands at the right
    shown = {one.kind: opened(one) for one in objects(source(file), row, pixels, "ar")}
    assert shown["sc"].Rows == both.height and shown["sr"].Modality == "SR"


def test_a_validator_of_the_standard_finds_nothing(reader: OpenReader, tmp_path: Path) -> None:
    """dicom-validator reads the standard as DocBook, which it fetches once; without network, give its folder."""
    import os

    standard = Path(os.environ.get("DICOM_STANDARD", Path.home() / "dicom-validator"))
    if not (standard / "editions.json").exists() and not list(standard.glob("*/json")):
        pytest.skip(f"the DICOM standard as DocBook is not in {standard}; set DICOM_STANDARD to a folder that has it")
    for one in made(reader, tmp_path, film()).values():
        file = tmp_path / f"{one.kind}.dcm"
        file.write_bytes(one.content)
        command = ["validate_iods", "--edition", "local", "--standard-path", standard, file]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_rows_of_readings_hold_the_maps_that_pages_and_pictures_draw(reader: OpenReader, tmp_path: Path) -> None:
    file = tmp_path / "film.dcm"
    file.write_bytes(as_bytes(film()))
    row, pixels = reader.read(file, "x")
    assert isinstance(row, FilmReading) and row.heatmap is not None
    assert pixels is not None and pixels.shape == (row.height, row.width)
    heatmap = np.load(io.BytesIO(row.heatmap))
    assert heatmap.dtype == np.float16 and heatmap.ndim == 2 and {"logits", "gate", "embedding"} <= row.line.keys()
