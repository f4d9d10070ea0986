"""A server of static files with the headers that the app needs. It only ever sends the app: it takes no film."""

from __future__ import annotations

import gzip
import hashlib
import ssl
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ai_for_sudan.errors import UserError

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

    def __init__(
        self, folder: Path, host: str = "127.0.0.1", port: int = 0, certificate: tuple[Path, Path] | None = None
    ) -> None:
        # Only what is listed here can ever be asked for: there is no path to climb out of.
        self.files = {f"/{path.relative_to(folder).as_posix()}": path for path in folder.rglob("*") if path.is_file()}
        self.files["/"] = folder / "index.html"
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
        host, port = self.server_address[:2]
        return f"{self.scheme}://{host if isinstance(host, str) else host.decode()}:{port}/"


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
            # A name under assets/ holds the hash of its content; the rest is asked for anew each time.
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
