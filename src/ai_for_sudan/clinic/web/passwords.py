"""Passwords: how they are kept, what a new one must be, and one-time codes in place of e-mail."""

from __future__ import annotations

import itertools
import secrets
import threading
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

#: argon2id as OWASP's cheat sheet of 2024 asks at least: 19 MiB, two passes, one lane
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
#: a hundred logins at once must not take a hundred times the memory
_one_at_a_time = threading.Lock()

SHORTEST, LONGEST = 10, 200
FEWEST_CHARACTERS = 5
#: what people type first; a new password may not be one of them with digits or signs around it
COMMON = ("password", "qwerty", "qwertyuiop", "letmein", "welcome", "administrator", "admin", "clinic", "hospital",
          "doctor", "sudan", "khartoum", "pneumonia", "xray", "asdfghjkl", "iloveyou", "bismillah")  # fmt: skip
#: no 0 O 1 I L: a code is read aloud and typed from paper
_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"


def hashed(password: str) -> str:
    """An argon2id hash with its own salt."""
    with _one_at_a_time:
        return _HASHER.hash(_normal(password))


#: what is tried for a name that has no account: a stranger must not learn from the time taken which names exist
_NOBODY = _HASHER.hash(secrets.token_hex())
#: of an account that nobody can log in to
UNUSABLE = "!"


def matches(password: str, kept: str | None) -> bool:
    """Whether a password is the one that was kept; takes the same time where there is none."""
    with _one_at_a_time:
        try:
            return _HASHER.verify(kept if kept and kept != UNUSABLE else _NOBODY, _normal(password))
        except (VerificationError, InvalidHashError):
            return False


def fault(password: str, name: str) -> str | None:
    """Why a new password is refused, as a code: ``short``, ``long``, ``simple``, ``common``, ``name``; else None.

    Length and a list of what is guessed first, as NIST SP 800-63B advises; no rule about kinds of characters, which
    people satisfy with ``P@ssw0rd1``.
    """
    plain = _normal(password)
    if len(plain) < SHORTEST:
        return "short"
    if len(plain) > LONGEST:
        return "long"
    if len(set(plain)) < FEWEST_CHARACTERS or _is_run(plain):
        return "simple"
    folded = plain.casefold()
    if len(name) >= 3 and name.casefold() in folded:
        return "name"
    core = folded.strip("".join(sign for sign in folded if not sign.isalpha()))
    letters = "".join(sign for sign in core.translate(str.maketrans("@013457$", "aoieasts")) if sign.isalpha())
    if letters in COMMON:
        return "common"
    return None


def one_time_code() -> str:
    """Twelve characters in three groups (59 bits), to be read aloud or written on paper."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(3))


def _normal(password: str) -> str:
    # The same password typed on another keyboard may be composed otherwise.
    return unicodedata.normalize("NFKC", password)


def _is_run(text: str) -> bool:
    """``abcdefghij``, ``9876543210``: every step the same."""
    return len({ord(b) - ord(a) for a, b in itertools.pairwise(text)}) == 1
