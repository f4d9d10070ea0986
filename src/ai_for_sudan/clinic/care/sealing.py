"""Backups that only who has the paper can open: the server knows how to close them, and not how to open them.

X25519 (RFC 7748) with a fresh key for each file, HKDF with SHA-256 (RFC 5869), and AES-256-GCM in pieces, each numbered
and the last one marked, so that none can be changed, moved, cut off or added.
"""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ai_for_sudan.errors import UserError

#: beside the database: what closes backups
PUBLIC = "backup.pub"
MAGIC = b"AI-FOR-SUDAN-SEALED-1\n"
PIECE, TAG = 1 << 20, 16


def make_key(folder: Path) -> str:
    """Write the public half beside the database; the secret half is returned, to be printed once and kept on paper.

    Returns:
        60 letters and digits in groups of four, the last ones against slips of the pen.

    Raises:
        UserError: there is a key already: older backups open with its paper.
    """
    file = folder / PUBLIC
    if file.exists():
        raise UserError(f"{file} is there already: backups are closed with it; move it away to make a new key")
    secret = X25519PrivateKey.generate()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as opened:
        opened.write(secret.public_key().public_bytes_raw())
    raw = secret.private_bytes_raw()
    text = base64.b32encode(raw + hashlib.sha256(raw).digest()[:5]).decode().rstrip("=")
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def public_key(folder: Path) -> bytes | None:
    """What closes the backups of a clinic; ``None`` where no key was made."""
    file = folder / PUBLIC
    return file.read_bytes() if file.exists() else None


def is_sealed(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(MAGIC)) == MAGIC


def seal(source: Path, target: Path, public: bytes) -> None:
    """Close a file, in constant memory."""
    fresh = X25519PrivateKey.generate()
    mine = fresh.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    cipher = _cipher(fresh.exchange(X25519PublicKey.from_public_bytes(public)), mine, public)
    with source.open("rb") as plain, target.open("wb") as closed:
        closed.write(MAGIC + mine)
        number, piece = 0, plain.read(PIECE)
        while True:
            following = plain.read(PIECE)
            closed.write(cipher.encrypt(_nonce(number, not following), piece, None))
            if not following:
                break
            number, piece = number + 1, following
        closed.flush()
        os.fsync(closed.fileno())


def unseal(source: Path, target: IO[bytes], secret: str) -> None:
    """Open a file that :func:`seal` closed, in constant memory.

    Raises:
        UserError: the key is mistyped or another one's, or the file is damaged or cut off.
    """
    key = X25519PrivateKey.from_private_bytes(_raw(secret))
    with source.open("rb") as closed:
        if closed.read(len(MAGIC)) != MAGIC:
            raise UserError(f"{source} is not closed with a key")
        theirs = closed.read(32)
        public = key.public_key().public_bytes_raw()
        try:
            cipher = _cipher(key.exchange(X25519PublicKey.from_public_bytes(theirs)), theirs, public)
            number, piece = 0, closed.read(PIECE + TAG)
            while True:
                following = closed.read(PIECE + TAG)
                target.write(cipher.decrypt(_nonce(number, not following), piece, None))
                if not following:
                    break
                number, piece = number + 1, following
        except (InvalidTag, ValueError) as error:
            raise UserError(f"{source} does not open: this is not its key, or the file is damaged") from error


def _cipher(shared: bytes, theirs: bytes, public: bytes) -> AESGCM:
    return AESGCM(HKDF(hashes.SHA256(), 32, salt=theirs + public, info=MAGIC).derive(shared))


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _raw(text: str) -> bytes:
    plain = "".join(letter for letter in text.upper() if letter.isalnum()).translate(str.maketrans("018", "OIB"))
    try:
        found = base64.b32decode(plain + "=" * (-len(plain) % 8))
    except ValueError:
        found = b""
    raw, check = found[:32], found[32:]
    if len(raw) != 32 or hashlib.sha256(raw).digest()[:5] != check:
        raise UserError("the key is mistyped: it has 60 letters and digits, as printed when it was made")
    return raw
