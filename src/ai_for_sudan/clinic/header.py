"""What the clinic keeps of a DICOM header, read without the pixels and never longer than a header takes."""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from ai_for_sudan.clinic import uids
from ai_for_sudan.clinic.store.identities import NOBODY, Identity
from ai_for_sudan.contract.limits import LARGEST_FILE
from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs.dicom.bounded import LARGEST_TEXT, Bounded, Deflated, inflate
from ai_for_sudan.radiographs.dicom.header import read_header


@dataclass(frozen=True)
class Facts:
    """Columns of film and study, and whose it is, as a DICOM header gives them; texts are cut and printable."""

    film: dict[str, object]
    study: dict[str, object]
    identity: Identity = NOBODY


def data_set_start(file: Path) -> int:
    """Where the data set begins: behind (0002,0000) File Meta Information Group Length, PS3.10 7.1."""
    with file.open("rb") as opened:
        opened.seek(128)
        start = opened.read(16)
    if start[:4] != b"DICM" or start[4:8] != b"\x02\x00\x00\x00":
        return 0
    return 144 + int.from_bytes(start[12:16], "little")


class _Header(Bounded):
    """Passes over what is longer than a text may be."""

    #: a header without its pixels; one of millions of empty items would take minutes
    most_reads = 100_000

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > LARGEST_TEXT:  # overlays and makers' data, which nobody asks for
            self.seek(size, io.SEEK_CUR)
            return b""
        return super().read(size)


class _File(_Header, io.BufferedReader):
    """A file as it lies on the disk."""


class _Inflated(_Header, io.BytesIO):
    """A data set that was deflated."""


def header_of(file: Path) -> Dataset:
    """A DICOM file's header, without its pixels.

    Raises:
        UnreadableFilm: it is damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                with _File(io.FileIO(file)) as opened:
                    return dcmread(opened, stop_before_pixels=True, force=True)
            except Deflated as found:
                # Where it begins, only the reading of what stands before it tells.
                with file.open("rb") as deflated:
                    deflated.seek(found.at)
                    inflated = _Inflated(inflate(deflated.read(LARGEST_FILE)))
                header = dcmread(inflated, stop_before_pixels=True, force=True)
                header.file_meta = FileMetaDataset()
                header.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
                return header
    except UnreadableFilm:
        raise
    except Exception as error:  # pydicom raises whatever it likes for damaged bytes
        raise UnreadableFilm("damaged", f"the DICOM header is damaged ({type(error).__name__})") from error


def facts_of(header: Dataset, content: str = "") -> Facts:
    """What a store keeps of a DICOM header."""

    def text(keyword: str, length: int = 64) -> str:
        return text_of(header, keyword, length)

    def uid(keyword: str) -> str:
        return uid_of(header, keyword, content)

    known, _ = read_header(header)
    meta = getattr(header, "file_meta", Dataset())
    film: dict[str, object] = {
        "kind": "dicom",
        "sop_uid": uid("SOPInstanceUID"),
        "sop_class": text("SOPClassUID"),
        "series_uid": uid("SeriesInstanceUID"),
        "transfer_syntax": plain(str(meta.get(Tag(0x0002, 0x0010)).value if Tag(0x0002, 0x0010) in meta else ""), 64),
        "modality": known.modality or "",
        "view": known.view or "",
        "age_years": known.age_years,
        "sex": known.sex or "",
    }
    time = re.match(r"(\d\d)(\d\d)(\d\d)?", text("StudyTime", 16))
    study: dict[str, object] = {
        "uid": uid("StudyInstanceUID"),
        "accession_number": text("AccessionNumber", 16),
        "study_id": text("StudyID", 16),
        "date": _date(text("StudyDate", 8)),
        "time": ":".join(part or "00" for part in time.groups()) if time else "",
        "description": text("StudyDescription"),
    }
    identity = Identity(
        text("PatientID"),
        text("IssuerOfPatientID"),
        text("PatientName", 200),
        _date(text("PatientBirthDate", 8)),
        known.sex or "",
    )
    return Facts(film, study, identity)


def age_string(years: float | None) -> str:
    """An age as DICOM writes it (PS3.5 6.2, VR AS): in months below two years; empty where it is not known."""
    if years is None:
        return ""
    return f"{int(years):03d}Y" if years >= 2 else f"{int(years * 12):03d}M"


def uid_of(header: Dataset, keyword: str, content: str) -> str:
    """A UID of a header; one that is missing or is no UID is made from the content."""
    found = text_of(header, keyword)
    return found if uids.is_valid(found) else uids.derived(keyword, content)


def text_of(header: Dataset, keyword: str, length: int = 64) -> str:
    """A text of a header, see :func:`plain`; empty where there is none."""
    try:
        return plain(str(header.get(keyword, "") or ""), length)
    except Exception:  # a value that cannot be decoded
        return ""


def _date(text: str) -> str:
    match = re.fullmatch(r"(\d{4})(\d\d)(\d\d)", text)
    return "-".join(match.groups()) if match else ""


def plain(text: str, length: int) -> str:
    """A text of one line, of printable letters, cut: headers hold anything."""
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text.strip()[:length]
