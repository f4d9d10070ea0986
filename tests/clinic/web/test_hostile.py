"""What hostile, broken and impatient callers may do to the server: nothing."""

from __future__ import annotations

import io
import json
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicom_film import dicom
from PIL import Image

from ai_for_sudan.clinic.store import tables
from ai_for_sudan.clinic.web import protocol
from ai_for_sudan.clinic.web.uploads import shown_name
from ai_for_sudan.contract.limits import LARGEST_FILE
from tests.clinic.web.conftest import PASSWORD, Clinic, addresses

HTML = "<img src=x onerror=alert(1)><script>alert(2)</script>"
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
)  # fmt: skip
SQL = "'; DROP TABLE films; --"


def memory() -> int:
    """Bytes that this process, and the server in it, holds now."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def address(clinic: Clinic) -> tuple[str, int]:
    return "127.0.0.1", int(clinic.address.rpartition(":")[2])


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_body_of_a_gigabyte_is_refused_in_constant_memory(clinic: Clinic) -> None:
    client = clinic.person("amina")
    headers = {"X-CSRF-Token": client.headers["X-CSRF-Token"], "Cookie": f"session={client.cookies['session']}"}
    before = memory()
    # It says how large it is: refused before one byte was read.
    lines = [f"{k}: {v}" for k, v in {**headers, "Host": "x", "Content-Length": str(1 << 30)}.items()]
    with socket.create_connection(address(clinic), timeout=20) as line:
        line.sendall(("POST /api/films HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode())
        assert line.recv(100).startswith(b"HTTP/1.1 413")
    # It does not say: refused as soon as it is more than a film can be, and what had come is gone.
    piece = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    lines = [f"{k}: {v}" for k, v in {**headers, "Host": "x", "Transfer-Encoding": "chunked"}.items()]
    sent = 0
    with socket.create_connection(address(clinic), timeout=60) as line:
        line.sendall(("POST /api/films HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode())
        try:
            while sent < 1 << 30:
                line.sendall(piece)
                sent += 0x10000
        except OSError:
            pass  # the server hung up
    assert LARGEST_FILE < sent < 2 * LARGEST_FILE
    assert memory() - before < 60e6
    assert not list(clinic.store.films.incoming.iterdir())


def test_no_call_takes_a_large_body_of_json(clinic: Clinic) -> None:
    token, boss = _device(clinic), clinic.user("boss", "administrator")
    content = json.dumps({"x": "y" * 2_000_000})
    taking = [e for e in addresses(clinic) if e.body == "application/json"]
    assert len(taking) >= 10
    for endpoint in taking:
        client = clinic.nobody()
        if "device" in endpoint.roles:
            client.headers["Authorization"] = f"Bearer {token}"
        else:
            client.log_in(boss)
        path = endpoint.path.replace("{film}", "1").replace("{name}", "boss")
        answer = client.request(endpoint.method, path, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 413, endpoint


def _device(clinic: Clinic) -> str:
    client = clinic.person("paired")
    code = client.post("/api/pairings").json()["address"].rpartition("/")[2]
    return str(client.post("/api/phone", json={"code": code, "name": "phone"}).json()["token"])


def test_deep_and_odd_json_is_refused(clinic: Clinic) -> None:
    client = clinic.person("amina")
    for content in ("[" * 30_000, '{"view": NaN}', '{"view": "open", "search": "\\ud800"}', "", "{", '{"view": "x"}',
                    '{"view": "open", "more": 1}', '{"view": "open", "page": 1e400}', '"view"'):  # fmt: skip
        answer = client.post("/api/worklist", content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid"), content[:40]


def test_slow_clients_are_let_go_and_do_not_hold_up_others(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEADERS", 1.0)
    monkeypatch.setattr(protocol, "BODY", 1.0)
    silent = [socket.create_connection(address(clinic)) for _ in range(20)]
    dripping = socket.create_connection(address(clinic))
    dripping.sendall(b"GET / HTTP/1.1\r\n")
    body = socket.create_connection(address(clinic))
    body.sendall(
        b"POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
    )
    assert clinic.nobody().get("/health").status_code == 200
    for line in (*silent, body):
        line.settimeout(20)
        assert _closed(line)
    # One header line after the other: the whole head has its time, not each line.
    ended = False
    for _ in range(100):
        try:
            dripping.sendall(b"X-More: 1\r\n")
        except OSError:
            ended = True
            break
        time.sleep(0.1)
    assert ended
    assert clinic.nobody().get("/health").status_code == 200


def _closed(line: socket.socket) -> bool:
    try:
        while line.recv(1000):
            pass
    except ConnectionResetError:
        pass
    return True


def test_one_address_has_a_limit_of_connections(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "FROM_ONE_ADDRESS", 10)
    lines = [socket.create_connection(address(clinic)) for _ in range(30)]
    time.sleep(0.3)
    for line in lines[12:]:
        line.settimeout(5)
        assert _closed(line)
    for line in lines:
        line.close()
    time.sleep(0.3)
    assert clinic.nobody().get("/health").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/../clinic.toml", "/..%2fclinic.toml", "/%2e%2e/data/clinic.sqlite3", "/assets/..%5c..%5cclinic.toml",
     "/app/../../clinic.toml", "/app/%2e%2e/%2e%2e/clinic.toml", "//etc/passwd", "/api/films/..%2f1/picture",
     "/monthly/..%2f..%2fclinic", "/api/films/1%00", "/api/films/99999999999999999999"],
)  # fmt: skip
def test_no_path_leads_out(clinic: Clinic, path: str) -> None:
    client = clinic.person("boss", "administrator")
    (clinic.store.folder.parent / "clinic.toml").write_text("secret = 1")
    host, port = address(clinic)
    with socket.create_connection((host, port), timeout=10) as line:
        cookie = f"Cookie: session={client.cookies['session']}"
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\n{cookie}\r\nConnection: close\r\n\r\n"
        line.sendall(head.encode())
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    assert answer.split()[1] in (b"404", b"400", b"405") and b"secret" not in answer and b"SQLite format" not in answer


@pytest.mark.parametrize(
    ("name", "shown"),
    [("../../etc/passwd", "passwd"), ("C:\\films\\a.dcm", "a.dcm"), ("a\x00b\x1b[31m", "ab[31m"),
     ("x" * 300, "x" * 100), ("/", ""), (HTML, "script>"), ("\ud800", "")],
)  # fmt: skip
def test_a_files_name_is_shown_and_nothing_else(name: str, shown: str) -> None:
    assert shown_name(name) == shown


def test_an_upload_is_kept_whatever_it_is_called(clinic: Clinic, film: bytes) -> None:
    client = clinic.person("amina")
    before = sorted(path.name for path in clinic.store.folder.parent.iterdir())
    answer = client.post("/api/films", content=film, headers={"X-File-Name": "..%2F..%2Fclinic.toml"})
    assert answer.json() == {"film": 1, "new": True}
    assert client.post("/api/films", content=film).json() == {"film": 1, "new": False}
    assert sorted(path.name for path in clinic.store.folder.parent.iterdir()) == before
    with clinic.store.reading() as session:
        assert session.get_one(tables.Film, 1).file_name == "clinic.toml"
    assert [row.actor for row in clinic.trail("film.added")] == ["user:amina"]
    assert client.post("/api/films", content=b"").json()["error"] == "empty"


@pytest.mark.parametrize("text", [SQL, HTML, "%", "_", "\\", "P' OR 1=1 --"])
def test_sql_and_html_are_text(clinic: Clinic, film: bytes, text: str) -> None:
    clinic.film(film)
    with clinic.store.writing() as session:
        patient = tables.Patient(identifier=text, name=text)
        session.add(patient)
        session.flush()
        session.get_one(tables.Study, 1).patient_id = patient.id
    client = clinic.person("amina")
    found = client.post("/api/worklist", json={"view": "all", "search": text}).json()["rows"]
    assert [row["patient"] for row in found] == [text]
    assert client.post("/api/worklist", json={"view": "all", "search": f"{text}no"}).json()["rows"] == []
    sent = client.get("/api/films/1")
    assert sent.json()["name"] == text and sent.headers["content-type"] == "application/json"
    assert sent.headers["x-content-type-options"] == "nosniff" and sent.headers["cache-control"] == "no-store"


def test_every_answer_carries_the_headers_that_bind_a_browser(clinic: Clinic) -> None:
    client = clinic.nobody()
    for path in ("/", "/health", "/api/users", "/nowhere", "/openapi.json"):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"], path
        assert headers["x-frame-options"] == "DENY" and headers["referrer-policy"] == "no-referrer"


def test_the_interface_keeps_to_its_own_document(clinic: Clinic, film: bytes, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    clinic.film(film)
    client = clinic.person("boss", "administrator")
    clinic.user("sacrifice", "administrator")
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "run", f"{clinic.address}/openapi.json", "--max-examples", "8",
            "--seed", "1", "-H", f"Cookie: session={client.cookies['session']}",
            "-H", f"X-CSRF-Token: {client.headers['X-CSRF-Token']}", "--phases", "examples,coverage,fuzzing",
            "--checks", ",".join(CHECKS),
            # These end the session that the run needs.
            "--exclude-path", "/api/session", "--exclude-path", "/api/session/password",
            "--exclude-path", "/api/events",
            "--exclude-path-regex", "/api/users/.*", "--exclude-path-regex", "/monthly/.*",
            "--workers", "1",
        ],
        capture_output=True, text=True, timeout=500, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


def test_a_hostile_text_is_only_text_in_a_browser(start: Callable[..., Clinic], film: bytes) -> None:
    clinic = start()
    clinic.film(film)
    clinic.user("amina", full_name=HTML)
    client = clinic.nobody().log_in("amina", PASSWORD)
    reading = client.get("/api/films/1").json()["reading"]["id"]
    body = {"reading": reading, "agreement": "agree", "note": HTML}
    assert client.post("/api/films/1/verdicts", json=body).json()["note"] == HTML
    body["note"] = "a\x1b[31m"
    assert client.post("/api/films/1/verdicts", json=body).status_code == 400


def test_sql_and_html_in_dicom_tags_arrive_as_text(clinic: Clinic, film: bytes) -> None:
    pixels = np.asarray(Image.open(io.BytesIO(film)).convert("L"))
    tags = {
        "PatientName": f"{HTML}^{SQL}",
        "PatientID": SQL,
        "AccessionNumber": "' OR 1=1 --",
        "StudyInstanceUID": "1.2.3",
        "InstitutionName": HTML,
    }
    content = io.BytesIO()
    dicom(pixels, **tags).save_as(content, enforce_file_format=True)
    client = clinic.person("amina")
    assert client.post("/api/films", content=content.getvalue()).json() == {"film": 1, "new": True}
    clinic.read(1)
    found = client.get("/api/films/1").json()
    assert found["name"] == f"{HTML}^{SQL}" and found["patient"] == SQL
    assert HTML not in client.get("/api/exports/readings.csv").text
    assert [row["id"] for row in client.post("/api/worklist", json={"view": "all", "search": SQL}).json()["rows"]] == [
        1
    ]


def test_no_trail_row_names_a_patient(clinic: Clinic, film: bytes) -> None:
    client = clinic.person("amina")
    client.post("/api/worklist", json={"view": "all", "search": "Mona Idris"})
    clinic.film(film)
    client.get("/api/films/1")
    assert [row.act for row in clinic.trail("film")] == ["film.seen"]
    assert all("Mona" not in f"{row.subject} {row.detail}" for row in clinic.trail())


def test_a_trail_that_was_changed_is_found_by_its_page(clinic: Clinic) -> None:
    boss = clinic.person("boss", "administrator")
    verified = boss.post("/api/trail/verify").json()
    rows = boss.post("/api/trail", json={}).json()["rows"]
    assert verified["rows"] == len(rows) and verified["last"] == rows[0]["hash"]
    assert {row["at"][-1] for row in rows} == {"Z"} and all("+" in row["at_local"][19:] for row in rows)
    with sqlite3.connect(clinic.store.file) as connection:
        with pytest.raises(sqlite3.Error):  # rows are there to stay
            connection.execute("UPDATE trail SET actor = 'user:omar' WHERE id = 1")
        connection.execute("DROP TRIGGER trail_no_update")
        connection.execute("UPDATE trail SET actor = 'user:omar' WHERE id = 1")
    answer = boss.post("/api/trail/verify")
    assert (answer.status_code, answer.json()["error"]) == (409, "trail_broken")
