"""DICOM films, by pydicom, as a workstation shows them (PS3.3 C.11), bone white."""

from __future__ import annotations

from ai_for_sudan.contract import polarity
from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs.dicom.dataset import read_dataset
from ai_for_sudan.radiographs.dicom.header import read_header
from ai_for_sudan.radiographs.dicom.limits import check
from ai_for_sudan.radiographs.dicom.picture import grey_values
from ai_for_sudan.radiographs.dicom.stored_values import stored_values
from ai_for_sudan.radiographs.radiograph import Radiograph, RefusedByHeader

__all__ = ["decode"]


def decode(data: bytes) -> Radiograph:
    """Decode a DICOM file to what a workstation shows, stretched over the whole range of grey.

    Raises:
        RefusedByHeader: the header rules out a frontal chest film, and the pixels could not be decoded either.
        UnreadableFilm: no pixels, several frames, too many pixels, damaged, or no decoder for its transfer syntax.
    """
    dataset = read_dataset(data)
    header, ruled_out = read_header(dataset)
    try:
        check(dataset)
        grey = grey_values(stored_values(dataset), dataset)
    except UnreadableFilm as error:
        if ruled_out:
            raise RefusedByHeader(ruled_out) from error
        raise
    inverts, contradictions = polarity.inverts(header.photometric, grey)
    return Radiograph(255 - grey if inverts else grey, header, ruled_out, contradictions)
