"""Why a film failed, was refused, is left to a person or carries a warning: a code and a text."""

from __future__ import annotations

from typing import NamedTuple

from ai_for_sudan.contract.data import load

#: kind (``failed``, ``refused``, ``uncertain``, ``warning``) -> code -> text and advice
_CODES: dict[str, dict[str, list[str]]] = load("codes")
_KIND = {code: kind for kind, codes in _CODES.items() for code in codes}
KINDS: tuple[str, ...] = tuple(_CODES)


class Remark(NamedTuple):
    """One thing to say of a film."""

    code: str
    text: str


def codes(kind: str) -> tuple[str, ...]:
    """All codes of a kind."""
    return tuple(_CODES[kind])


def kind_of(code: str) -> str | None:
    """The kind of a code; None of one that only a reader's card knows."""
    return _KIND.get(code)


def text_of(code: str, **values: object) -> str:
    """The English text of a code, ``values`` put in.

    Raises:
        KeyError: no such code, or a value that its text needs is not given.
    """
    return _CODES[_KIND[code]][code][0].format(**values)


def advice_of(code: str) -> str:
    """What to do about it; empty where there is nothing."""
    return _CODES[_KIND[code]][code][1]


def remark(code: str, **values: object) -> Remark:
    """Text and advice of a code in one line."""
    text, advice = text_of(code, **values), advice_of(code)
    return Remark(code, f"{text}; {advice}" if advice else text)
