"""Texts of a header whose character set is missing or wrong (PS3.3 C.12.1.1.2): Arabic names, as devices write them."""

from __future__ import annotations

import re

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from ai_for_sudan.radiographs.dicom.elements import code

#: free texts that are shown or sent on
_SHOWN = ("PatientName", "InstitutionName", "StudyDescription", "PatientID")
_NONE, _LATIN = ("", "ISO_IR 6"), "ISO_IR 100"
#: two Arabic letters or more between what is no letter
_ARABIC_WORD = re.compile(r"[\u0600-\u06ff]{2,}")


def with_character_set(dataset: Dataset) -> None:
    """Decide how the texts of a header that was just read are decoded, where it names no character set or a wrong one.

    They are UTF-8 if they mostly can be, and Windows-1256, which has Arabic and French letters, if they cannot and the
    header names no set, or if that makes Arabic words of all that is beyond ASCII. What is damaged then is marked by
    U+FFFD, the replacement character.
    """
    elements = [dataset.get_item(keyword) for keyword in _SHOWN if keyword in dataset]
    texts = b"\n".join(each.value or b"" for each in elements if isinstance(each, RawDataElement))
    declared = code(dataset, "SpecificCharacterSet")
    if texts.isascii() or declared not in (*_NONE, _LATIN, "ISO_IR 192"):
        return
    if _is_utf8(texts):
        found = "utf-8"
    elif declared in _NONE or _is_arabic(texts.decode("cp1256")):
        found = "cp1256"
    else:
        return
    implicit, little = dataset.original_encoding
    dataset.set_original_encoding(implicit, little, found)


def _is_utf8(texts: bytes) -> bool:
    """Whether more letters than damages are beyond ASCII: a text may be cut in the middle of a letter."""
    beyond = [letter for letter in texts.decode("utf-8", "replace") if not letter.isascii()]
    return 2 * beyond.count("\ufffd") < len(beyond)


def _is_arabic(text: str) -> bool:
    words = re.findall(r"\w+", text)
    return all(word.isascii() or _ARABIC_WORD.fullmatch(word) for word in words)
