"""UIDs that follow from what they name: the same film and reader give the same ones, on every machine and every day."""

from __future__ import annotations

import hashlib
import re
import uuid

VALID = re.compile(r"(?=.{1,64}$)(0|[1-9]\d*)(\.(0|[1-9]\d*))+")  # PS3.5 9.1


def derived(*facts: str) -> str:
    """A UID below 2.25 (PS3.5 B.2, a UUID as a decimal number) from the SHA-256 of some facts."""
    digest = hashlib.sha256("\0".join(facts).encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"


def is_valid(uid: str) -> bool:
    return VALID.fullmatch(uid) is not None
