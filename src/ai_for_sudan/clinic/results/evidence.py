"""What results take over from the film: identifiers that a PACS files them by, and UIDs that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import UID

from ai_for_sudan.clinic.header import facts_of, header_of
from ai_for_sudan.clinic.store.tables import FilmReading
from ai_for_sudan.clinic.uids import derived

MANUFACTURER = "AI for Sudan"
#: of the two series of results in a study; devices number theirs from 1
SERIES_NUMBERS = {"sr": 9001, "sc": 9002}
#: what PS3.3 wants to be there in every study and patient, and devices leave out
ALWAYS_THERE = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate"),
    *("StudyTime", "ReferringPhysicianName"),
)
#: of the film's header, what goes into its results: identifiers that a PACS files them by, and no more
COPIED = (
    *ALWAYS_THERE,
    *("SpecificCharacterSet", "IssuerOfPatientID", "PatientAge", "StudyDescription", "SOPClassUID", "Modality"),
)


@dataclass(frozen=True)
class Names:
    """The UIDs of a reading's objects of one kind."""

    sop: str
    series: str


def names(film: Dataset, reading: FilmReading, kind: str) -> Names:
    """UIDs that are the same whenever and wherever the same reader reads the same film."""
    reader = (reading.reader_file, reading.operating_point)
    return Names(
        derived("result", kind, str(film.SOPInstanceUID), reading.pixels, *reader),
        derived("series", kind, str(film.StudyInstanceUID), *reader),
    )


def evidence(film: Path) -> Dataset:
    """What results copy from a film's header: every element that they need is there, and none that is damaged."""
    found = header_of(film)
    facts = facts_of(found, film.name)
    clean = Dataset()
    for keyword in COPIED:
        try:
            value = found.get(keyword, None)
            if value is not None:
                setattr(clean, keyword, value)
        except Exception:  # a value outside the standard stays behind
            continue
    for keyword in ALWAYS_THERE:
        if keyword not in clean:
            setattr(clean, keyword, "" if keyword not in ("StudyDate", "StudyTime") else None)
    if clean.PatientSex not in ("M", "F", "O", ""):
        clean.PatientSex = ""
    clean.SOPInstanceUID = UID(str(facts.film["sop_uid"]))
    clean.SOPClassUID = UID(str(facts.film["sop_class"]))
    clean.StudyInstanceUID = UID(str(facts.study["uid"]))
    clean.SeriesInstanceUID = UID(str(facts.film["series_uid"]))
    clean.Rows, clean.Columns = int(found.get("Rows", 0) or 0), int(found.get("Columns", 0) or 0)
    return clean
