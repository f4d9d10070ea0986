"""What a DICOM header says of a film."""

from __future__ import annotations

from pydicom.dataset import Dataset

from ai_for_sudan.contract import ages
from ai_for_sudan.contract.headers import LONGEST_MEANING, code_string
from ai_for_sudan.radiographs.radiograph import Header


def read_header(dataset: Dataset) -> Header:
    """The facts that concern a film."""

    def text(keyword: str) -> str | None:
        return code_string(dataset.get(keyword))

    examined = next((found for keyword in ages.EXAMINED if (found := text(keyword))), None)
    return Header(
        modality=text("Modality"),
        body_part=text("BodyPartExamined"),
        view=text("ViewPosition") or _coded_view(dataset),
        laterality=text("ImageLaterality") or text("Laterality"),
        sex=text("PatientSex"),
        age_years=ages.age_years(text("PatientAge"), text("PatientBirthDate"), examined),
        photometric=text("PhotometricInterpretation"),
        study_date=ages.iso_date(examined),
        institution=str(dataset.get("InstitutionName", "") or "").strip() or None,
    )


def _coded_view(dataset: Dataset) -> str | None:
    """The meaning of View Code Sequence (PS3.3 C.8.11.5), where a digital radiograph has no View Position."""
    try:
        return code_string(dataset.ViewCodeSequence[0].CodeMeaning, LONGEST_MEANING)
    except (AttributeError, IndexError, TypeError):
        return None
