"""DICOM films, by pydicom, as a workstation shows them (PS3.3 C.11), bone white."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from ai_for_sudan.contract import polarity
from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs.dicom.dataset import read_dataset
from ai_for_sudan.radiographs.dicom.header import read_header
from ai_for_sudan.radiographs.dicom.limits import check
from ai_for_sudan.radiographs.dicom.picture import grey_values
from ai_for_sudan.radiographs.dicom.stored_values import stored_values
from ai_for_sudan.radiographs.dicom.unwindowed import before_window
from ai_for_sudan.radiographs.radiograph import FullRange, Radiograph, RefusedByHeader

__all__ = ["decode", "full_range"]


def decode(data: bytes) -> Radiograph:
    """Decode a DICOM file to what a workstation shows, stretched over the whole range of grey.

    Raises:
        RefusedByHeader: the header rules out a frontal chest film, and the pixels could not be decoded either.
        UnreadableFilm: no pixels, several frames, too many pixels, damaged, or no decoder for its transfer syntax.
    """
    film, _, _ = _decoded(data)
    return film


def full_range(data: bytes) -> FullRange | None:
    """The film's values before its window, or None where it has none (:func:`before_window`).

    Raises:
        UnreadableFilm: as :func:`decode`.
    """
    film, stored, dataset = _decoded(data)
    return before_window(stored, film.pixels, dataset)


def _decoded(data: bytes) -> tuple[Radiograph, np.ndarray, Dataset]:
    """The film, with its stored values and the data set that they come from."""
    dataset = read_dataset(data)
    header, ruled_out = read_header(dataset)
    try:
        check(dataset)
        stored = stored_values(dataset)
        grey = grey_values(stored, dataset)
    except UnreadableFilm as error:
        if ruled_out:
            raise RefusedByHeader(ruled_out) from error
        raise
    inverts, contradictions = polarity.inverts(header.photometric, grey)
    if inverts:
        np.subtract(255, grey, out=grey)  # in place: the stored values of a large film are in memory too
    return Radiograph(grey, header, ruled_out, contradictions), stored, dataset
