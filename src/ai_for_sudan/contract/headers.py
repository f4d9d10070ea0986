"""What a DICOM header may say of a frontal chest film: modality, part of the body, view."""

from __future__ import annotations

import re
from typing import Any

from ai_for_sudan.contract.codes import Remark, remark
from ai_for_sudan.contract.data import load

_RULES = load("headers")
_RADIOGRAPHY = frozenset(_RULES["radiography"])  # PS3.3 C.7.3.1.1.1, and two that devices invent
_CHEST = re.compile(_RULES["chest"])
_LATERAL = re.compile(_RULES["lateral"])  # PS3.3 C.8.1.1 View Position, and as it is written by hand
_KNOWN = {kind: frozenset(words) for kind, words in _RULES["known"].items()}
#: characters of a Code String (PS3.5 6.2), and of a Code Meaning (PS3.3 8.3)
LONGEST_CODE: int = _RULES["longest_code"]
LONGEST_MEANING: int = _RULES["longest_meaning"]


def code_string(value: Any, longest: int = LONGEST_CODE) -> str | None:
    """A header's text as rules compare it: upper case, printable ASCII, cut; None where nothing is left.

    A damaged header may run on into names and control characters.
    """
    text = re.sub(r"[^\x20-\x7e]+", " ", str(value or "")).strip().upper()
    return text[:longest].strip() or None


def known(kind: str, value: str | None) -> str | None:
    """``value`` where it is a term of the standard for ``kind``; free text, which may name a patient, gives None.

    Args:
        kind: ``modality``, ``body_part``, ``view``, ``laterality``, ``sex`` or ``photometric``.
    """
    return value if value in _KNOWN[kind] else None


def refusals(modality: str | None, body_part: str | None, view: str | None) -> tuple[Remark, ...]:
    """Why the header rules out a frontal chest film, from texts as :func:`code_string` gives them.

    Such a film is refused, not failed, even when its pixels cannot be decoded.
    """
    found = []
    if modality and modality not in _RADIOGRAPHY:
        found.append(_remark("header_modality", "modality", modality))
    if body_part and not _CHEST.search(re.sub("[^A-Z]", "", body_part)):
        found.append(_remark("header_body_part", "body_part", body_part))
    if view and _LATERAL.search(view):
        found.append(_remark("header_view", "view", view))
    return tuple(found)


def _remark(code: str, kind: str, value: str) -> Remark:
    if known(kind, value):
        return Remark(code, _RULES["named"][code].format(value=value))
    return remark(code)
