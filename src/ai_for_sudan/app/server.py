"""A server of static files with the headers that the app needs. It only ever sends the app: it takes no film."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import socket
import socketserver
import ssl
import struct
import sys
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ai_for_sudan.errors import UserError, printable

#: the machine's own table may say anything, and a browser refuses a script or a wasm file of the wrong type
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".onnx": "application/octet-stream",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}

HEADERS = {
    # Threads need SharedArrayBuffer, which browsers give to isolated pages only.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    # The browser itself sees to it that no film leaves: nothing may be sent to any other server.
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; "
    "img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; worker-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def built_app() -> Path:
    """The folder of the built app inside this package.

    Raises:
        UserError: the app was not built.
    """
    folder = Path(__file__).resolve().parent / "static"
    if not (folder / "index.html").is_file():
        raise UserError(f"the app is not built: {folder} has no index.html; in a checkout, run: make app")
    return folder


class AppServer(ThreadingHTTPServer):
    """Serves the files of one folder as they were when it started, and nothing else.

    Args:
        folder: a built app.
        host: an address of this machine; 127.0.0.1 keeps it to this machine.
        port: 0 takes a free one.
        certificate: PEM files of a certificate chain and its key, for HTTPS.

    Raises:
        UserError: the port is taken, or the certificate cannot be used.
    """

    daemon_threads = True
    #: connections that may wait to be taken: a browser opens six at once, a clinic's phones a few more
    request_queue_size = 128

    def __init__(
        self, folder: Path, host: str = "127.0.0.1", port: int = 0, certificate: tuple[Path, Path] | None = None
    ) -> None:
        # Only what is listed here can ever be asked for: there is no path to climb out of.
        self.files = {f"/{path.relative_to(folder).as_posix()}": path for path in folder.rglob("*") if path.is_file()}
        self.files["/"] = folder / "index.html"
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise UserError(f"cannot serve at {host}:{port}: {error}; choose another with --port") from error
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            try:
                context.load_cert_chain(*certificate)
            except (OSError, ssl.SSLError) as error:
                self.server_close()
                raise UserError(f"the certificate {certificate[0]} with key {certificate[1]}: {error}") from error
            # The handshake waits for each connection's own thread: a silent client must not hold up the others.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.scheme = "https" if certificate else "http"

    @property
    def address(self) -> str:
        """Where a browser on this machine finds the app."""
        host = str(self.server_address[0])
        return self._url({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host))

    @property
    def addresses(self) -> list[str]:
        """Where other machines find it: of a server for all networks, this machine's own address in each."""
        host = str(self.server_address[0])
        if host not in ("0.0.0.0", "::"):
            return [self._url(host)]
        return [self._url(address) for address in own_addresses()]

    def _url(self, host: str) -> str:
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.server_address[1]}/"

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:  # "::" serves both kinds of addresses
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Not HTTPServer's: it asks the network for this machine's name, and waits for an answer where there is none.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away, or that never meant to speak HTTP, is ignored; any other error is one line."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):  # of which broken connections, TLS and timeouts are kinds
            print(f"ai-for-sudan app: {type(error).__name__}: {printable(error)}", file=sys.stderr)


def own_addresses() -> list[str]:
    """This machine's addresses (IPv4) in the networks that it is in; nothing is sent to find them."""
    found = []
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # RFC 5737, nobody's: of UDP this only asks for the way out
        found.append(str(probe.getsockname()[0]))
    if sys.platform == "linux":  # without a way out there is still the clinic's own network, or a phone's hotspot
        import fcntl

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            for _, name in socket.if_nameindex():
                with contextlib.suppress(OSError):
                    asked = struct.pack("256s", name.encode()[:15])
                    answer = fcntl.ioctl(any_socket, 0x8915, asked)  # SIOCGIFADDR, netdevice(7)
                    found.append(socket.inet_ntoa(answer[20:24]))
    return [address for address in dict.fromkeys(found) if not address.startswith(("127.", "0."))]


class _Handler(BaseHTTPRequestHandler):
    server: AppServer
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        name = unquote(urlsplit(self.path).path)
        path = self.server.files.get(name)
        if path is None:
            # Never the page in place of a missing file: a wasm file that is HTML fails in a way nobody understands.
            self._send(HTTPStatus.NOT_FOUND, b"not found\n", {"Content-Type": "text/plain; charset=utf-8"}, body=body)
            return
        content, packed, tag = _load(path)
        headers = {
            "Content-Type": TYPES.get(path.suffix, "application/octet-stream"),
            "ETag": tag,
            "Vary": "Accept-Encoding",
            # A name under assets/ holds the hash of its content; the rest is fetched again each time.
            "Cache-Control": "public, max-age=31536000, immutable" if name.startswith("/assets/") else "no-cache",
        }
        if tag in self.headers.get("If-None-Match", ""):
            self._send(HTTPStatus.NOT_MODIFIED, b"", headers, body=False)
            return
        if packed is not None and "gzip" in self.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            content = packed
        self._send(HTTPStatus.OK, content, headers, body=body)

    def _send(self, status: HTTPStatus, content: bytes, headers: dict[str, str], *, body: bool) -> None:
        self.send_response(status)
        for key, value in {**HEADERS, **headers}.items():
            self.send_header(key, value)
        if status is not HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a terminal full of requests hides the one line that matters."""


@lru_cache(maxsize=64)
def _load(path: Path) -> tuple[bytes, bytes | None, str]:
    """Content, the same packed (``None`` where that gains nothing), and a tag that changes with the content."""
    content = path.read_bytes()
    packed = gzip.compress(content, 6, mtime=0) if path.suffix != ".png" else None
    return content, packed, f'"{hashlib.sha256(content).hexdigest()[:16]}"'
