"""Lossless JPEG against an encoder written from the standard's encoding side, and through a DICOM file."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from dicom_film import as_bytes, dicom
from lossless_jpeg import encode
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLosslessSV1

from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs import read_radiograph
from ai_for_sudan.radiographs.dicom.jpeg_lossless import decode


def noise(precision: int) -> np.ndarray:
    """Smooth and rough, with both ends of the range. uint16 (23, 31)."""
    rng = np.random.default_rng(precision)
    film = (rng.random((23, 31)) ** 3 * (2**precision - 1)).astype(np.uint16)
    film[5:9], film[12, 3], film[13, 3] = 7, 0, 2**precision - 1
    return film


@pytest.mark.parametrize("predictor", [1, 2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("precision", [8, 12, 16])
def test_every_predictor_gives_the_samples_back(predictor: int, precision: int) -> None:
    film = noise(precision)
    np.testing.assert_array_equal(decode(encode(film, predictor=predictor, precision=precision)), film)


def test_a_point_transform_loses_the_low_bits_only() -> None:
    film = noise(12)
    np.testing.assert_array_equal(decode(encode(film, predictor=1, precision=12, shift=2)), film >> 2 << 2)


def test_restart_intervals_and_fill_bytes_before_their_markers() -> None:
    film = noise(12)
    for predictor in (1, 2, 4, 7):
        stream = encode(film, predictor=predictor, precision=12, interval=5, fill=3)
        np.testing.assert_array_equal(decode(stream), film)


def test_differences_of_32768_have_no_further_bits() -> None:
    film = np.array([[32768, 0, 32768, 65535, 32767]], dtype=np.uint16)
    np.testing.assert_array_equal(decode(encode(film, predictor=1, precision=16)), film)


def lossless(stream: bytes, film: np.ndarray, **elements: object) -> bytes:
    """A film of twelve bits that says it is coded by ``stream``."""
    data = dicom(film, BitsStored=12, HighBit=11, PixelData=encapsulate([stream]), **elements)
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    return as_bytes(data)


def test_a_lossless_film_is_read_from_dicom() -> None:
    film = noise(12)
    expected = (film.astype(float) / film.max() * 255 + 0.5).astype(np.uint8)
    stream = encode(film, predictor=1, precision=12)
    np.testing.assert_array_equal(read_radiograph(lossless(stream, film)).pixels, expected)
    signed = (film.astype(np.int16) - 2048).astype(np.uint16) & 0xFFF
    stream = encode(signed, predictor=1, precision=12)
    np.testing.assert_array_equal(read_radiograph(lossless(stream, film, PixelRepresentation=1)).pixels, expected)


def test_damaged_streams_have_a_reason() -> None:
    film = noise(12)
    stream = encode(film, predictor=1, precision=12)
    for damaged in (stream[:200], stream[:60], b"\xff\xd8\xff", stream.replace(b"\xff\xc4", b"\xff\xe4")):
        with pytest.raises(UnreadableFilm) as caught:
            read_radiograph(lossless(damaged, film))
        assert caught.value.code in ("truncated", "damaged")
    with pytest.raises(UnreadableFilm):
        read_radiograph(lossless(stream, film[:23, :30]))


def test_mutated_streams_give_a_film_or_a_reason() -> None:
    film = noise(12)
    stream = encode(film, predictor=4, precision=12)
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(500):
        changed = bytearray(stream)
        for at in rng.integers(2, len(stream), int(rng.integers(1, 4))):
            changed[at] = int(rng.integers(256))
        try:
            outcomes.add(read_radiograph(lossless(bytes(changed), film)).pixels.shape)
        except UnreadableFilm as error:
            outcomes.add(error.code)
    assert {film.shape, "truncated"} <= outcomes


@pytest.mark.skipif(importlib.util.find_spec("gdcm") is None, reason="GDCM is not installed")
def test_a_film_that_gdcm_compressed_is_read(tmp_path: Path) -> None:
    import gdcm

    film = noise(12).repeat(8, 0).repeat(8, 1)
    plain = tmp_path / "plain.dcm"
    plain.write_bytes(lossless(b"\xff\xd8\xff\xd9", film))
    from pydicom import dcmread
    from pydicom.uid import ExplicitVRLittleEndian

    data = dcmread(plain)
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.PixelData = film.tobytes()
    data["PixelData"].is_undefined_length = False
    data.save_as(plain)
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(plain))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFileName(str(tmp_path / "packed.dcm"))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    np.testing.assert_array_equal(read_radiograph(tmp_path / "packed.dcm").pixels, read_radiograph(plain).pixels)
