"""The structured report: Comprehensive 3D SR, TID 1500, one image-level finding.

A reader's report is verified by nobody. Once a clinician has signed a verdict, another report follows it, verified and
with the first one as its predecessor, so that a PACS does not keep only the machine's word.

The tree is written down here and not made by highdicom, which the tests hold it to: `benchmarks/clinic.py results`
measures the memory and the time a film that highdicom would cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian

from ai_for_sudan.clinic.results.identifiers import (
    MANUFACTURER,
    MODEL,
    Code,
    Names,
    Source,
    coded,
    evidence,
    file_of,
    referred,
    result_of,
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
VERDICT: Code = ("VERDICT", SCHEME, "Verdict of a clinician on the reading")
DIAGNOSIS: Code = ("DIAGNOSIS", SCHEME, "Final diagnosis")
COMMENT: Code = ("121106", "DCM", "Comment")
CERTAINTY: Code = ("111012", "DCM", "Certainty of Finding")
PNEUMONIA: Code = ("233604007", "SCT", "Pneumonia")
SITE: Code = ("363698007", "SCT", "Finding Site")
LATERALITY: Code = ("272741003", "SCT", "Laterality")
LUNG: Code = ("39607008", "SCT", "Lung")
#: the patient's
SIDES: dict[str, Code] = {
    "right": ("24028007", "SCT", "Right"),
    "left": ("7771000", "SCT", "Left"),
    "both": ("51440002", "SCT", "Right and left"),
}
RIGHT_LUNG: Code = ("RIGHTLUNG", SCHEME, "Certainty of finding in the right lung")
LEFT_LUNG: Code = ("LEFTLUNG", SCHEME, "Certainty of finding in the left lung")
ABNORMAL: Code = ("ABNORMAL", SCHEME, "Certainty that the lungs are abnormal in any way")
PERCENT: Code = ("%", "UCUM", "Percent")
_CONTEXT, _CONCEPT, _CONTAINS = "HAS OBS CONTEXT", "HAS CONCEPT MOD", "CONTAINS"


@dataclass(frozen=True)
class Signed:
    """A verdict that a person signed.

    Attributes:
        by: the person's name, as DICOM writes it.
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


def structured_report(
    source: Source,
    reading: FilmReading,
    names: Names,
    *,
    signed: Signed | None = None,
    predecessor: tuple[str, str, str] | None = None,
    trail: str = "",
) -> bytes:
    """The report of a reading (PS3.3 A.35.13), as a file.

    Args:
        signed: the verdict that verifies it.
        predecessor: series, class and instance UID of the report that this one follows.
        trail: the last hash of the clinic's trail, so that it is kept where nobody at the clinic can change it.
    """
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
        series, kind, instance = predecessor
        report.PredecessorDocumentsSequence = [evidence(source.study.uid, series, kind, instance)]
    report.CurrentRequestedProcedureEvidenceSequence = [
        evidence(source.study.uid, film.series_uid, film.sop_class, film.sop_uid)
    ]
    report.update(_tree(source, reading, names, signed, trail))
    return file_of(report, ExplicitVRLittleEndian)


def _tree(source: Source, reading: FilmReading, names: Names, signed: Signed | None, trail: str) -> Dataset:
    """TID 1500 Measurement Report, observed by a device (TID 1004), with one TID 1501 Measurement Group."""
    english = ("en-US", "RFC5646", "English (United States)")
    content = [_item(_CONCEPT, "CODE", ("121049", "DCM", "Language of Content Item and Descendants"), code=english)]
    if signed:  # TID 1003
        person = ("121006", "DCM", "Person")
        content += [
            _item(_CONTEXT, "CODE", ("121005", "DCM", "Observer Type"), code=person),
            _item(_CONTEXT, "PNAME", ("121008", "DCM", "Person Observer Name"), PersonName=signed.by),
        ]
    device = {
        ("121013", "DCM", "Device Observer Name"): reading.reader[:64],
        ("121014", "DCM", "Device Observer Manufacturer"): MANUFACTURER,
        ("121015", "DCM", "Device Observer Model Name"): MODEL,
        ("121016", "DCM", "Device Observer Serial Number"): reading.reader_file[:16],
    }
    uid = derived("observer", reading.reader_file)
    content += [
        _item(_CONTEXT, "CODE", ("121005", "DCM", "Observer Type"), code=("121007", "DCM", "Device")),
        _item(_CONTEXT, "UIDREF", ("121012", "DCM", "Device Observer UID"), UID=uid),
        *(_item(_CONTEXT, "TEXT", name, TextValue=text) for name, text in device.items()),
        _item(
            _CONCEPT, "CODE", ("121058", "DCM", "Procedure reported"), code=("399208008", "SCT", "Plain chest X-ray")
        ),
        _container(
            _CONTAINS,
            ("126010", "DCM", "Imaging Measurements"),
            [_group(source, reading, names, signed, trail)],
        ),
    ]
    return _container("", ("126000", "DCM", "Imaging Measurement Report"), content, "1500")


def _group(source: Source, reading: FilmReading, names: Names, signed: Signed | None, trail: str) -> Dataset:
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
    measured = {name: round(100 * float(value), 4) for name, value in measurements(reading).items()}
    status = (reading.status.upper(), SCHEME, STATUS_WORDS[reading.status].capitalize())
    content = [
        _item(_CONTEXT, "TEXT", ("112039", "DCM", "Tracking Identifier"), TextValue="Pneumonia"),
        _item(
            _CONTEXT, "UIDREF", ("112040", "DCM", "Tracking Unique Identifier"), UID=derived("tracking", names.sop)
        ),
        _item(_CONTAINS, "CODE", ("121071", "DCM", "Finding"), code=PNEUMONIA),
        *([_site(reading.side)] if reading.side else []),
        _item(_CONCEPT, "TEXT", ("111001", "DCM", "Algorithm Name"), TextValue=name or reading.reader),
        _item(_CONCEPT, "TEXT", ("111003", "DCM", "Algorithm Version"), TextValue=version or "unknown"),
        *(_item(_CONCEPT, "TEXT", ("111002", "DCM", "Algorithm Parameters"), TextValue=text) for text in parameters),
        *(_item(_CONTAINS, "NUM", name, MeasuredValueSequence=[_percent(value)]) for name, value in measured.items()),
        _item(_CONTAINS, "CODE", STATUS, code=status),
        _item(_CONTAINS, "CODE", POINT, code=("POINT", SCHEME, reading.operating_point[:64])),
        *(_signed(signed) if signed else ()),
        _item(
            _CONTAINS, "IMAGE", ("121112", "DCM", "Source of Measurement"),
            ReferencedSOPSequence=[referred(source.film.sop_class, source.film.sop_uid)],
        ),
    ]  # fmt: skip
    return _container(_CONTAINS, ("125007", "DCM", "Measurement Group"), content, "1501")


def measurements(reading: FilmReading) -> dict[Code, float]:
    """Give the shares, 0..1, that a report holds, by what they are called; none of a refused film."""
    found = {
        CERTAINTY: reading.probability, THRESHOLD: reading.threshold, RIGHT_LUNG: reading.right_lung,
        LEFT_LUNG: reading.left_lung, ABNORMAL: reading.abnormal,
    }  # fmt: skip
    if reading.status == "refused" or reading.probability is None:
        return {}
    return {name: value for name, value in found.items() if value is not None}


def _site(side: str) -> Dataset:
    """The lung that the status speaks of (TID 1501, row 3 d)."""
    lateral = _item(_CONCEPT, "CODE", LATERALITY, code=SIDES[side])
    return _item(_CONCEPT, "CODE", SITE, code=LUNG, ContentSequence=[lateral])


def _signed(signed: Signed) -> Sequence[Dataset]:
    """What a person said of the reading, as qualitative evaluations."""
    said = [_item(_CONTAINS, "CODE", VERDICT, code=(signed.agreement.upper(), SCHEME, signed.agreement.capitalize()))]
    if signed.diagnosis:
        meaning = f"Pneumonia {signed.diagnosis}"
        said.append(_item(_CONTAINS, "CODE", DIAGNOSIS, code=(signed.diagnosis.upper(), SCHEME, meaning)))
    said += [
        _item(_CONTAINS, "TEXT", COMMENT, TextValue=words) for words in (signed.diagnosis_words, signed.note) if words
    ]
    return said


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
