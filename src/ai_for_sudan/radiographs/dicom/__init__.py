"""DICOM films, as a workstation shows them (PS3.3 C.11), bone white."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from ai_for_sudan.contract.codes import Remark
from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs.dicom.cells import cells_of
from ai_for_sudan.radiographs.dicom.colour import grey_of_colours
from ai_for_sudan.radiographs.dicom.dataset import read_dataset
from ai_for_sudan.radiographs.dicom.defaults import with_defaults
from ai_for_sudan.radiographs.dicom.header import read_header
from ai_for_sudan.radiographs.dicom.limits import check
from ai_for_sudan.radiographs.dicom.picture import picture_of
from ai_for_sudan.radiographs.radiograph import FullRange, Radiograph, RefusedByHeader

__all__ = ["decode", "full_range"]


def decode(data: bytes) -> Radiograph:
    """Decode a DICOM file to what a workstation shows, stretched over the whole range of grey.

    Raises:
        RefusedByHeader: the header rules out a frontal chest film, and the pixels could not be decoded either.
        UnreadableFilm: no pixels, several frames, too many pixels, damaged, or no decoder for its transfer syntax.
    """
    dataset = read_dataset(data)
    header, ruled_out = read_header(dataset)
    try:
        cells, remarks = _cells(dataset)
        if cells.ndim == 3:
            return Radiograph(grey_of_colours(cells, dataset), header, ruled_out, remarks)
        picture = picture_of(cells, dataset)
    except UnreadableFilm as error:
        if ruled_out:
            raise RefusedByHeader(ruled_out) from error
        raise
    return Radiograph(picture.pixels, header, ruled_out, remarks + picture.remarks)


def full_range(data: bytes) -> FullRange | None:
    """Return the film's values before its window; None of a colour film and of one that shows all that it has.

    Raises:
        UnreadableFilm: as :func:`decode`.
    """
    dataset = read_dataset(data)
    cells, _ = _cells(dataset)
    return picture_of(cells, dataset).full_range() if cells.ndim == 2 else None


def _cells(dataset: Dataset) -> tuple[np.ndarray, tuple[Remark, ...]]:
    """The film's cells, unsigned ``(H, W)`` or ``(H, W, 3)``, and what its header lacks."""
    check(dataset)
    missing = with_defaults(dataset)
    cells, remarks = cells_of(dataset)
    return cells, missing + remarks
