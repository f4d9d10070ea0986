"""DICOM films for the tests, made of arrays."""

from __future__ import annotations

import io

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid


def dicom(pixels: np.ndarray, **elements: object) -> Dataset:
    """An uncompressed film: ``pixels`` uint8 or 16 bits ``(H, W)``, or ``(H, W, 3)`` with their photometric."""
    film = Dataset()
    film.preamble = b"\0" * 128
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film.file_meta.MediaStorageSOPClassUID = film.SOPClassUID = ComputedRadiographyImageStorage
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID = generate_uid()
    film.Modality, film.PhotometricInterpretation = "CR", "MONOCHROME2"
    film.SamplesPerPixel = pixels.shape[2] if pixels.ndim == 3 else 1
    film.Rows, film.Columns = pixels.shape[:2]
    film.BitsAllocated = film.BitsStored = 8 * pixels.dtype.itemsize
    film.HighBit, film.PixelRepresentation = film.BitsStored - 1, int(pixels.dtype.kind == "i")
    film.PixelData = pixels.tobytes()
    for keyword, value in elements.items():
        setattr(film, keyword, value)
    return film


def of_a_child(pixels: np.ndarray, **elements: object) -> Dataset:
    """A frontal chest film of a child of three."""
    known = {"Modality": "DX", "BodyPartExamined": "CHEST", "ViewPosition": "AP", "PatientAge": "003Y"}
    return dicom(pixels, **known | elements)


def as_bytes(film: Dataset) -> bytes:
    """The file."""
    file = io.BytesIO()
    film.save_as(file, enforce_file_format=True)
    return file.getvalue()
