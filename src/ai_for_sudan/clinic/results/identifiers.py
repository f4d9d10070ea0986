"""What results take over from the film: identifiers that a PACS files them by, and UIDs that follow from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID

from ai_for_sudan import __version__
from ai_for_sudan.clinic.header import age_string
from ai_for_sudan.clinic.store.identities import Identity
from ai_for_sudan.clinic.store.tables import Film, FilmReading, Study
from ai_for_sudan.clinic.uids import derived

#: value, scheme and meaning
Code = tuple[str, str, str]
MANUFACTURER, MODEL = "AI for Sudan", "ai-for-sudan"
#: of the two series of results in a study; devices number theirs from 1
SERIES_NUMBERS = {"sr": 9001, "sc": 9002}


@dataclass(frozen=True)
class Names:
    """The UIDs of a reading's objects of one kind."""

    sop: str
    series: str


@dataclass(frozen=True)
class Source:
    """The film that results are of, as the store knows it: what its header lacked has one value everywhere."""

    film: Film
    study: Study
    identity: Identity

    def names(self, reading: FilmReading, kind: str, occasion: str = "") -> Names:
        """UIDs that are the same whenever and wherever the same reader reads the same film of the same person."""
        reader = (reading.reader_file, reading.operating_point)
        person = (self.identity.identifier, self.identity.issuer, self.identity.name)
        return Names(
            derived("result", kind, self.film.sop_uid, reading.pixels, *reader, *person, occasion),
            derived("series", kind, self.study.uid, *reader),
        )


@dataclass(frozen=True)
class Signed:
    """A verdict that a person signed.

    Attributes:
        by: the person's name, as DICOM writes it, with at least one caret.
        agreement: ``agree``, ``disagree`` or ``unsure``.
        diagnosis: ``positive``, ``negative`` or empty.
        note, diagnosis_words: in the person's own words.
    """

    by: str
    site: str
    agreement: str
    note: str
    diagnosis: str
    diagnosis_words: str
    at: datetime


def result_of(source: Source, reading: FilmReading, names: Names, kind: str, moment: datetime) -> Dataset:
    """The beginning of a result: patient, study, series and equipment (PS3.3 C.7), in UTF-8.

    Args:
        kind: ``sr`` or ``sc``.
        moment: when the reading was made or signed, and not when this object was: made twice, it is the same.
    """
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 192"
    identity, study, film = source.identity, source.study, source.film
    made.PatientID, made.PatientName = identity.identifier, identity.name
    if identity.issuer:
        made.IssuerOfPatientID = identity.issuer
    made.PatientBirthDate = _moment("%Y-%m-%d", identity.birth_date)
    made.PatientSex = identity.sex if identity.sex in ("M", "F", "O") else ""
    if age := age_string(film.age_years):
        made.PatientAge = age
    made.StudyInstanceUID, made.StudyID = study.uid, study.study_id or ""
    made.StudyDate, made.StudyTime = _moment("%Y-%m-%d", study.date), _moment("%H:%M:%S", study.time)
    made.AccessionNumber, made.ReferringPhysicianName = study.accession_number or "", ""
    if study.description:
        made.StudyDescription = study.description
    made.SOPInstanceUID, made.SeriesInstanceUID = names.sop, names.series
    local = moment.astimezone()
    made.ContentDate = made.InstanceCreationDate = made.SeriesDate = local.strftime("%Y%m%d")
    made.ContentTime = made.InstanceCreationTime = made.SeriesTime = local.strftime("%H%M%S")
    made.TimezoneOffsetFromUTC = local.strftime("%z")
    made.Manufacturer, made.ManufacturerModelName, made.SoftwareVersions = MANUFACTURER, MODEL, __version__
    made.DeviceSerialNumber = reading.reader_file[:16]
    made.SeriesNumber, made.InstanceNumber = SERIES_NUMBERS[kind], 1
    made.SeriesDescription = f"AI for Sudan: {'report' if kind == 'sr' else 'picture'} of {reading.reader}"[:64]
    return made


def _moment(form: str, text: str | None) -> str:
    """A date or time as DICOM writes it; empty for none, and for a 31st of February that a header may hold."""
    try:
        datetime.strptime(text or "", form)
    except ValueError:
        return ""
    return re.sub("[-:]", "", text or "")


def file_of(made: Dataset, syntax: UID) -> bytes:
    """A result as a DICOM file (PS3.10 7)."""
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    made.file_meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    out = BytesIO()
    made.save_as(out, enforce_file_format=True)
    return out.getvalue()


def referred(sop_class: str, sop_uid: str) -> Dataset:
    """A reference to an instance (PS3.3 10.8)."""
    made = Dataset()
    made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = sop_class, sop_uid
    return made


def evidence(study: str, series: str, sop_class: str, sop_uid: str) -> Dataset:
    """A reference to an instance in its series and study (PS3.3 C.17.2.1)."""
    made, inner = Dataset(), Dataset()
    inner.ReferencedSOPSequence, inner.SeriesInstanceUID = [referred(sop_class, sop_uid)], series
    made.ReferencedSeriesSequence, made.StudyInstanceUID = [inner], study
    return made


def coded(code: Code) -> Dataset:
    """A code (PS3.3 8.8)."""
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = code
    return made
