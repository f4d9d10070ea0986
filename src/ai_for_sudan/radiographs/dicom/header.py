"""What a DICOM header says of a film, and what of it rules out a frontal chest film."""

from __future__ import annotations

import re
from datetime import date

from pydicom.dataset import Dataset

from ai_for_sudan.radiographs.radiograph import Header, Remark

RADIOGRAPHY = {"CR", "DX", "RG", "DR", "XR", "OT", "SC"}  # PS3.3 C.7.3.1.1.1, and two that devices invent
CHEST = re.compile("CHEST|THORAX|TORAX|LUNG|RIB|PULMO|^(UNKNOWN|OTHER|ANY|NONE|NA|UNDEFINED)?$")
LATERAL = re.compile("LAT|^(LL|RL|LLD|RLD)$")  # PS3.3 C.8.1.1 View Position, and as it is written by hand


def read_header(dataset: Dataset) -> Header:
    """The facts that concern a film."""

    def text(keyword: str) -> str | None:
        # A damaged header may run on into names and control characters; a Code String (PS3.5 6.2) has 16 at most.
        value = re.sub(r"[^\x20-\x7e]+", " ", str(dataset.get(keyword, "") or "")).strip().upper()
        return value[:16].strip() or None

    return Header(
        modality=text("Modality"),
        body_part=text("BodyPartExamined"),
        view=text("ViewPosition") or _coded_view(dataset),
        laterality=text("ImageLaterality") or text("Laterality"),
        sex=text("PatientSex"),
        age_years=_age(text("PatientAge"), text("PatientBirthDate"), text("StudyDate")),
        photometric=text("PhotometricInterpretation"),
        study_date=_date(text("StudyDate") or text("AcquisitionDate")),
        institution=str(dataset.get("InstitutionName", "") or "").strip() or None,
    )


def _coded_view(dataset: Dataset) -> str | None:
    """The meaning of View Code Sequence (PS3.3 C.8.11.5), where a digital radiograph has no View Position."""
    try:
        return str(dataset.ViewCodeSequence[0].CodeMeaning).strip().upper()[:64] or None
    except (AttributeError, IndexError, TypeError):
        return None


def refusals(header: Header) -> tuple[Remark, ...]:
    """``(code, reason)`` for which the header alone rules out a frontal chest film."""
    found: list[Remark] = []
    if header.modality and header.modality not in RADIOGRAPHY:
        found.append(("header_modality", f"the header says modality {header.modality}, not a radiograph"))
    if header.body_part and not CHEST.search(re.sub(r"[^A-Z]", "", header.body_part)):
        found.append(("header_body_part", f"the header says body part {header.body_part}, not a chest"))
    if header.view and LATERAL.search(header.view):
        found.append(("header_view", f"the header says view {header.view}, not a frontal film"))
    return tuple(found)


def _age(age: str | None, born: str | None, examined: str | None) -> float | None:
    """In years, from an Age String (PS3.5 6.2, VR AS: nnnD, nnnW, nnnM, nnnY), or else from the two dates."""
    match = re.fullmatch(r"(\d{1,3})([DWMY])", age or "")
    if match:
        return int(match[1]) * {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}[match[2]]
    try:
        days = (date.fromisoformat(_date(examined) or "") - date.fromisoformat(_date(born) or "")).days
    except ValueError:
        return None
    return days / 365.25 if 0 <= days < 120 * 365.25 else None  # others are made up, to hide who it is


def _date(text: str | None) -> str | None:
    """Date (PS3.5 6.2, VR DA): YYYYMMDD -> YYYY-MM-DD."""
    match = re.fullmatch(r"(\d{4})(\d{2})(\d{2})", text or "")
    return "-".join(match.groups()) if match else None
