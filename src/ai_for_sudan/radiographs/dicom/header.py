"""What a DICOM header says of a film, in the standard's words: free text, which may name a patient, stays behind."""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset

from ai_for_sudan.contract import Remark, ages, headers
from ai_for_sudan.contract.headers import LONGEST_MEANING, code_string, known
from ai_for_sudan.radiographs.dicom.texts import with_character_set
from ai_for_sudan.radiographs.radiograph import Header
from ai_for_sudan.radiographs.source import one_line

#: characters of a Long String (PS3.5 6.2, VR LO)
LONGEST_NAME = 64


def read_header(dataset: Dataset) -> tuple[Header, tuple[Remark, ...]]:
    """The facts that concern a film, and why they rule out a frontal chest film."""
    with_character_set(dataset)

    def text(keyword: str) -> str | None:
        return code_string(_value(dataset, keyword))

    modality, body_part = text("Modality"), text("BodyPartExamined")
    view = text("ViewPosition") or _coded_view(dataset)
    examined = next((found for keyword in ages.EXAMINED if (found := text(keyword))), None)
    header = Header(
        modality=known("modality", modality),
        body_part=known("body_part", body_part),
        view=known("view", view),
        laterality=known("laterality", text("ImageLaterality") or text("Laterality")),
        sex=known("sex", text("PatientSex")),
        age_years=ages.age_years(text("PatientAge"), text("PatientBirthDate"), examined),
        photometric=known("photometric", text("PhotometricInterpretation")),
        study_date=ages.iso_date(examined),
        institution=_name(_value(dataset, "InstitutionName")),
    )
    return header, headers.refusals(modality, body_part, view)


def _coded_view(dataset: Dataset) -> str | None:
    """The meaning of View Code Sequence (PS3.3 C.8.11.5), where a digital radiograph has no View Position."""
    try:
        return code_string(dataset.ViewCodeSequence[0].CodeMeaning, LONGEST_MEANING)
    except (AttributeError, IndexError, TypeError, ValueError):
        return None


def _name(value: Any) -> str | None:
    """A hospital's name, which is free text by its nature: printable, and no longer than the standard allows."""
    return one_line(value)[:LONGEST_NAME].strip() if str(value or "").strip() else None


def _value(dataset: Dataset, keyword: str) -> Any:
    try:
        return dataset.get(keyword)
    except (ValueError, TypeError):  # a value that the host program told pydicom to raise for
        return None
