"""DICOM objects as bytes: what all results of a reader share is encoded once, what is a film's own for each film."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from pydicom.charset import convert_encodings
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID

#: tag -> the element, encoded in explicit VR little endian (PS3.5 7.1.2)
Elements = dict[int, bytes]
#: the place of a UID that is not known yet
NOWHERE = "2.25.0"


@lru_cache(maxsize=64)
def element(keyword: str, value: object) -> bytes:
    """One element without free text, encoded."""
    return _encoded(DataElement(keyword, dictionary_VR(keyword), value))


def elements(dataset: Dataset) -> Elements:
    """All elements, encoded.

    Sequences have no length but an end (PS3.5 7.5.2): what stands in them can be replaced by something longer.
    """
    encodings = convert_encodings(dataset.get("SpecificCharacterSet", None))
    found = {}
    for one in dataset:
        for sequence in _sequences(one):
            sequence.is_undefined_length = True
            for item in sequence.value:
                item.is_undefined_length_sequence_item = True
        found[int(one.tag)] = _encoded(one, encodings)
    return found


def _encoded(one: DataElement, encodings: list[str] | None = None) -> bytes:
    file = DicomBytesIO()
    file.is_little_endian, file.is_implicit_VR = True, False
    write_data_element(file, one, encodings)
    return file.getvalue()


def _sequences(one: DataElement) -> Iterator[DataElement]:
    if one.VR == "SQ":
        yield one
        for item in one.value:
            for inner in item:
                yield from _sequences(inner)


def filled(blank: Elements, places: Mapping[bytes, bytes]) -> Elements:
    """A blank with other elements in place of those that hold a film's place."""
    found = {}
    for tag, content in blank.items():
        for place, value in places.items():
            content = content.replace(place, value)
        found[tag] = content
    return found


def file_of(parts: Sequence[Elements], sop_class: UID, sop_uid: str, syntax: UID) -> bytes:
    """A DICOM file (PS3.10 7) of elements; of those that stand in several parts the last one counts."""
    keyword = "MediaStorageSOPInstanceUID"
    meta = b"".join(filled(_meta(sop_class, syntax), {element(keyword, NOWHERE): element(keyword, sop_uid)}).values())
    together = {tag: content for part in parts for tag, content in part.items()}
    start = bytes(128) + b"DICM" + element("FileMetaInformationGroupLength", len(meta)) + meta
    return start + b"".join(together[tag] for tag in sorted(together))


@lru_cache(maxsize=8)
def _meta(sop_class: UID, syntax: UID) -> Elements:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, UID(NOWHERE)
    meta.TransferSyntaxUID, meta.ImplementationClassUID = syntax, PYDICOM_IMPLEMENTATION_UID
    return elements(meta)
