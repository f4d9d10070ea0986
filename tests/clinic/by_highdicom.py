"""What highdicom makes of a reading: the results of the clinic are held to it."""

from __future__ import annotations

from typing import Any

import numpy as np
from highdicom import sr
from highdicom.sc import SCImage
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from ai_for_sudan import __version__
from ai_for_sudan.clinic.results import capture, identifiers, report
from ai_for_sudan.clinic.store.tables import FilmReading
from ai_for_sudan.clinic.uids import derived
from ai_for_sudan.reading import DISCLAIMER
from ai_for_sudan.reading.words import STATUS_WORDS

#: of the tool that made an object, and of how its picture is stored
OF_THE_TOOL = ("ContributingEquipmentSequence", "PixelData", "LossyImageCompressionRatio")


def structured_report(film: Dataset, reading: FilmReading, names: identifiers.Names) -> Dataset:
    """A Comprehensive 3D SR of TID 1500.

    Args:
        film: the header of what was read.
    """
    remarks = [*zip(reading.codes, reading.reasons, strict=True), *(tuple(warning) for warning in reading.warnings)]
    name, _, version = reading.reader.rpartition(" ")
    algorithm = sr.AlgorithmIdentification(
        name=name,
        version=version,
        parameters=[
            f"operating point: {reading.operating_point}",
            f"threshold: {reading.threshold:.6f}",
            f"reader file SHA-256: {reading.reader_file}",
            *(f"{code}: {words}" for code, words in remarks),
            DISCLAIMER,
        ],
    )
    measurements = [
        sr.Measurement(sr.CodedConcept(*concept), round(100 * value, 4), sr.CodedConcept(*report.PERCENT))
        for concept, value in report.measurements(reading).items()
    ]
    status = sr.CodedConcept(reading.status.upper(), report.SCHEME, STATUS_WORDS[reading.status].capitalize())
    point = sr.CodedConcept("POINT", report.SCHEME, reading.operating_point)
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=derived("tracking", names.sop), identifier="Pneumonia"),
        finding_type=sr.CodedConcept(*report.PNEUMONIA),
        algorithm_id=algorithm,
        measurements=measurements or None,
        finding_sites=[
            sr.FindingSite(sr.CodedConcept(*report.LUNG), laterality=sr.CodedConcept(*report.SIDES[reading.side]))
        ]
        if reading.side
        else None,
        qualitative_evaluations=[
            sr.QualitativeEvaluation(sr.CodedConcept(*report.STATUS), status),
            sr.QualitativeEvaluation(sr.CodedConcept(*report.POINT), point),
        ],
        source_images=[sr.SourceImageForMeasurementGroup(film.SOPClassUID, film.SOPInstanceUID)],
    )
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=derived("observer", reading.reader_file),
        name=reading.reader[:64],
        manufacturer_name=identifiers.MANUFACTURER,
        model_name=identifiers.MODEL,
        serial_number=reading.reader_file[:16],
    )
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(
            observer_device_context=sr.ObserverContext(codes.DCM.Device, observer_identifying_attributes=device)
        ),
        procedure_reported=sr.CodedConcept("399208008", "SCT", "Plain chest X-ray"),
        imaging_measurements=[group],
        title=codes.DCM.ImagingMeasurementReport,
    )
    made: Dataset = sr.Comprehensive3DSR(
        evidence=[film],
        content=content[0],
        **_equipment("sr", reading, names),
        is_complete=True,
        is_final=False,
        is_verified=False,
    )
    made.SeriesDescription = f"AI for Sudan: report of {reading.reader}"[:64]
    return _of_its_moment(made, film, reading)


def secondary_capture(film: Dataset, reading: FilmReading, names: identifiers.Names, picture: np.ndarray) -> Dataset:
    """A Secondary Capture of a picture, uint8 ``(H, W, 3)``, with what this project adds."""
    made: Dataset = SCImage.from_ref_dataset(
        ref_dataset=film,
        pixel_array=picture,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),
        **_equipment("sc", reading, names),
    )
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.SeriesDescription = f"AI for Sudan: picture of {reading.reader}"[:64]
    made.DerivationDescription = "Film with heatmap and reading of a computer reader burned in"
    made.Laterality, made.BurnedInAnnotation = "", "NO"
    made.ImageComments = f"{capture.answer(reading)[0]}. {DISCLAIMER}"
    source = identifiers.referred(film.SOPClassUID, film.SOPInstanceUID)
    purpose = ("121322", "DCM", "Source image for image processing operation")
    source.PurposeOfReferenceCodeSequence = [identifiers.coded(purpose)]
    made.SourceImageSequence = [source]
    made.DerivationCodeSequence = [identifiers.coded(("113076", "DCM", "Segmentation"))]
    made.PhotometricInterpretation = "YBR_FULL_422"
    made.LossyImageCompression, made.LossyImageCompressionMethod = "01", "ISO_10918_1"
    _of_its_moment(made, film, reading)
    made.DateOfSecondaryCapture, made.TimeOfSecondaryCapture = made.ContentDate, made.ContentTime
    return made


def _equipment(kind: str, reading: FilmReading, names: identifiers.Names) -> dict[str, Any]:
    """What highdicom is told of every result alike."""
    return {
        "series_instance_uid": names.series,
        "series_number": identifiers.SERIES_NUMBERS[kind],
        "sop_instance_uid": names.sop,
        "instance_number": 1,
        "manufacturer": identifiers.MANUFACTURER,
        "manufacturer_model_name": identifiers.MODEL,
        "software_versions": __version__,
        "device_serial_number": reading.reader_file[:16],
    }


def _of_its_moment(made: Dataset, film: Dataset, reading: FilmReading) -> Dataset:
    local = reading.read_at.astimezone()
    made.ContentDate = made.InstanceCreationDate = made.SeriesDate = local.strftime("%Y%m%d")
    made.ContentTime = made.InstanceCreationTime = made.SeriesTime = local.strftime("%H%M%S")
    made.TimezoneOffsetFromUTC = local.strftime("%z")
    for keyword in ("StudyDate", "StudyTime", "PatientBirthDate", "PatientAge"):  # as they were written
        setattr(made, keyword, film[keyword].value)
    for keyword in OF_THE_TOOL:
        if keyword in made:
            delattr(made, keyword)
    return made
