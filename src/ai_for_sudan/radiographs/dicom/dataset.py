"""The elements of a DICOM file that a film needs: found in a bounded number of steps, the others stepped over.

A name is never looked at, and what an element holds is parsed into values only after its length was seen.
"""

from __future__ import annotations

import io

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag

from ai_for_sudan.contract.limits import LARGEST_FILE
from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs.dicom.bounded import LARGEST_TEXT, Bounded, Deflated, inflate
from ai_for_sudan.radiographs.dicom.delimiters import closed

#: bytes: more than the lookup tables of a film (PS3.3 C.11) have
LARGEST_TABLE = 1_000_000
MOST_FRAGMENTS = 100_000

_TEXTS = """
    SpecificCharacterSet Modality BodyPartExamined ViewPosition ImageLaterality Laterality PatientSex PatientAge
    PatientBirthDate StudyDate SeriesDate AcquisitionDate ContentDate InstitutionName CodeValue CodeMeaning
    SamplesPerPixel PhotometricInterpretation PlanarConfiguration NumberOfFrames Rows Columns BitsAllocated BitsStored
    HighBit PixelRepresentation PixelPaddingValue PixelPaddingRangeLimit PresentationLUTShape WindowCenter
    WindowWidth VOILUTFunction
    RescaleIntercept RescaleSlope RescaleType LUTDescriptor RedPaletteColorLookupTableDescriptor
    GreenPaletteColorLookupTableDescriptor BluePaletteColorLookupTableDescriptor
""".split()  # noqa: SIM905
_TABLES = """
    ViewCodeSequence ModalityLUTSequence VOILUTSequence LUTData RedPaletteColorLookupTableData
    GreenPaletteColorLookupTableData BluePaletteColorLookupTableData SegmentedRedPaletteColorLookupTableData
    SegmentedGreenPaletteColorLookupTableData SegmentedBluePaletteColorLookupTableData
""".split()  # noqa: SIM905
_PIXELS = 0x7FE00010


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword  # a word of ours, not a film's
    return tag


_LARGEST = {_tag(word): LARGEST_TEXT for word in _TEXTS} | {_tag(word): LARGEST_TABLE for word in _TABLES}
_WANTED: list[BaseTag | int] = [*_LARGEST, _PIXELS]
#: the pixels' kinds of value that stay bytes; None in a file that names none, "OB or OW" in one that promised to
_BYTES = {"OB", "OW", "OB or OW", "UN", None}


def read_dataset(data: bytes) -> Dataset:
    """Header and pixels, as far as they concern a film.

    Raises:
        UnreadableFilm: the file grows beyond all measure when it is opened, or has more or longer elements than a film.
    """
    data = closed(data)
    try:
        dataset = read_partial(_Film(data), force=True, specific_tags=_WANTED)
    except Deflated as found:
        try:
            dataset = read_partial(_Film(inflate(memoryview(data)[found.at :])), force=True, specific_tags=_WANTED)
        except Deflated as again:
            raise UnreadableFilm("damaged", "the DICOM file is deflated twice") from again
    pixels = dataset.get_item(_PIXELS) if _PIXELS in dataset else None
    if pixels is not None and (not isinstance(pixels, RawDataElement) or pixels.VR not in _BYTES):
        raise UnreadableFilm("damaged", "the DICOM file's pixels are not bytes")
    if pixels is not None and pixels.length == 0xFFFFFFFF:
        _check_fragments(pixels.value or b"", "little" if pixels.is_little_endian else "big")
    return dataset


class _Film(Bounded, io.BytesIO):
    """A film's file, none of whose elements is longer than a film's."""

    _value_read = 0
    _longest = LARGEST_FILE  # of the value that is being read

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > 0 and size != 8:
            self._value_read += size
            if self._value_read > self._longest:
                raise UnreadableFilm("damaged", "an element of the DICOM header is longer than that of any film")
        found = super().read(size)
        if size == 8:  # an element begins: its tag and the length of its value, or kind and length
            tag = int.from_bytes(found[:2], "little") << 16 | int.from_bytes(found[2:4], "little")
            swapped = int.from_bytes(found[:2], "big") << 16 | int.from_bytes(found[2:4], "big")
            self._value_read, self._longest = 0, self._limit(tag, swapped)
        return found

    @staticmethod
    def _limit(*tags: int) -> int:
        if any(tag >> 16 == 2 for tag in tags):  # of the meta header every element is read
            return LARGEST_TEXT
        return min(_LARGEST.get(tag, LARGEST_FILE) for tag in tags)


def _check_fragments(pixels: bytes, order: str) -> None:
    """Encapsulated pixels (PS3.5 A.4): a table of offsets, then items; one frame has few."""
    at = count = 0
    while at + 8 <= len(pixels):
        length = int.from_bytes(pixels[at + 4 : at + 8], order)  # type: ignore[arg-type]
        if (count == 0 and length > LARGEST_TEXT) or count > MOST_FRAGMENTS:
            raise UnreadableFilm("damaged", "the film's pixels lie in more pieces than any device writes")
        count += 1
        at += 8 + length
