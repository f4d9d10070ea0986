"""Results on their way: confirmed by asking back, through every kind of trouble with a PACS."""

from __future__ import annotations

import dataclasses
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from clinic_parts import TITLE, Orthanc, config, dcmtk, film, free_port, running, send, wait_for
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from sqlalchemy import select, update

from ai_for_sudan.clinic.care import certificate, doctor
from ai_for_sudan.clinic.clinic import Clinic
from ai_for_sudan.clinic.config import Destination, Modality, Node
from ai_for_sudan.clinic.delivery import deliverers
from ai_for_sudan.clinic.delivery.deliverers import Deliverer
from ai_for_sudan.clinic.delivery.dicom import DicomPeer
from ai_for_sudan.clinic.health import health
from ai_for_sudan.clinic.store import Store, deliveries, jobs, tables
from ai_for_sudan.clinic.store.tables import Delivery, Film, FilmReading, Result

SR, SC = "1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.5.1.4.1.1.7"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"


def states(clinic: Clinic) -> list[str]:
    with clinic.store.reading() as session:
        return sorted(session.scalars(select(Delivery.state)))


def confirmed(clinic: Clinic, count: int) -> bool:
    return bool(wait_for(lambda: states(clinic) == ["confirmed"] * count))


def why(clinic: Clinic, words: str) -> bool:
    """Whether the page of what is waiting comes to say so."""

    def said() -> bool:
        with clinic.store.reading() as session:
            return any(words in waiting.why for waiting in deliveries.not_confirmed(session))

    return bool(wait_for(said))


def hurry(clinic: Clinic) -> None:
    """Do not wait for the back-off: as somebody who asks for it on the page."""
    with clinic.store.writing() as session:
        deliveries.resend(session, list(session.scalars(select(Delivery.id).where(Delivery.state == "waiting"))))
    clinic.deliverers.wake()


def test_results_reach_orthanc_in_the_study_of_the_film_and_are_confirmed(
    tmp_path: Path, reader_file: Path, orthanc: Orthanc
) -> None:
    with running(config(tmp_path, reader_file, destinations=(orthanc.destination(),))) as clinic:
        source = film()
        assert send(clinic.node.port, [source]) == [0]
        assert confirmed(clinic, 2)
        found = orthanc.find(StudyInstanceUID=source.StudyInstanceUID)
        assert len(found) == 2 and len(orthanc.get("/studies")) == 1
        with clinic.store.reading() as session:
            mine = set(session.scalars(select(Result.sop_uid)))
        assert {one["MainDicomTags"]["SOPInstanceUID"] for one in found} == mine
        # Sent back by the PACS, they are not taken for films.
        assert send(clinic.node.port, [_of(clinic, "sc"), _of(clinic, "sr")]) == [0, 0]
        with clinic.store.reading() as session:
            assert len(session.scalars(select(Film)).all()) == 1


def _of(clinic: Clinic, kind: str):  # type: ignore[no-untyped-def]
    with clinic.store.reading() as session:
        file = session.scalars(select(Result.file).where(Result.kind == kind)).one()
    return dcmread(clinic.store.results.path(file))


def test_results_reach_orthanc_by_dicomweb(tmp_path: Path, reader_file: Path, orthanc: Orthanc) -> None:
    web = Destination(name="Web", protocol="dicomweb", url=f"http://127.0.0.1:{orthanc.http}/dicom-web")
    with running(config(tmp_path, reader_file, destinations=(web,))) as clinic:
        source = film()
        send(clinic.node.port, [source])
        assert confirmed(clinic, 2)
        assert len(orthanc.find(StudyInstanceUID=source.StudyInstanceUID)) == 2


def test_a_pacs_that_is_away_gets_everything_once_it_is_back(
    tmp_path: Path, reader_file: Path, orthanc: Orthanc
) -> None:
    orthanc.stop()
    with running(config(tmp_path, reader_file, destinations=(orthanc.destination(),))) as clinic:
        send(clinic.node.port, [film(number=n) for n in range(3)])
        assert why(clinic, "does not answer at 127.0.0.1")
        assert wait_for(lambda: states(clinic) == ["waiting"] * 6)
        orthanc.start()
        hurry(clinic)
        assert confirmed(clinic, 6)
    assert len(orthanc.find(Modality="SR")) == 3


def test_what_was_confirmed_is_not_sent_again_after_a_restart(
    tmp_path: Path, reader_file: Path, orthanc: Orthanc
) -> None:
    settings = config(tmp_path, reader_file, destinations=(orthanc.destination(),))
    with running(settings) as clinic:
        send(clinic.node.port, [film()])
        assert confirmed(clinic, 2)
    with running(settings) as clinic, clinic.store.reading() as session:
        assert [row.attempts for row in session.scalars(select(Delivery))] == [1, 1]
        assert len(session.scalars(select(FilmReading)).all()) == 1


@contextmanager
def pacs(
    store_status: int = 0,
    *,
    keeps: bool = True,
    finds: bool = True,
    jpeg: bool = True,
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> Iterator[tuple[int, list[str]]]:
    """A PACS of the tests' own that behaves badly in one way; its port and the transfer syntaxes of what came."""
    kept: dict[str, str] = {}
    syntaxes: list[str] = []

    def on_store(event: evt.Event) -> int:
        syntaxes.append(str(event.context.transfer_syntax))
        if store_status == 0 and keeps:
            kept[str(event.request.AffectedSOPInstanceUID)] = ""
        return store_status

    def on_find(event: evt.Event):  # type: ignore[no-untyped-def]
        for uid in kept:
            answer = Dataset()
            answer.QueryRetrieveLevel, answer.SOPInstanceUID = "IMAGE", uid
            yield 0xFF00, answer

    ae = AE(ae_title="PACS")
    plain = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
    ae.add_supported_context(SR, plain)
    ae.add_supported_context(SC, [*plain, "1.2.840.10008.1.2.4.50"] if jpeg else plain)
    if finds:
        ae.add_supported_context(FIND)
    handlers = [(evt.EVT_C_STORE, on_store), (evt.EVT_C_FIND, on_find)]
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers, ssl_context=tls)
    try:
        yield server.socket.getsockname()[1], syntaxes
    finally:
        server.shutdown()


def there(port: int) -> Destination:
    return Destination(name="PACS", host="127.0.0.1", port=port, title="PACS")


def test_a_pacs_that_is_away_for_a_day_is_tried_ever_less_often_and_gets_everything(
    tmp_path: Path, reader_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    with running(config(tmp_path, reader_file)) as clinic:  # its results wait for a PACS to come
        assert send(clinic.node.port, [film(number=n) for n in range(3)]) == [0, 0, 0]
        assert wait_for(lambda: _count(clinic, Result) == 6)
    store = Store.open(tmp_path / "data")
    moment = [tables.now()]
    for module in (deliveries, jobs):
        monkeypatch.setattr(module, "now", lambda: moment[0])
    with store.writing() as session:
        deliveries.set_destinations(session, {"PACS": ("sr", "sc")})
        session.flush()
        deliveries.enqueue(session, list(session.scalars(select(Result))))
    deliverer = Deliverer(DicomPeer(config(tmp_path, reader_file), there(port)), there(port), store)
    tries = []
    for minute in range(24 * 60):
        moment[0] += timedelta(minutes=1)
        if deliverer.work():
            tries.append(minute)
    with store.reading() as session:
        waiting = deliveries.not_confirmed(session)
    assert len(waiting) == 6 and all("does not answer" in one.why for one in waiting)
    # Ever less often, and at the end twice an hour: it knows within half an hour that the PACS is back.
    assert 40 < len(tries) < 65 and max(b - a for a, b in pairwise(tries)) <= 31
    with pacs(port=port) as (_, came):
        moment[0] += timedelta(minutes=31)
        assert deliverer.work() and len(came) == 6
    with store.reading() as session:
        assert {row.state for row in session.scalars(select(Delivery))} == {"confirmed"}
    store.close()


def _count(clinic: Clinic, table: type[tables.Table]) -> int:
    with clinic.store.reading() as session:
        return len(session.scalars(select(table)).all())


def test_a_pacs_behind_tls_is_spoken_to_only_where_its_certificate_is_known(tmp_path: Path, reader_file: Path) -> None:
    folder = tmp_path / "pacs"
    certificate.make(folder / "pacs.pem", folder / "pacs.key", ["127.0.0.1"], "PACS")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pacs.pem", folder / "pacs.key")
    with pacs(tls=context) as (port, _):
        unknown = dataclasses.replace(there(port), name="Unknown", tls=True)
        known = dataclasses.replace(there(port), tls=True, tls_authority=str(folder / "authority.pem"))
        with running(config(tmp_path, reader_file, destinations=(known, unknown))) as clinic:
            send(clinic.node.port, [film()])
            assert wait_for(lambda: states(clinic) == ["confirmed"] * 2 + ["waiting"] * 2)
            with clinic.store.reading() as session:
                assert {one.destination for one in deliveries.not_confirmed(session)} == {"Unknown"}


def test_a_pacs_that_says_yes_and_keeps_nothing_is_a_fault_that_is_shown(tmp_path: Path, reader_file: Path) -> None:
    with pacs(keeps=False) as (port, _), running(config(tmp_path, reader_file, destinations=(there(port),))) as clinic:
        send(clinic.node.port, [film()])
        assert why(clinic, "accepted it but does not have it")
        assert "confirmed" not in states(clinic)


@pytest.mark.parametrize(
    ("status", "words", "state"),
    [(0xA700, "no space", "waiting"), (0xC000, "cannot understand", "refused"), (0x0124, "does not allow", "refused")],
)
def test_a_refusal_of_the_pacs_is_never_shown_as_success(
    tmp_path: Path, reader_file: Path, status: int, words: str, state: str
) -> None:
    with pacs(status) as (port, _), running(config(tmp_path, reader_file, destinations=(there(port),))) as clinic:
        send(clinic.node.port, [film()])
        assert why(clinic, words)
        assert wait_for(lambda: states(clinic) == [state, state])


@contextmanager
def storescp(folder: Path) -> Iterator[int]:
    """dcmtk's storescp, which knows no C-FIND; its port."""
    program = dcmtk("storescp")
    if program is None:
        pytest.skip("dcmtk is not installed: apt-get install dcmtk")
    folder.mkdir()
    port = free_port()
    process = subprocess.Popen([program, "-aet", "PACS", "-od", str(folder), "+xa", str(port)])

    def open_port() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        assert wait_for(open_port)
        yield port
    finally:
        process.kill()
        process.wait()


def test_a_pacs_that_cannot_be_asked_gets_everything_and_it_is_said(
    tmp_path: Path, reader_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliverers, "BATCH", 2)
    with storescp(tmp_path / "pacs") as port:
        settings = config(tmp_path, reader_file, destinations=(there(port),))
        with running(settings) as clinic:
            assert send(clinic.node.port, [film(number=n) for n in range(3)]) == [0, 0, 0]
            assert wait_for(lambda: len(list((tmp_path / "pacs").iterdir())) == 6)
            assert wait_for(lambda: states(clinic) == ["sent"] * 6)
            assert why(clinic, "does not answer C-FIND")
            (problem,) = [one for one in health(clinic)["problems"] if one["code"] == "unconfirmed"]
            assert "confirm" in problem["advice"]
            findings = {finding.what: finding for finding in doctor.examine(settings)}
            assert findings["PACS PACS"].state == "failure" and "cannot be confirmed" in findings["PACS PACS"].words
        trusting = dataclasses.replace(settings, destinations=(dataclasses.replace(there(port), confirm="status"),))
        with running(trusting) as clinic:
            assert states(clinic) == ["accepted"] * 6
            assert send(clinic.node.port, [film(number=4)]) == [0]
            assert wait_for(lambda: states(clinic) == ["accepted"] * 8)
            with clinic.store.reading() as session:
                assert deliveries.not_confirmed(session) == []


def test_orthanc_answers_for_what_it_keeps(tmp_path: Path, reader_file: Path) -> None:
    if shutil.which("Orthanc") is None:
        pytest.skip("Orthanc is not installed: apt-get install orthanc orthanc-dicomweb")
    port = free_port()
    orthanc = Orthanc(tmp_path / "orthanc", port)
    orthanc.start()
    try:
        node = Node(title=TITLE, host="127.0.0.1", port=port, modalities=(Modality("CR1"),))
        there = orthanc.destination(confirm="commitment")
        settings = config(tmp_path, reader_file, node=node, destinations=(there,))
        assert "Storage Commitment" in DicomPeer(settings, there).check()
        with running(settings) as clinic:
            assert send(clinic.node.port, [film()]) == [0]
            assert confirmed(clinic, 2)
            assert send(clinic.node.port, [film()], title="ORTHANC") == [0x0124]  # it may answer, and nothing else
            # What it does not have, it does not answer for.
            with clinic.store.writing() as session:
                session.execute(update(Result).where(Result.kind == "sc").values(sop_uid="1.2.3.4"))
                session.execute(update(Delivery).values(state="sent", due_at=tables.now()))
            clinic.deliverers.wake()
            assert why(clinic, "does not answer for keeping it")
            assert wait_for(lambda: "confirmed" in states(clinic))
    finally:
        orthanc.stop()


def test_a_pacs_that_has_it_already_has_taken_it(tmp_path: Path, reader_file: Path) -> None:
    with pacs(0x0111) as (port, _):
        trusting = dataclasses.replace(there(port), confirm="status")
        with running(config(tmp_path, reader_file, destinations=(trusting,))) as clinic:
            send(clinic.node.port, [film()])
            assert wait_for(lambda: states(clinic) == ["accepted"] * 2)


def test_a_pacs_that_takes_no_jpeg_gets_the_picture_uncompressed(tmp_path: Path, reader_file: Path) -> None:
    with (
        pacs(jpeg=False) as (port, came),
        running(config(tmp_path, reader_file, destinations=(there(port),))) as clinic,
    ):
        send(clinic.node.port, [film()])
        assert confirmed(clinic, 2)
        assert set(came) == {str(ExplicitVRLittleEndian)}


def test_many_results_travel_over_one_association(tmp_path: Path, reader_file: Path) -> None:
    conversations: list[str] = []
    with pacs() as (port, came):
        settings = config(tmp_path, reader_file, destinations=(there(free_port()),))
        with running(settings) as clinic:  # away: they gather
            send(clinic.node.port, [film(number=n) for n in range(5)])
            assert wait_for(lambda: len(states(clinic)) == 10)
        settings = dataclasses.replace(settings, destinations=(there(port),))
        with running(settings) as clinic:
            peer = clinic.deliverers.all[0]._peer
            send_all = peer.send
            peer.send = lambda results: conversations.append("one") or send_all(results)  # type: ignore[method-assign, assignment]
            assert confirmed(clinic, 10)
        assert len(conversations) <= 2 and len(came) == 10


class _Web(BaseHTTPRequestHandler):
    status, body = 200, b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(self.status, self.body)

    def do_GET(self) -> None:
        self._answer(200, b"[]")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


class _Forgetful(BaseHTTPRequestHandler):
    """Stores each instance, loses its first answer, and says 409 when the same comes again."""

    kept: ClassVar[list[str]] = []
    posts: ClassVar[list[int]] = []
    asked: ClassVar[bool] = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.posts.append(len(body))
        found = [dcmread(BytesIO(part[part.index(b"\r\n\r\n") + 4 :]), force=True, stop_before_pixels=True)
                 for part in body.split(b"--0f3cf5c0-70e0-41ef-baef-c6f9f65ec3e1")[1:-1]]  # fmt: skip
        uids = [str(one.SOPInstanceUID) for one in found]
        if not set(uids) <= set(self.kept):
            self.kept.extend(uids)
            self.close_connection = True
            self.connection.close()
            return
        failed = Dataset()
        failed.FailedSOPSequence = []
        for uid in uids:
            item = Dataset()
            item.ReferencedSOPInstanceUID, item.FailureReason = uid, 0x0111
            failed.FailedSOPSequence.append(item)
        self._answer(409, json.dumps(failed.to_json_dict()).encode())

    def do_GET(self) -> None:
        wanted = parse_qs(urlsplit(self.path).query).get("SOPInstanceUID", [""])[0]
        found = [{"00080018": {"vr": "UI", "Value": [wanted]}}] if wanted in self.kept else []
        self._answer(200 if self.asked else 503, json.dumps(found).encode())

    _answer = _Web._answer

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.mark.parametrize("answers_when_asked", [True, False])
def test_a_lost_answer_of_a_web_server_that_stored_is_no_refusal(
    tmp_path: Path, reader_file: Path, answers_when_asked: bool
) -> None:
    handler = type("Handler", (_Forgetful,), {"kept": [], "posts": [], "asked": answers_when_asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    web = Destination(name="Web", protocol="dicomweb", url=f"http://127.0.0.1:{server.server_port}/dicom-web")
    with running(config(tmp_path, reader_file, destinations=(web,))) as clinic:
        send(clinic.node.port, [film()])
        assert wait_for(lambda: len(handler.kept) == 2)
        expected = ["confirmed"] * 2 if answers_when_asked else ["sent"] * 2
        assert wait_for(lambda: hurried(clinic) or states(clinic) == expected)
        # What may be there is asked for before it is sent again.
        assert len(handler.posts) == 1 or not answers_when_asked
    server.shutdown()


def hurried(clinic: Clinic) -> None:
    """End the back-off, and leave all else as it is."""
    with clinic.store.writing() as session:
        session.execute(update(Delivery).where(Delivery.state == "waiting").values(due_at=tables.now()))
        session.execute(update(tables.Destination).values(due_at=tables.now()))
    clinic.deliverers.wake()


def test_a_missing_file_of_a_result_is_made_again_and_stops_no_other(
    tmp_path: Path, reader_file: Path, orthanc: Orthanc
) -> None:
    settings = config(
        tmp_path, reader_file, destinations=(dataclasses.replace(orthanc.destination(), port=free_port()),)
    )
    with running(settings) as clinic:  # away: they gather
        sent = [film(number=n) for n in range(2)]
        send(clinic.node.port, sent)
        assert wait_for(lambda: len(states(clinic)) == 4)
        with clinic.store.writing() as session:
            first, second = (
                session.scalars(select(Film).where(Film.sop_uid == one.SOPInstanceUID)).one() for one in sent
            )
            for result in session.scalars(select(Result)):
                clinic.store.results.delete(result.file)
            clinic.store.films.delete(second.file)
            assert first.file != second.file
    with running(dataclasses.replace(settings, destinations=(orthanc.destination(),))) as clinic:
        done = ["confirmed"] * 3 + ["lost"]  # the picture of the film that is gone
        assert wait_for(lambda: hurried(clinic) or states(clinic) == done)
        with clinic.store.reading() as session:
            (waiting,) = deliveries.not_confirmed(session)
        assert (waiting.kind, waiting.next_try_at) == ("sc", None) and "cannot be made again" in waiting.why
        assert "lost" in {problem["code"] for problem in health(clinic)["problems"]}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (413, "client_max_body_size"),
        (401, "check the password"),
        (500, "has a fault"),
        (409, "did not accept it"),
        (200, "accepted it but does not have it"),
    ],
)
def test_what_a_web_server_says_is_reported_in_plain_words(
    tmp_path: Path, reader_file: Path, status: int, words: str
) -> None:
    handler = type("Handler", (_Web,), {"status": status, "body": b"{}"})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    web = Destination(name="Web", protocol="dicomweb", url=f"http://127.0.0.1:{server.server_port}/dicom-web")
    with running(config(tmp_path, reader_file, destinations=(web,))) as clinic:
        send(clinic.node.port, [film()])
        assert why(clinic, words)
        assert "confirmed" not in states(clinic)
    server.shutdown()
