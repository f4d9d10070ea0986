"""DICOM films, by pydicom: windowed (PS3.3 C.11.2), MONOCHROME1 turned, refused where the header rules out a chest."""

from __future__ import annotations

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from ai_for_sudan.contract import headers, polarity
from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs.dicom.header import read_header
from ai_for_sudan.radiographs.dicom.limits import Bounded, check, check_inflated_size
from ai_for_sudan.radiographs.dicom.picture import grey_values
from ai_for_sudan.radiographs.dicom.stored_values import stored_values
from ai_for_sudan.radiographs.radiograph import Radiograph, RefusedByHeader
from ai_for_sudan.radiographs.source import one_line

__all__ = ["decode"]


def decode(data: bytes) -> Radiograph:
    """Decode a DICOM file to what a workstation shows, stretched over the whole range of grey.

    Raises:
        RefusedByHeader: the header rules out a frontal chest film, and the pixels could not be decoded either.
        UnreadableFilm: no pixels, several frames, too many pixels, damaged, or no decoder for its transfer syntax.
    """
    check_inflated_size(data)
    try:
        dataset = dcmread(Bounded(data), force=True)
    except InvalidDicomError as error:
        raise UnreadableFilm("damaged", f"the DICOM header is damaged: {one_line(error)}") from error
    header = read_header(dataset)
    ruled_out = headers.refusals(header.modality, header.body_part, header.view)
    try:
        check(dataset)
        grey = grey_values(stored_values(dataset), dataset)
    except UnreadableFilm as error:
        if ruled_out:
            raise RefusedByHeader(ruled_out) from error
        raise
    inverts, contradictions = polarity.inverts(header.photometric, grey)
    return Radiograph(255 - grey if inverts else grey, header, ruled_out, contradictions)
