"""The server of the app: right types and headers, and nothing but the app."""

from __future__ import annotations

import gzip
import http.client
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ai_for_sudan.app import AppServer
from ai_for_sudan.app.server import own_addresses
from ai_for_sudan.cli import main
from ai_for_sudan.errors import UserError

Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "sw.js").write_text("// worker")
    (folder / "assets" / "engine-1a2b.wasm").write_bytes(b"\0asm" + bytes(5000))
    (folder / "assets" / "reader-3c4d.onnx").write_bytes(b"onnx")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


@pytest.fixture
def server(site: Path) -> Iterator[AppServer]:
    with AppServer(site) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def ask(server: AppServer, path: str, method: str = "GET", **headers: str) -> Answer:
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10)
    connection.request(method, path, headers={key.replace("_", "-"): value for key, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {key.lower(): value for key, value in answer.getheaders()}, body


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/index.html", "text/html; charset=utf-8"),
        ("/sw.js", "text/javascript; charset=utf-8"),
        ("/assets/engine-1a2b.wasm", "application/wasm"),
        ("/assets/reader-3c4d.onnx", "application/octet-stream"),
    ],
)
def test_types_and_isolation(server: AppServer, path: str, kind: str) -> None:
    status, headers, _ = ask(server, path)
    assert (status, headers["content-type"]) == (200, kind)
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-embedder-policy"] == "require-corp"
    assert "connect-src 'self'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/assets/gone.wasm",
        "/assets/",
        "/assets",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/../../secret.txt",
    ],
)
def test_what_is_not_there_is_plainly_missing(server: AppServer, path: str) -> None:
    status, headers, body = ask(server, path)
    assert status == 404
    assert headers["content-type"].startswith("text/plain")
    assert b"html" not in body
    assert b"secret" not in body


def test_packed_where_the_browser_takes_it(server: AppServer, site: Path) -> None:
    whole = (site / "assets" / "engine-1a2b.wasm").read_bytes()
    _, headers, plain = ask(server, "/assets/engine-1a2b.wasm")
    assert plain == whole
    assert "content-encoding" not in headers
    _, headers, packed = ask(server, "/assets/engine-1a2b.wasm", Accept_Encoding="gzip, br")
    assert headers["content-encoding"] == "gzip"
    assert len(packed) < len(whole) / 10
    assert gzip.decompress(packed) == whole


def test_asked_again_only_where_it_may_have_changed(server: AppServer) -> None:
    _, headers, _ = ask(server, "/assets/engine-1a2b.wasm")
    assert "immutable" in headers["cache-control"]
    _, headers, _ = ask(server, "/sw.js")
    assert headers["cache-control"] == "no-cache"
    status, _, body = ask(server, "/sw.js", If_None_Match=headers["etag"])
    assert (status, body) == (304, b"")


def test_takes_nothing(server: AppServer) -> None:
    assert ask(server, "/", "POST")[0] == 501
    status, headers, body = ask(server, "/index.html", "HEAD")
    assert (status, headers["content-length"], body) == (200, "15", b"")


def test_a_taken_port_is_reported(server: AppServer, site: Path) -> None:
    with pytest.raises(UserError, match="choose another with --port"):
        AppServer(site, port=server.server_address[1])


def test_https(site: Path, tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made += ["-days", "2", "-subj", "/CN=clinic", "-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    with AppServer(site, certificate=(certificate, key)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert server.address.startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=str(certificate))
        connection = http.client.HTTPSConnection(*server.server_address[:2], context=trusting, timeout=10)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        connection.close()
        server.shutdown()
    with pytest.raises(UserError, match="certificate"):
        AppServer(site, certificate=(key, key))


def test_certificate_without_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["app", "--certificate", "c.pem", "--no-browser"]) == 2
    assert "belong together" in capsys.readouterr().err


def serve(site: Path, *more: str) -> list[str]:
    command = "import sys, ai_for_sudan.cli.app as app; from pathlib import Path; from ai_for_sudan.cli import main\n"
    command += f"app.built_app = lambda: Path({str(site)!r})\n"
    command += f"sys.exit(main(['app', '--port', '0', '--no-browser', *{list(more)!r}]))"
    return [sys.executable, "-c", command]


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_command_serves_until_it_is_asked_to_end(
    site: Path, start: Callable[..., subprocess.Popen[str]], asked: int
) -> None:
    """The real command in a process of its own."""
    process = start(serve(site), stdout=subprocess.PIPE)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "a clinician decides" in line
    host, port = line.split("http://")[1].split("/")[0].split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"<!doctype html>"
    process.send_signal(asked)
    assert process.wait(10) == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_served_to_a_network_it_prints_an_address_that_a_phone_can_open(
    site: Path, start: Callable[..., subprocess.Popen[str]], host: str
) -> None:
    if not own_addresses():
        pytest.skip("this machine is in no network")
    if host == "::" and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    process = start(serve(site, "--host", host), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout is not None
        output = [process.stdout.readline() for _ in range(2)]
        assert "0.0.0.0" not in "".join(output) and "[::]" not in "".join(output)
        address = output[1].split()[2]
        assert output[1].startswith("Phones open http://") and "127.0.0.1" not in address
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert answer.read() == b"<!doctype html>"
    finally:
        process.terminate()
        process.wait(10)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_ipv6(site: Path) -> None:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with AppServer(site, host="::1") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert server.address.startswith("http://[::1]:")
        with urllib.request.urlopen(server.address, timeout=10) as answer:
            assert answer.status == 200
        server.shutdown()


def test_no_name_is_looked_up(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object) -> None:
        raise AssertionError("the network was asked for a name")

    for name in ("getfqdn", "gethostbyaddr", "gethostbyname_ex"):
        monkeypatch.setattr(socket, name, asked)
    AppServer(site).server_close()


def test_clients_that_go_away_are_no_news(server: AppServer, capfd: pytest.CaptureFixture[str]) -> None:
    for sent in (
        b"",
        b"GET / HTTP/1.1\r\nHost:",
        b"GET /assets/engine-1a2b.wasm HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03",
    ):
        gone = socket.create_connection(server.server_address[:2], timeout=10)
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # ends with a reset
        gone.sendall(sent)
        gone.close()
    for error in (BrokenPipeError(), ConnectionResetError(), ssl.SSLEOFError(), TimeoutError()):
        _handled(server, error)
    assert ask(server, "/")[0] == 200
    _handled(server, ZeroDivisionError("a \x1b fault"))
    output = capfd.readouterr()
    assert (output.out, output.err) == ("", "ai-for-sudan app: ZeroDivisionError: a \\x1b fault\n")


def _handled(server: AppServer, error: Exception) -> None:
    try:
        raise error
    except Exception:
        server.handle_error(None, None)


def test_many_connections_at_once_are_all_taken(site: Path) -> None:
    """They wait to be taken: nobody serves yet."""
    with AppServer(site) as server:
        waiting = [socket.create_connection(server.server_address[:2], timeout=10) for _ in range(60)]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for client in waiting:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
            client.close()
        server.shutdown()
