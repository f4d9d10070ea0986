"""The structured report: Comprehensive 3D SR, TID 1500, one image-level finding, by highdicom's templates.

The modules around the tree are written down in :mod:`ai_for_sudan.clinic.results.identifiers`: highdicom's own classes
for them cost 60 ms a film and 85 MB more, half of the films a second that a clinic's machine reads.

A reader's report is verified by nobody. Once a clinician has signed a verdict, another report follows it, verified and
with the first one as its predecessor, so that a PACS does not keep only the machine's word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian

from ai_for_sudan.clinic.results.identifiers import (
    MANUFACTURER,
    MODEL,
    Names,
    Signed,
    Source,
    evidence,
    file_of,
    result_of,
)
from ai_for_sudan.clinic.store.tables import FilmReading
from ai_for_sudan.clinic.uids import derived
from ai_for_sudan.reading import DISCLAIMER
from ai_for_sudan.reading.words import STATUS_WORDS

#: private codes (PS3.16 8.2, scheme that begins with 99) for what no code of DICOM or SNOMED CT says
SCHEME = "99AISUDAN"
#: shares that a report holds in percent: column of the reading -> code
MEASURED = {
    "probability": ("111012", "DCM", "Certainty of Finding"),
    "threshold": ("THRESHOLD", SCHEME, "Threshold of the operating point"),
    "right_lung": ("RIGHTLUNG", SCHEME, "Certainty of finding in the right lung"),
    "left_lung": ("LEFTLUNG", SCHEME, "Certainty of finding in the left lung"),
    "abnormal": ("ABNORMAL", SCHEME, "Certainty that the lungs are abnormal in any way"),
}
#: the patient's
SIDES = {
    "right": ("24028007", "SCT", "Right"),
    "left": ("7771000", "SCT", "Left"),
    "both": ("51440002", "SCT", "Right and left"),
}


def structured_report(
    source: Source,
    reading: FilmReading,
    names: Names,
    *,
    signed: Signed | None = None,
    predecessor: tuple[str, str, str] | None = None,
    trail: str = "",
) -> bytes:
    """Make the report of a reading (PS3.3 A.35.13), as a file.

    Args:
        signed: the verdict that verifies it.
        predecessor: series, class and instance UID of the report that this one follows.
        trail: the last hash of the clinic's trail, so that it is kept where nobody at the clinic can change it.
    """
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=derived("observer", reading.reader_file),
        name=reading.reader[:64],
        manufacturer_name=MANUFACTURER,
        model_name=MODEL,
        serial_number=reading.reader_file[:16],
    )
    person = None
    if signed:
        person = sr.ObserverContext(codes.DCM.Person, sr.PersonObserverIdentifyingAttributes(signed.by))
    (content,) = sr.MeasurementReport(
        observation_context=sr.ObservationContext(person, sr.ObserverContext(codes.DCM.Device, device)),
        procedure_reported=sr.CodedConcept("399208008", "SCT", "Plain chest X-ray"),
        imaging_measurements=[_group(source, reading, names, signed, trail)],
        title=codes.DCM.ImagingMeasurementReport,
    )
    film = source.film
    report = result_of(source, reading, names, "sr", signed.at if signed else reading.read_at)
    report.SOPClassUID, report.Modality = Comprehensive3DSRStorage, "SR"
    report.ReferencedPerformedProcedureStepSequence, report.PerformedProcedureCodeSequence = [], []
    report.CompletionFlag = "COMPLETE"
    report.VerificationFlag = "VERIFIED" if signed else "UNVERIFIED"
    report.PreliminaryFlag = "FINAL" if signed else "PRELIMINARY"
    if signed:
        observer = Dataset()
        observer.VerifyingObserverName, observer.VerifyingOrganization = signed.by, signed.site[:64] or "unknown"
        observer.VerificationDateTime = signed.at.astimezone().strftime("%Y%m%d%H%M%S%z")
        observer.VerifyingObserverIdentificationCodeSequence = []
        report.VerifyingObserverSequence = [observer]
    if predecessor:
        report.PredecessorDocumentsSequence = [evidence(source.study.uid, *predecessor)]
    report.CurrentRequestedProcedureEvidenceSequence = [
        evidence(source.study.uid, film.series_uid, film.sop_class, film.sop_uid)
    ]
    report.update(content)
    return file_of(report, ExplicitVRLittleEndian)


def _group(source: Source, reading: FilmReading, names: Names, signed: Signed | None, trail: str) -> Any:
    """TID 1501: the finding of one film, by which algorithm (TID 4019), and what was said of it."""
    name, _, version = reading.reader.rpartition(" ")
    remarks = [*zip(reading.codes, reading.reasons, strict=False), *((w[0], w[-1]) for w in reading.warnings)]
    parameters = [
        f"operating point: {reading.operating_point}",
        f"threshold: {reading.threshold:.6f}",
        f"reader file SHA-256: {reading.reader_file}",
        *(f"{code}: {words}" for code, words in remarks),
        *([f"last hash of the clinic's trail: {trail}"] if trail else []),
        DISCLAIMER,
    ]
    said = {
        ("STATUS", "Status of the reading"): (reading.status, STATUS_WORDS[reading.status].capitalize()),
        ("OPPOINT", "Operating point"): ("POINT", reading.operating_point[:64]),
    }
    if signed:
        said["VERDICT", "Verdict of a clinician on the reading"] = (signed.agreement, signed.agreement.capitalize())
        if signed.diagnosis:
            said["DIAGNOSIS", "Final diagnosis"] = (signed.diagnosis, f"Pneumonia {signed.diagnosis}")
    site = None
    if reading.side:
        site = sr.FindingSite(codes.SCT.Lung, laterality=sr.CodedConcept(*SIDES[reading.side]))
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=derived("tracking", names.sop), identifier="Pneumonia"),
        finding_type=sr.CodedConcept("233604007", "SCT", "Pneumonia"),
        finding_sites=[site] if site else None,
        algorithm_id=sr.AlgorithmIdentification(name or reading.reader, version or "unknown", parameters=parameters),
        measurements=_measurements(reading) or None,
        qualitative_evaluations=[
            sr.QualitativeEvaluation(
                sr.CodedConcept(concept, SCHEME, meaning), sr.CodedConcept(value.upper(), SCHEME, words)
            )
            for (concept, meaning), (value, words) in said.items()
        ],
        source_images=[sr.SourceImageForMeasurementGroup(source.film.sop_class, source.film.sop_uid)],
    )
    for words in (signed.diagnosis_words, signed.note) if signed else ():
        if words:
            comment = sr.TextContentItem(codes.DCM.Comment, words, sr.RelationshipTypeValues.CONTAINS)
            group[0].ContentSequence.append(comment)
    return group


def _measurements(reading: FilmReading) -> Sequence[Any]:
    """The shares of a film that was read, in percent; none of a refused one."""
    if reading.status == "refused" or reading.probability is None:
        return []
    return [
        sr.Measurement(sr.CodedConcept(*code), round(100 * float(value), 4), codes.UCUM.Percent)
        for column, code in MEASURED.items()
        if (value := getattr(reading, column)) is not None
    ]
