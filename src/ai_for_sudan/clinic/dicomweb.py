"""DICOMweb of the clinic itself: STOW-RS takes films, QIDO-RS and WADO-RS give its own results and nothing else.

PS3.18. Who may call is decided before a request comes here.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from email.message import Message
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.sequence import Sequence
from pydicom.uid import JPEGBaseline8Bit
from python_multipart.multipart import MultipartParser
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ai_for_sudan.clinic.arrivals import OwnResult, look
from ai_for_sudan.clinic.store import DiskFull, Store
from ai_for_sudan.clinic.store.tables import Film, FilmReading, Patient, Result, Study
from ai_for_sudan.contract.limits import LARGEST_FILE
from ai_for_sudan.errors import UnreadableFilm

if TYPE_CHECKING:
    from ai_for_sudan.clinic.clinic import Clinic

DICOM_JSON = "application/dicom+json"
#: failure reasons, PS3.18 table I.2-2
NO_SPACE, CANNOT_UNDERSTAND, WRONG_STUDY = 0xA700, 0xC000, 0xA900
#: films in one request; answers on one page
MOST_PARTS, MOST_ANSWERS = 200, 200
MODALITIES = {"sr": "SR", "sc": "OT"}


class _Refused(Exception):
    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


def application(clinic: Clinic) -> Starlette:
    """The ASGI application, to be mounted behind the clinic's own checks."""
    web = _DicomWeb(clinic)
    levels = ("/studies", "/studies/{study}/series", "/series", "/studies/{study}/instances", "/instances")
    deep = "/studies/{study}/series/{series}"
    routes = [
        Route("/studies", web.store, methods=["POST"]),
        Route("/studies/{study}", web.store, methods=["POST"]),
        *(Route(path, web.search, methods=["GET"]) for path in (*levels, f"{deep}/instances")),
    ]
    for path in ("/studies/{study}", deep, f"{deep}/instances/{{instance}}"):
        routes.append(Route(path, web.retrieve, methods=["GET"]))
        routes.append(Route(f"{path}/metadata", web.metadata, methods=["GET"]))

    routes.append(Route(f"{deep}/instances/{{instance}}/rendered", web.rendered, methods=["GET"]))

    def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, _Refused)
        return JSONResponse({"error": str(error)}, status_code=error.status)

    return Starlette(routes=routes, exception_handlers={_Refused: refused})


class _DicomWeb:
    def __init__(self, clinic: Clinic) -> None:
        self._clinic, self._store = clinic, clinic.store

    async def store(self, request: Request) -> Response:
        """STOW-RS (10.5): each film is on the disk before the answer says so."""
        kind, boundary = _content_type(request)
        if kind != "application/dicom":
            raise _Refused(415, 'send multipart/related; type="application/dicom"')
        parts = _Parts(self._store, boundary)
        try:
            async for piece in request.stream():
                await run_in_threadpool(parts.write, piece)
            parts.close()
        except DiskFull as error:
            raise _Refused(503, "the disk is full: send it again later") from error
        finally:
            parts.close()
        try:
            if not parts.whole:
                raise _Refused(400, "the body ends before its last boundary: send it again")
            if not parts.files:
                raise _Refused(400, "the request contains no film")
            who = request.scope.get("who")
            known = {"actor": who.actor, "user_id": who.user, "device_id": who.device_id} if who else {}
            wanted = request.path_params.get("study")
            outcomes = [await run_in_threadpool(self._take, file, wanted, known) for file in parts.files]
        finally:
            parts.delete()
        failed = [entry for entry in outcomes if "FailureReason" in entry]
        answer = Dataset()
        if len(failed) < len(outcomes):
            answer.ReferencedSOPSequence = Sequence([entry for entry in outcomes if "FailureReason" not in entry])
        if failed:
            answer.FailedSOPSequence = Sequence(failed)
        full = any(entry.FailureReason == NO_SPACE for entry in failed)
        all_failed = len(failed) == len(outcomes)
        status = (503 if full else 409) if all_failed else 202 if failed else 200
        return Response(json.dumps(answer.to_json_dict()), status_code=status, media_type=DICOM_JSON)

    def _take(self, file: Path, study: str | None, known: dict[str, Any]) -> Dataset:
        entry = Dataset()
        entry.ReferencedSOPClassUID = entry.ReferencedSOPInstanceUID = ""
        try:
            seen = look(file)
            entry.ReferencedSOPClassUID = str(seen.facts.film.get("sop_class", ""))
            entry.ReferencedSOPInstanceUID = str(seen.facts.film["sop_uid"])
            if study and seen.facts.study["uid"] != study:
                entry.FailureReason = WRONG_STUDY
                return entry
            self._clinic.receive(file, origin="stow", seen=seen, **known)
        except OwnResult:
            pass
        except DiskFull:
            entry.FailureReason = NO_SPACE
        except UnreadableFilm:
            entry.FailureReason = CANNOT_UNDERSTAND
        return entry

    def search(self, request: Request) -> Response:
        """QIDO-RS (10.6) over the clinic's own results."""
        level = request.url.path.rstrip("/").rpartition("/")[2]
        query = dict(request.query_params)
        limit = min(_number(query.pop("limit", "")) or MOST_ANSWERS, MOST_ANSWERS)
        offset = _number(query.pop("offset", "")) or 0
        query.pop("fuzzymatching", None)
        asked = {_TAGS.get(name.upper(), name) for name in query.pop("includefield", "").split(",")}
        key = {"studies": Study.uid, "series": Result.series_uid}.get(level, Result.sop_uid)
        chosen = _matching(_restricted(_results(func.min(Result.id)), request), query)
        page = chosen.group_by(key).order_by(func.min(Result.id)).offset(offset).limit(limit)
        base = str(request.base_url).rstrip("/")
        with self._store.reading() as session:
            rows = session.execute(
                _results(Result, Study, Patient).where(Result.id.in_(page)).order_by(Result.id)
            ).all()
        if not rows:
            return Response(status_code=204)
        found = [_answer(level, result, study, patient, base, asked).to_json_dict() for result, study, patient in rows]
        return Response(json.dumps(found), media_type=DICOM_JSON)

    def rendered(self, request: Request) -> Response:
        """WADO-RS (10.4.1.1.2): a picture as JPEG; a report has none."""
        file = self._files(request)[0]
        dataset = dcmread(file)
        if "PixelData" not in dataset:
            raise _Refused(406, "a report is not rendered; retrieve it as application/dicom")
        return Response(next(generate_frames(dataset.PixelData, number_of_frames=1)), media_type="image/jpeg")

    def retrieve(self, request: Request) -> Response:
        """WADO-RS (10.4): as it is stored, or plain where the caller asks for that coding or names none."""
        syntax = _accepted(request)
        files = self._files(request)
        boundary = secrets.token_hex(16)
        first = files[0]

        def content() -> Iterator[bytes]:
            for file in files:
                data, used = _recoded(file, syntax)
                head = f"--{boundary}\r\nContent-Type: application/dicom; transfer-syntax={used}\r\n\r\n"
                yield head.encode() + data + b"\r\n"
            yield f"--{boundary}--\r\n".encode()

        _recoded(first, syntax)  # what cannot be given is said before the answer begins
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        return StreamingResponse(content(), headers={"Content-Type": kind})

    def metadata(self, request: Request) -> Response:
        found = []
        for file in self._files(request):
            dataset = dcmread(file, stop_before_pixels=True)
            found.append(dataset.to_json_dict())
        return Response(json.dumps(found), media_type=DICOM_JSON)

    def _files(self, request: Request) -> list[Path]:
        with self._store.reading() as session:
            names = session.scalars(_restricted(_results(Result.file).order_by(Result.id), request)).all()
        files = [self._store.results.path(name) for name in names]
        files = [file for file in files if file.exists()]
        if not files:
            raise _Refused(404, "this clinic has no result under these UIDs")
        return files


def _results(*columns: Any) -> Select[Any]:
    """Columns of the clinic's own results, of their examinations and patients."""
    return (
        select(*columns)
        .select_from(Result)
        .join(FilmReading, Result.reading_id == FilmReading.id)
        .join(Film, FilmReading.film_id == Film.id)
        .join(Study, Film.study_id == Study.id)
        .outerjoin(Patient, Study.patient_id == Patient.id)
    )


def _restricted(statement: Select[Any], request: Request) -> Select[Any]:
    for name, column in (("study", Study.uid), ("series", Result.series_uid), ("instance", Result.sop_uid)):
        if name in request.path_params:
            statement = statement.where(column == request.path_params[name])
    return statement


#: attributes that may be searched for, by keyword or tag
_COLUMNS: dict[str, Callable[[Select[Any], str], Select[Any]]] = {
    "StudyInstanceUID": lambda s, v: s.where(Study.uid.in_(v.split(","))),
    "SeriesInstanceUID": lambda s, v: s.where(Result.series_uid.in_(v.split(","))),
    "SOPInstanceUID": lambda s, v: s.where(Result.sop_uid.in_(v.split(","))),
    "SOPClassUID": lambda s, v: s.where(Result.sop_class == v),
    "PatientID": lambda s, v: s.where(_like(Patient.identifier, v)),
    "PatientName": lambda s, v: s.where(_like(Patient.name, v)),
    "AccessionNumber": lambda s, v: s.where(_like(Study.accession_number, v)),
    "StudyDate": lambda s, v: _dates(s, v),
    "Modality": lambda s, v: s.where(Result.kind == {"SR": "sr", "OT": "sc"}.get(v, "")),
    "ModalitiesInStudy": lambda s, v: s.where(Result.kind == {"SR": "sr", "OT": "sc"}.get(v, "")),
}
_TAGS = {
    "0020000D": "StudyInstanceUID", "0020000E": "SeriesInstanceUID", "00080018": "SOPInstanceUID",
    "00080016": "SOPClassUID", "00100020": "PatientID", "00100010": "PatientName", "00100030": "PatientBirthDate",
    "00081030": "StudyDescription", "00080050": "AccessionNumber", "00080020": "StudyDate",
    "00080060": "Modality", "00080061": "ModalitiesInStudy",
}  # fmt: skip


def _matching(statement: Select[Any], query: dict[str, str]) -> Select[Any]:
    for name, value in query.items():
        keyword = _TAGS.get(name.upper(), name)
        if keyword not in _COLUMNS:
            raise _Refused(400, f"'{keyword[:40]}' cannot be searched for; possible are: {', '.join(_COLUMNS)}")
        statement = _COLUMNS[keyword](statement, value)
    return statement


def _like(column: InstrumentedAttribute[str], value: str) -> ColumnElement[bool]:
    """A value with wildcards (PS3.4 C.2.2.2.4); without one, an index finds it."""
    if "*" not in value and "?" not in value:
        return column == value
    pattern = re.sub(r"([%_/])", r"/\1", value).replace("*", "%").replace("?", "_")
    return column.like(pattern, escape="/")


def _dates(statement: Select[Any], value: str) -> Select[Any]:
    match = re.fullmatch(r"(\d{8})?(-?)(\d{8})?", value)
    if match is None or not (match[1] or match[3]):
        raise _Refused(400, "StudyDate is YYYYMMDD, or a range such as 20260101-20260131")
    first, last = (f"{d[:4]}-{d[4:6]}-{d[6:]}" if d else "" for d in (match[1], match[3]))
    if not match[2]:
        return statement.where(Study.date == first)
    statement = statement.where(Study.date >= first) if first else statement
    return statement.where(Study.date <= last) if last else statement


def _answer(level: str, result: Result, study: Study, patient: Patient | None, base: str, asked: set[str]) -> Dataset:
    found = Dataset()
    found.StudyInstanceUID, found.StudyID = study.uid, study.study_id
    found.StudyDate, found.StudyTime = study.date.replace("-", ""), study.time.replace(":", "")
    found.AccessionNumber = study.accession_number
    found.PatientID, found.PatientName = (patient.identifier, patient.name) if patient else ("", "")
    found.PatientSex = patient.sex if patient else ""
    if asked & {"all", "StudyDescription"}:
        found.StudyDescription = study.description
    if asked & {"all", "PatientBirthDate"}:
        found.PatientBirthDate = patient.birth_date.replace("-", "") if patient else ""
    found.RetrieveURL = f"{base}/studies/{study.uid}"
    if level == "studies":
        found.ModalitiesInStudy = list(MODALITIES.values())
        return found
    found.RetrieveURL += f"/series/{result.series_uid}"
    found.SeriesInstanceUID, found.Modality = result.series_uid, MODALITIES[result.kind]
    if level == "series":
        return found
    found.RetrieveURL += f"/instances/{result.sop_uid}"
    found.SOPClassUID, found.SOPInstanceUID, found.InstanceNumber = result.sop_class, result.sop_uid, 1
    return found


def _number(text: str) -> int:
    if text and not re.fullmatch(r"\d{1,9}", text):
        raise _Refused(400, "limit and offset are whole numbers")
    return int(text or 0)


def _accepted(request: Request) -> str:
    """The transfer syntax that is asked for (8.7.3.5.2): ``*`` is as it is stored, none is explicit little endian."""
    accept = request.headers.get("accept", "*/*")
    if accept.strip() in ("", "*/*"):
        return "*"
    for choice in accept.split(","):
        kind, parameters = _parsed(choice)
        wanted = parameters.get("type", "application/dicom")
        if kind in ("multipart/related", "*/*", "multipart/*") and wanted == "application/dicom":
            return parameters.get("transfer-syntax", "1.2.840.10008.1.2.1")
    raise _Refused(406, 'given is multipart/related; type="application/dicom", with transfer-syntax=* as it is stored')


def _recoded(file: Path, syntax: str) -> tuple[bytes, str]:
    dataset = dcmread(file)
    stored = str(dataset.file_meta.TransferSyntaxUID)
    if syntax in ("*", stored):
        return file.read_bytes(), stored
    if syntax != "1.2.840.10008.1.2.1":
        raise _Refused(406, "results are returned as they are stored (transfer-syntax=*) or in explicit little endian")
    if stored == JPEGBaseline8Bit:
        dataset.decompress(as_rgb=True, generate_instance_uid=False)
        dataset.PhotometricInterpretation = "RGB"
    out = BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue(), syntax


def _parsed(text: str) -> tuple[str, dict[str, str]]:
    message = Message()
    message["content-type"] = text.strip()
    found = message.get_params(failobj=[("", "")])
    return found[0][0].lower(), {key.lower(): value for key, value in found[1:]}


def _content_type(request: Request) -> tuple[str, bytes]:
    kind, parameters = _parsed(request.headers.get("content-type", ""))
    boundary = parameters.get("boundary", "")
    if kind != "multipart/related" or not boundary or len(boundary) > 200:
        raise _Refused(415, 'send multipart/related; type="application/dicom"; boundary=...')
    return parameters.get("type", "application/dicom"), boundary.encode("latin-1", "replace")


class _Parts:
    """The parts of a request, each written to a file as it comes."""

    def __init__(self, store: Store, boundary: bytes) -> None:
        self.files: list[Path] = []
        self._store, self._size = store, 0
        self._file: IO[bytes] | None = None
        #: whether the last boundary came: what ends before it was cut on the way
        self.whole = False
        callbacks: Any = {
            "on_part_begin": self._begin, "on_part_data": self._data, "on_part_end": self.close, "on_end": self._all,
        }  # fmt: skip
        self._parser = MultipartParser(boundary, callbacks)

    def write(self, piece: bytes) -> None:
        from python_multipart.exceptions import ParseError

        try:
            self._parser.write(piece)
        except ParseError as error:
            self.close()
            self.delete()
            raise _Refused(400, "the body is not multipart/related") from error
        except BaseException:
            self.close()
            self.delete()
            raise

    def _begin(self) -> None:
        if len(self.files) >= MOST_PARTS:
            raise _Refused(413, f"at most {MOST_PARTS} films in one request")
        self._store.films.check_room()
        self._file, self._size = self._store.films.open_incoming(), 0
        self.files.append(Path(self._file.name))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._size > LARGEST_FILE:
            raise _Refused(413, "a film may have at most 300 MB")
        assert self._file is not None
        self._file.write(data[start:end])

    def _all(self) -> None:
        self.whole = True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def delete(self) -> None:
        for file in self.files:
            file.unlink(missing_ok=True)
