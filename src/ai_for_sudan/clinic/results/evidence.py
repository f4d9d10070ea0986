"""What results take over from the film: identifiers that a PACS files them by, and UIDs that follow from it.

Of two results of one reader nearly everything is alike, and highdicom takes a while to make and check it. So each kind
is made once as a blank, of no film and no patient; a film's result is the blank with what is its own filled in.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import UID, ComputedRadiographyImageStorage

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
THERE_IF_KNOWN = ("SpecificCharacterSet", "IssuerOfPatientID", "PatientAge", "StudyDescription")
#: of the film's header, what is looked at: identifiers that a PACS files results by, and no more
COPIED = (*ALWAYS_THERE, *THERE_IF_KNOWN, "SOPClassUID", "Modality")


#: held while a blank is made: several at once would each need highdicom's table of the whole standard
MAKING = threading.Lock()


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


def nobody(character_set: str) -> Dataset:
    """The header of no film, to make a blank of.

    Args:
        character_set: values of (0008,0005), with backslashes; of the film, for the blank's own texts.
    """
    header = Dataset()
    for keyword in ALWAYS_THERE:
        setattr(header, keyword, "" if keyword not in ("StudyDate", "StudyTime") else None)
    if character_set:
        header.SpecificCharacterSet = character_set.split("\\")
    header.SOPClassUID, header.Modality = ComputedRadiographyImageStorage, "CR"
    header.SOPInstanceUID = header.StudyInstanceUID = header.SeriesInstanceUID = UID("2.25.0")
    return header


def character_set(header: Dataset) -> str:
    """The film's, as :func:`nobody` takes it."""
    found = header.get("SpecificCharacterSet", "") or ""
    return found if isinstance(found, str) else "\\".join(found)


def encoded(blank: Dataset) -> bytes:
    """A blank as a file. Lets go of highdicom's table of the whole standard, 60 MB that only blanks are checked by."""
    file = BytesIO()
    blank.save_as(file, enforce_file_format=True)
    with suppress(ImportError, AttributeError):  # a name of its own has changed: the table only stays
        from highdicom import _standard_utils as standard

        for table in (standard.get_iod_module_map, standard.get_module_attribute_map, standard.get_sop_class_iod_map):
            table.cache_clear()
    return file.getvalue()


def fill(blank: Dataset, header: Dataset, reading: FilmReading, names: Names) -> None:
    """Make a blank the result of this film: whose it is, where a PACS files it, and when the film was read."""
    for keyword in ALWAYS_THERE:
        setattr(blank, keyword, header[keyword].value)
    for keyword in THERE_IF_KNOWN:
        if keyword in header:
            blank[keyword] = header[keyword]
    blank.StudyInstanceUID, blank.SeriesInstanceUID = header.StudyInstanceUID, names.series
    blank.SOPInstanceUID = blank.file_meta.MediaStorageSOPInstanceUID = UID(names.sop)
    # Not when this object was made: made twice, it is the same object.
    local = reading.read_at.astimezone()
    date, time = local.strftime("%Y%m%d"), local.strftime("%H%M%S")
    blank.ContentDate = blank.InstanceCreationDate = blank.SeriesDate = date
    blank.ContentTime = blank.InstanceCreationTime = blank.SeriesTime = time
    blank.TimezoneOffsetFromUTC = local.strftime("%z")
    blank.ContributingEquipmentSequence[0].ContributionDateTime = f"{date}{time}"
