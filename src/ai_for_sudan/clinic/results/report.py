"""The structured report: Comprehensive 3D SR, TID 1500, one image-level finding, not verified by anybody."""

from __future__ import annotations

from pathlib import Path

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from ai_for_sudan import __version__
from ai_for_sudan.clinic.results.evidence import MANUFACTURER, SERIES_NUMBERS, Names
from ai_for_sudan.clinic.store.tables import FilmReading
from ai_for_sudan.clinic.uids import derived
from ai_for_sudan.reading import DISCLAIMER
from ai_for_sudan.reading.words import STATUS_WORDS

#: private codes (PS3.16 8.2, scheme that begins with 99) for what no code of DICOM or SNOMED CT says
SCHEME = "99AISUDAN"
PNEUMONIA = CodedConcept("233604007", "SCT", "Pneumonia")
STATUS = CodedConcept("STATUS", SCHEME, "Status of the reading")
POINT = CodedConcept("OPPOINT", SCHEME, "Operating point")
THRESHOLD = CodedConcept("THRESHOLD", SCHEME, "Threshold of the operating point")
CERTAINTY = CodedConcept("111012", "DCM", "Certainty of Finding")
PERCENT = CodedConcept("%", "UCUM", "Percent")
#: of PS3.16 CID 6100 and private ones where it has none
STATUSES = {
    "suspected": CodedConcept("SUSPECTED", SCHEME, STATUS_WORDS["suspected"].capitalize()),
    "not_seen": CodedConcept("NOT_SEEN", SCHEME, STATUS_WORDS["not_seen"].capitalize()),
    "uncertain": CodedConcept("UNCERTAIN", SCHEME, STATUS_WORDS["uncertain"].capitalize()),
    "refused": CodedConcept("REFUSED", SCHEME, STATUS_WORDS["refused"].capitalize()),
}


def structured_report(header: Dataset, film: Path, reading: FilmReading, names: Names) -> Dataset:
    """The report of a reading.

    Args:
        header: of the film, see :func:`ai_for_sudan.clinic.results.evidence.evidence`.
    """
    name, _, version = reading.reader.rpartition(" ")
    algorithm = AlgorithmIdentification(
        name=name or reading.reader,
        version=version or "unknown",
        parameters=[
            f"operating point: {reading.operating_point}",
            f"threshold: {reading.threshold:.6f}",
            f"reader file SHA-256: {reading.reader_file}",
            *(f"{code}: {reason}" for code, reason in zip(reading.codes, reading.reasons, strict=False)),
            *(f"{warning[0]}: {warning[-1]}" for warning in reading.warnings),
            DISCLAIMER,
        ],
    )
    measurements = []
    if reading.probability is not None and reading.status != "refused":
        for concept, value in ((CERTAINTY, reading.probability), (THRESHOLD, reading.threshold)):
            measurements.append(Measurement(name=concept, value=round(100 * value, 4), unit=PERCENT))
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=derived("tracking", names.sop), identifier="Pneumonia"),
        finding_type=PNEUMONIA,
        finding_sites=None,
        algorithm_id=algorithm,
        measurements=measurements or None,
        qualitative_evaluations=[
            QualitativeEvaluation(name=STATUS, value=STATUSES[reading.status]),
            QualitativeEvaluation(name=POINT, value=CodedConcept("POINT", SCHEME, reading.operating_point[:64])),
        ],
        source_images=[SourceImageForMeasurementGroup(header.SOPClassUID, header.SOPInstanceUID)],
    )
    observer = ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=derived("observer", reading.reader_file),
            name=reading.reader[:64],
            manufacturer_name=MANUFACTURER,
            model_name="ai-for-sudan",
            serial_number=reading.reader_file[:16],
        ),
    )
    content = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=observer),
        procedure_reported=CodedConcept("399208008", "SCT", "Plain chest X-ray"),
        imaging_measurements=[group],
        title=codes.DCM.ImagingMeasurementReport,
        referenced_images=None,
    )
    report: Dataset = Comprehensive3DSR(
        evidence=[header],
        content=content[0],
        series_instance_uid=names.series,
        series_number=SERIES_NUMBERS["sr"],
        sop_instance_uid=names.sop,
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
        is_verified=False,
        manufacturer_model_name="ai-for-sudan",
        software_versions=__version__,
        device_serial_number=reading.reader_file[:16],
    )
    report.SeriesDescription = f"AI for Sudan: report of {reading.reader}"[:64]
    _copy_rest(header, report)
    return report


def _copy_rest(header: Dataset, to: Dataset) -> None:
    for keyword in ("SpecificCharacterSet", "IssuerOfPatientID", "PatientAge", "StudyDescription"):
        if keyword in header:
            to[keyword] = header[keyword]
