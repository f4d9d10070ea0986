"""HTTPS on a local network: an authority of the clinic's own, which phones trust once, and the server's certificate."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ai_for_sudan.clinic.store.files import sync_folder
from ai_for_sudan.clinic.store.tables import now
from ai_for_sudan.errors import UserError

#: phones refuse certificates of servers that are good for more than 825 days
SERVER_DAYS, AUTHORITY_DAYS = 800, 3650
#: renewed when it ends sooner than this
RENEW = timedelta(days=60)


def make(certificate: Path, key: Path, names: Sequence[str], site: str) -> None:
    """Write a server's certificate (with the authority behind it) and its key.

    The authority is made once and kept beside them; it can sign for these names alone (RFC 5280 4.2.1.10), so that
    who steals it cannot stand between a phone and its bank.

    Args:
        names: names and addresses by which browsers reach this server.
    """
    folder = certificate.parent
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    alternatives = [_name(name) for name in dict.fromkeys(names)]
    if not alternatives:
        raise UserError("a certificate needs a name: give at least one name or address of this machine")
    root_file, root_key_file = folder / "authority.pem", folder / "authority.key"
    if root_file.exists() and root_key_file.exists():
        root = x509.load_pem_x509_certificate(root_file.read_bytes())
        root_key = serialization.load_pem_private_key(root_key_file.read_bytes(), password=None)
        assert isinstance(root_key, ec.EllipticCurvePrivateKey)
        if not _allows(root, alternatives):
            raise UserError(
                f"the authority in {folder} was made for other names; move that folder away to make a new one, which "
                "every phone must then trust"
            )
    else:
        root_key = ec.generate_private_key(ec.SECP256R1())
        root = _authority(root_key, alternatives, site)
        _write(root_key_file, _pem(root_key), secret=True)
        _write(root_file, root.public_bytes(serialization.Encoding.PEM))
    own_key = ec.generate_private_key(ec.SECP256R1())
    moment = now() - timedelta(days=1)  # clocks of phones are not this one's
    made = (
        x509.CertificateBuilder()
        .subject_name(_subject(site, "server"))
        .issuer_name(root.subject)
        .public_key(own_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment)
        .not_valid_after(moment + timedelta(days=SERVER_DAYS))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    _write(key, _pem(own_key), secret=True)
    pem = serialization.Encoding.PEM
    _write(certificate, made.public_bytes(pem) + root.public_bytes(pem))


def _authority(
    key: ec.EllipticCurvePrivateKey, names: Sequence[x509.DNSName | x509.IPAddress], site: str
) -> x509.Certificate:
    subject = _subject(site, "authority")
    permitted: list[x509.GeneralName] = []
    for name in names:
        if isinstance(name, x509.IPAddress):
            permitted.append(x509.IPAddress(ipaddress.ip_network(name.value)))
        else:
            permitted.append(name)
    moment = now() - timedelta(days=1)
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment)
        .not_valid_after(moment + timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _allows(root: x509.Certificate, names: Sequence[x509.DNSName | x509.IPAddress]) -> bool:
    permitted = root.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    known = {str(ipaddress.ip_network(n.value)) if isinstance(n, x509.IPAddress) else str(n.value) for n in permitted}
    wanted = {str(ipaddress.ip_network(n.value)) if isinstance(n, x509.IPAddress) else n.value for n in names}
    return wanted <= known


def _subject(site: str, what: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"AI for Sudan, {site}: {what}"[:64])])


def _name(name: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name.encode("idna").decode())
    except (UnicodeError, ValueError) as error:
        raise UserError(f"'{name}' is neither the name nor the address of a machine") from error


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(file: Path, content: bytes, *, secret: bool = False) -> None:
    temporary = file.with_name(f".{file.name}.part")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o644)
    with os.fdopen(handle, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    temporary.replace(file)
    sync_folder(file.parent)


def ends(certificate: Path) -> datetime:
    """When a certificate ends.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        raise UserError(f"the certificate {certificate} cannot be read: {error}") from error


def own_names() -> list[str]:
    """Names and addresses of this machine, as far as it knows them itself."""
    names = [socket.gethostname(), "localhost", "127.0.0.1"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: it only tells which address would be used on the local network.
            probe.connect(("192.0.2.1", 9))
            names.append(str(probe.getsockname()[0]))
        except OSError:
            pass
    return list(dict.fromkeys(names))
