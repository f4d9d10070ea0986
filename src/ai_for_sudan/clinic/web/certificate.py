"""The certificate that browsers and phones must trust once; a page of the app explains how."""

from __future__ import annotations

import hashlib
import ssl

from fastapi import APIRouter
from fastapi.responses import Response

from ai_for_sudan.clinic.web.access import Call, Everybody
from ai_for_sudan.clinic.web.refusals import Refusal
from ai_for_sudan.clinic.web.values import gives

router = APIRouter()


@router.get("/trust/clinic.crt", **gives("application/x-x509-ca-cert"))
def download(call: Everybody) -> Response:
    """Give the certificate of this server (DER)."""
    return Response(
        _der(call),
        media_type="application/x-x509-ca-cert",
        headers={"Content-Disposition": 'attachment; filename="clinic.crt"'},
    )


@router.get("/api/certificate")
def fingerprint(call: Everybody) -> dict[str, str]:
    """Give the certificate's SHA-256, to be compared with what is written on paper."""
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
