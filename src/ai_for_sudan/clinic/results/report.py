"""The structured report: Comprehensive 3D SR, TID 1500, one image-level finding, not verified by anybody.

The tree is written down here and not made by highdicom, which the tests hold it to: for each new remark of a reader
highdicom takes half a second of a core and 60 MB to look up the standard, and a server has hardly more for a film.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian

from ai_for_sudan.clinic.results.encoding import NOWHERE, Elements, element, elements, file_of, filled
from ai_for_sudan.clinic.results.identifiers import (
    MANUFACTURER,
    MODEL,
    Code,
    Names,
    Source,
    character_set,
    coded,
    equipment,
    film_place,
)
from ai_for_sudan.clinic.store.tables import FilmReading
from ai_for_sudan.clinic.uids import derived
from ai_for_sudan.reading import DISCLAIMER
from ai_for_sudan.reading.words import STATUS_WORDS

#: private codes (PS3.16 8.2, scheme that begins with 99) for what no code of DICOM or SNOMED CT says
SCHEME = "99AISUDAN"
STATUS: Code = ("STATUS", SCHEME, "Status of the reading")
POINT: Code = ("OPPOINT", SCHEME, "Operating point")
THRESHOLD: Code = ("THRESHOLD", SCHEME, "Threshold of the operating point")
CERTAINTY: Code = ("111012", "DCM", "Certainty of Finding")
PNEUMONIA: Code = ("233604007", "SCT", "Pneumonia")
PERCENT: Code = ("%", "UCUM", "Percent")

#: where a blank holds the place of a probability, which is never negative
NO_NUMBER = -1.0


@dataclass(frozen=True)
class _Said:
    """What a reading says, but for its probability: a report depends on nothing else but the film."""

    reader: str
    reader_file: str
    operating_point: str
    threshold: float
    status: str
    remarks: tuple[str, ...]
    measured: bool
    character_set: str


def structured_report(source: Source, reading: FilmReading, names: Names) -> bytes:
    """The report of a reading, as a file."""
    remarks = [*zip(reading.codes, reading.reasons, strict=False), *((w[0], w[-1]) for w in reading.warnings)]
    said = _Said(
        reading.reader,
        reading.reader_file,
        reading.operating_point,
        reading.threshold,
        reading.status,
        tuple(f"{code}: {words}" for code, words in remarks),
        reading.probability is not None and reading.status != "refused",
        character_set(source.header),
    )
    certainty = round(100 * float(reading.probability or 0), 4)
    places = source.places | {
        element("UID", NOWHERE): element("UID", derived("tracking", names.sop)),
        element("FloatingPointValue", NO_NUMBER): element("FloatingPointValue", certainty),
        element("NumericValue", f"{NO_NUMBER:g}"): element("NumericValue", f"{certainty:g}"),
    }
    parts = [filled(_blank(said), places), source.elements, names.elements]
    return file_of(parts, Comprehensive3DSRStorage, names.sop, ExplicitVRLittleEndian)


@lru_cache(maxsize=64)
def _blank(said: _Said) -> Elements:
    """A report of no film (PS3.3 A.35.13), encoded."""
    report = equipment("sr", said.reader, said.reader_file, said.character_set)
    report.SOPClassUID, report.Modality = Comprehensive3DSRStorage, "SR"
    report.ReferencedPerformedProcedureStepSequence, report.PerformedProcedureCodeSequence = [], []
    report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag = "COMPLETE", "UNVERIFIED", "PRELIMINARY"
    series, study = Dataset(), Dataset()
    series.ReferencedSOPSequence, series.SeriesInstanceUID = [film_place()], NOWHERE
    study.ReferencedSeriesSequence, study.StudyInstanceUID = [series], NOWHERE
    report.CurrentRequestedProcedureEvidenceSequence = [study]
    report.update(_tree(said))
    return elements(report)


def _tree(said: _Said) -> Dataset:
    """TID 1500 Measurement Report, observed by a device (TID 1004), with one TID 1501 Measurement Group."""
    context, concept = "HAS OBS CONTEXT", "HAS CONCEPT MOD"
    english, device = ("en-US", "RFC5646", "English (United States)"), ("121007", "DCM", "Device")
    chest = ("399208008", "SCT", "Plain chest X-ray")
    observer = {
        ("121013", "DCM", "Device Observer Name"): said.reader[:64],
        ("121014", "DCM", "Device Observer Manufacturer"): MANUFACTURER,
        ("121015", "DCM", "Device Observer Model Name"): MODEL,
        ("121016", "DCM", "Device Observer Serial Number"): said.reader_file[:16],
    }
    uid = derived("observer", said.reader_file)
    content = [
        _item(concept, "CODE", ("121049", "DCM", "Language of Content Item and Descendants"), code=english),
        _item(context, "CODE", ("121005", "DCM", "Observer Type"), code=device),
        _item(context, "UIDREF", ("121012", "DCM", "Device Observer UID"), UID=uid),
        *(_item(context, "TEXT", name, TextValue=text) for name, text in observer.items()),
        _item(concept, "CODE", ("121058", "DCM", "Procedure reported"), code=chest),
        _container("CONTAINS", ("126010", "DCM", "Imaging Measurements"), [_group(said)]),
    ]
    return _container("", ("126000", "DCM", "Imaging Measurement Report"), content, "1500")


def _group(said: _Said) -> Dataset:
    """TID 1501: the finding of one film, by which algorithm (TID 4019), and what was said of it."""
    name, _, version = said.reader.rpartition(" ")
    parameters = [
        f"operating point: {said.operating_point}",
        f"threshold: {said.threshold:.6f}",
        f"reader file SHA-256: {said.reader_file}",
        *said.remarks,
        DISCLAIMER,
    ]
    measured = {CERTAINTY: NO_NUMBER, THRESHOLD: round(100 * said.threshold, 4)} if said.measured else {}
    status = (said.status.upper(), SCHEME, STATUS_WORDS[said.status].capitalize())
    context, concept, contains = "HAS OBS CONTEXT", "HAS CONCEPT MOD", "CONTAINS"
    content = [
        _item(context, "TEXT", ("112039", "DCM", "Tracking Identifier"), TextValue="Pneumonia"),
        _item(context, "UIDREF", ("112040", "DCM", "Tracking Unique Identifier"), UID=NOWHERE),
        _item(contains, "CODE", ("121071", "DCM", "Finding"), code=PNEUMONIA),
        _item(concept, "TEXT", ("111001", "DCM", "Algorithm Name"), TextValue=name or said.reader),
        _item(concept, "TEXT", ("111003", "DCM", "Algorithm Version"), TextValue=version or "unknown"),
        *(_item(concept, "TEXT", ("111002", "DCM", "Algorithm Parameters"), TextValue=text) for text in parameters),
        *(_item(contains, "NUM", name, MeasuredValueSequence=[_percent(value)]) for name, value in measured.items()),
        _item(contains, "CODE", STATUS, code=status),
        _item(contains, "CODE", POINT, code=("POINT", SCHEME, said.operating_point[:64])),
        _item(contains, "IMAGE", ("121112", "DCM", "Source of Measurement"), ReferencedSOPSequence=[film_place()]),
    ]
    return _container(contains, ("125007", "DCM", "Measurement Group"), content, "1501")


def _item(relationship: str, kind: str, name: Code, *, code: Code | None = None, **values: object) -> Dataset:
    """A content item (PS3.3 C.17.3); the root has no relationship to anything."""
    made = Dataset()
    made.ValueType, made.ConceptNameCodeSequence = kind, [coded(name)]
    if relationship:
        made.RelationshipType = relationship
    if code:
        made.ConceptCodeSequence = [coded(code)]
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def _container(relationship: str, name: Code, content: list[Dataset], template: str = "") -> Dataset:
    """A content item of others, by a template of PS3.16."""
    made = _item(relationship, "CONTAINER", name, ContinuityOfContent="CONTINUOUS", ContentSequence=content)
    if template:
        made.ContentTemplateSequence = [Dataset()]
        made.ContentTemplateSequence[0].MappingResource = "DCMR"
        made.ContentTemplateSequence[0].TemplateIdentifier = template
    return made


def _percent(value: float) -> Dataset:
    """A measured value (PS3.3 C.18.1)."""
    made = Dataset()
    made.MeasurementUnitsCodeSequence = [coded(PERCENT)]
    made.FloatingPointValue, made.NumericValue = value, f"{value:g}"
    return made
