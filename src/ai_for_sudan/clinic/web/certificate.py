"""The certificate that browsers and phones must trust once; a page of the app explains how."""

from __future__ import annotations

import hashlib
import ssl

from starlette.responses import Response

from ai_for_sudan.clinic.web.endpoint import PUBLIC, Call, Endpoints, Refusal

endpoints = Endpoints()


@endpoints.add(
    "GET", "/trust/clinic.crt", PUBLIC, "the certificate of this server (DER)", kind="application/x-x509-ca-cert"
)
def download(call: Call) -> Response:
    return Response(
        _der(call),
        media_type="application/x-x509-ca-cert",
        headers={"Content-Disposition": 'attachment; filename="clinic.crt"'},
    )


@endpoints.add("GET", "/api/certificate", PUBLIC, "its SHA-256, to be compared with what is written on paper")
def fingerprint(call: Call) -> dict[str, str]:
    digest = hashlib.sha256(_der(call)).hexdigest().upper()
    return {"sha256": ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))}


def _der(call: Call) -> bytes:
    web = call.desk.config.web
    if not web.certificate:
        raise Refusal(404, "unknown", "this server speaks plain HTTP behind a proxy; ask who set the proxy up")
    chain = call.desk.config.path(web.certificate).read_text(encoding="ascii")
    # The last one of a chain is the one that signed: what a phone must trust.
    last = chain[chain.rindex("-----BEGIN CERTIFICATE-----") :]
    return ssl.PEM_cert_to_DER_cert(last)
