"""What results take over from the film: identifiers that a PACS files them by, and UIDs that follow from it.

Of two results of one reader nearly everything is alike. So each kind is made once as a blank, of no film and nobody;
a film's result is the blank with what is its own filled in.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import UID

from ai_for_sudan import __version__
from ai_for_sudan.clinic.header import header_of, text_of, uid_of
from ai_for_sudan.clinic.results.encoding import NOWHERE, Elements, element, elements
from ai_for_sudan.clinic.store.tables import FilmReading
from ai_for_sudan.clinic.uids import derived

#: value, scheme and meaning
Code = tuple[str, str, str]
MANUFACTURER, MODEL = "AI for Sudan", "ai-for-sudan"
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


@dataclass(frozen=True)
class Names:
    """The UIDs of a reading's objects of one kind."""

    sop: str
    series: str

    @property
    def elements(self) -> Elements:
        named = Dataset()
        named.SOPInstanceUID, named.SeriesInstanceUID = self.sop, self.series
        return elements(named)


@dataclass(frozen=True)
class Source:
    """A film's part in its results.

    Attributes:
        header: what is copied: every element that results need is there, and none that is damaged.
        elements: of patient, study and the moment of the reading, encoded.
        places: what stands for the film in a blank -> what names it.
        moment: date and time of the reading, of the clinic.
    """

    header: Dataset
    elements: Elements
    places: dict[bytes, bytes]
    moment: tuple[str, str]


def names(film: Dataset, reading: FilmReading, kind: str) -> Names:
    """UIDs that are the same whenever and wherever the same reader reads the same film."""
    reader = (reading.reader_file, reading.operating_point)
    return Names(
        derived("result", kind, str(film.SOPInstanceUID), reading.pixels, *reader),
        derived("series", kind, str(film.StudyInstanceUID), *reader),
    )


def source(film: Path, reading: FilmReading) -> Source:
    """What results take over from a film's file and its reading."""
    header = evidence(film)
    own = Dataset()
    for keyword in (*ALWAYS_THERE, *THERE_IF_KNOWN, "StudyInstanceUID"):
        if keyword in header:
            own[keyword] = header[keyword]
    # Not when this object was made: made twice, it is the same object.
    local = reading.read_at.astimezone()
    date, time = local.strftime("%Y%m%d"), local.strftime("%H%M%S")
    own.ContentDate = own.InstanceCreationDate = own.SeriesDate = date
    own.ContentTime = own.InstanceCreationTime = own.SeriesTime = time
    own.TimezoneOffsetFromUTC = local.strftime("%z")
    uids = {
        "StudyInstanceUID": header.StudyInstanceUID,
        "SeriesInstanceUID": header.SeriesInstanceUID,
        "ReferencedSOPClassUID": header.SOPClassUID,
        "ReferencedSOPInstanceUID": header.SOPInstanceUID,
    }
    places = {element(keyword, NOWHERE): element(keyword, uid) for keyword, uid in uids.items()}
    return Source(header, elements(own), places, (date, time))


def evidence(film: Path) -> Dataset:
    """What results copy from a film's header: every element that they need is there, and none that is damaged."""
    found = header_of(film)
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
    clean.SOPClassUID = UID(text_of(found, "SOPClassUID"))
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        setattr(clean, keyword, UID(uid_of(found, keyword, film.name)))
    return clean


def character_set(header: Dataset) -> str:
    """Values of (0008,0005), with backslashes; empty for the default."""
    found = header.get("SpecificCharacterSet", "") or ""
    return found if isinstance(found, str) else "\\".join(found)


def equipment(kind: str, reader: str, reader_file: str, character_set: str) -> Dataset:
    """What made a result of a kind: the beginning of a blank.

    Args:
        character_set: of the film, for the blank's own texts.
    """
    made = Dataset()
    if character_set:
        made.SpecificCharacterSet = character_set.split("\\")
    made.Manufacturer, made.ManufacturerModelName, made.SoftwareVersions = MANUFACTURER, MODEL, __version__
    made.DeviceSerialNumber = reader_file[:16]
    made.SeriesNumber, made.InstanceNumber = SERIES_NUMBERS[kind], 1
    made.SeriesDescription = f"AI for Sudan: {'report' if kind == 'sr' else 'picture'} of {reader}"[:64]
    return made


def film_place() -> Dataset:
    """Where a blank refers to the film (PS3.3 10.8)."""
    made = Dataset()
    made.ReferencedSOPClassUID = made.ReferencedSOPInstanceUID = NOWHERE
    return made


def coded(code: Code) -> Dataset:
    """A code (PS3.3 8.8)."""
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = code
    return made
