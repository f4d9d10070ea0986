"""Pseudonyms: films without their patient; only this clinic can say which of them are of one patient."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID

from ai_for_sudan.clinic.header import age_string, facts_of

KEY = "pseudonyms.key"
METHOD = "Listed elements kept, identifiers replaced by a keyed hash"
#: PS3.15 table E.1-1, of what a radiograph carries: what is kept is what reading and watching a site need
KEPT = {
    *(
        "SOPClassUID",
        "SOPInstanceUID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "PatientID",
        "PatientAge",
        "PatientSex",
    ),
    *("StudyDate", "StudyTime", "Modality", "BodyPartExamined", "ViewPosition", "ImageLaterality", "Laterality"),
    *("PatientOrientation", "SpecificCharacterSet", "ImageType", "InstanceNumber", "SeriesNumber", "Manufacturer"),
    *("SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit"),
    *("PixelRepresentation", "PlanarConfiguration", "NumberOfFrames", "PixelAspectRatio", "PixelSpacing"),
    *("ImagerPixelSpacing", "WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence", "ModalityLUTSequence"),
    *("RescaleIntercept", "RescaleSlope", "RescaleType", "PresentationLUTShape", "PixelIntensityRelationship"),
    *("PixelIntensityRelationshipSign", "LossyImageCompression", "LossyImageCompressionMethod", "PixelData"),
    *("RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor"),
    *("BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData"),
    *("BluePaletteColorLookupTableData", "BurnedInAnnotation"),
}
UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


class Pseudonyms:
    """Args: folder: of the store; the key beside the database is made once, and without it nobody can go back."""

    def __init__(self, folder: Path) -> None:
        file = folder / KEY
        if not file.exists():
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as opened:
                opened.write(secrets.token_bytes(32))
                opened.flush()
                os.fsync(opened.fileno())
        self._key = file.read_bytes()

    def of(self, *facts: str) -> str:
        """Hexadecimal digits that stand for some facts, by HMAC-SHA-256."""
        return hmac.new(self._key, "\0".join(facts).encode(), hashlib.sha256).hexdigest()

    def apply(self, file: Path) -> None:
        """Rewrite a DICOM file, with what is on the list and nothing else."""
        dataset = dcmread(file, force=True)
        if dataset.get("PatientIdentityRemoved") == "YES" and dataset.get("DeidentificationMethod") == METHOD:
            return  # done before, and not done twice: the pseudonym of a pseudonym is another patient
        kept = Dataset()
        for element in dataset:
            if element.keyword in KEPT:
                kept.add(element)
        # The day of birth goes; the age stays, from the dates where the header has none.
        if age := age_string(facts_of(dataset).film["age_years"]):  # type: ignore[arg-type]
            kept.PatientAge = age
        patient = (str(dataset.get("PatientID", "")), str(dataset.get("IssuerOfPatientID", "")))
        kept.PatientID = self.of("patient", *patient)[:16] if patient[0] else ""
        kept.PatientName = ""
        kept.PatientBirthDate = ""
        kept.AccessionNumber = ""
        for keyword in UIDS:
            found = str(dataset.get(keyword, ""))
            if found:
                kept[keyword] = DataElement(keyword, "UI", self.uid(found))
        kept.PatientIdentityRemoved = "YES"
        kept.DeidentificationMethod = METHOD
        kept.file_meta = dataset.file_meta
        kept.file_meta.MediaStorageSOPInstanceUID = kept.get("SOPInstanceUID", UID(""))
        kept.save_as(file, enforce_file_format=True)

    def uid(self, found: str) -> str:
        return f"2.25.{int(self.of('uid', found)[:32], 16)}"
