"""The structured report: Comprehensive 3D SR, TID 1500, one image-level finding, not verified by anybody."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

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
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from ai_for_sudan import __version__
from ai_for_sudan.clinic.results.evidence import (
    MAKING,
    MANUFACTURER,
    SERIES_NUMBERS,
    Names,
    character_set,
    encoded,
    fill,
    nobody,
)
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


@dataclass(frozen=True)
class _Said:
    """What a reading says, but for its probability: the tree of a report depends on nothing else."""

    reader: str
    reader_file: str
    operating_point: str
    threshold: float
    status: str
    remarks: tuple[str, ...]
    measured: bool
    character_set: str


def structured_report(header: Dataset, reading: FilmReading, names: Names) -> Dataset:
    """The report of a reading.

    Args:
        header: of the film, see :func:`ai_for_sudan.clinic.results.evidence.evidence`.
    """
    remarks = [*zip(reading.codes, reading.reasons, strict=False), *((w[0], w[-1]) for w in reading.warnings)]
    said = _Said(
        reading.reader,
        reading.reader_file,
        reading.operating_point,
        reading.threshold,
        reading.status,
        tuple(f"{code}: {words}" for code, words in remarks),
        reading.probability is not None and reading.status != "refused",
        character_set(header),
    )
    with MAKING:
        blank = _blank(said)
    report = dcmread(BytesIO(blank))
    fill(report, header, reading, names)
    study = report.CurrentRequestedProcedureEvidenceSequence[0]
    study.StudyInstanceUID = header.StudyInstanceUID
    study.ReferencedSeriesSequence[0].SeriesInstanceUID = header.SeriesInstanceUID
    _refer(study.ReferencedSeriesSequence[0], header)
    for item in report.ContentSequence[-1].ContentSequence[0].ContentSequence:
        if item.ValueType == "UIDREF":
            item.UID = derived("tracking", names.sop)
        elif item.ValueType == "IMAGE":
            _refer(item, header)
        elif item.ValueType == "NUM" and item.ConceptNameCodeSequence[0].CodeValue == CERTAINTY.value:
            value = item.MeasuredValueSequence[0]
            value.FloatingPointValue = round(100 * float(reading.probability or 0), 4)
            value.NumericValue = f"{value.FloatingPointValue:g}"
    return report


def _refer(item: Dataset, header: Dataset) -> None:
    """Name the film where the blank names none (PS3.3 10.8)."""
    reference = item.ReferencedSOPSequence[0]
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID


@lru_cache(maxsize=64)
def _blank(said: _Said) -> bytes:
    """A report of no film, made and checked by highdicom."""
    header = nobody(said.character_set)
    name, _, version = said.reader.rpartition(" ")
    algorithm = AlgorithmIdentification(
        name=name or said.reader,
        version=version or "unknown",
        parameters=[
            f"operating point: {said.operating_point}",
            f"threshold: {said.threshold:.6f}",
            f"reader file SHA-256: {said.reader_file}",
            *said.remarks,
            DISCLAIMER,
        ],
    )
    measurements = []
    if said.measured:
        for concept, value in ((CERTAINTY, 0.0), (THRESHOLD, said.threshold)):
            measurements.append(Measurement(name=concept, value=round(100 * value, 4), unit=PERCENT))
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=header.SOPInstanceUID, identifier="Pneumonia"),
        finding_type=PNEUMONIA,
        finding_sites=None,
        algorithm_id=algorithm,
        measurements=measurements or None,
        qualitative_evaluations=[
            QualitativeEvaluation(name=STATUS, value=STATUSES[said.status]),
            QualitativeEvaluation(name=POINT, value=CodedConcept("POINT", SCHEME, said.operating_point[:64])),
        ],
        source_images=[SourceImageForMeasurementGroup(header.SOPClassUID, header.SOPInstanceUID)],
    )
    observer = ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=derived("observer", said.reader_file),
            name=said.reader[:64],
            manufacturer_name=MANUFACTURER,
            model_name="ai-for-sudan",
            serial_number=said.reader_file[:16],
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
        series_instance_uid=header.SeriesInstanceUID,
        series_number=SERIES_NUMBERS["sr"],
        sop_instance_uid=header.SOPInstanceUID,
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
        is_verified=False,
        manufacturer_model_name="ai-for-sudan",
        software_versions=__version__,
        device_serial_number=said.reader_file[:16],
    )
    report.SeriesDescription = f"AI for Sudan: report of {said.reader}"[:64]
    if said.character_set:
        report.SpecificCharacterSet = header.SpecificCharacterSet
    return encoded(report)
