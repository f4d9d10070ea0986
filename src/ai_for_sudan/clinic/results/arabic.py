"""Arabic on pictures: fixed words, shaped here, since Pillow shapes only where FriBiDi is installed.

The font is a part of Noto Sans Arabic (SIL Open Font License 1.1): presentation forms without tables of joining.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont


def is_arabic(text: str) -> bool:
    """Tell whether a text begins in Arabic letters: then all of it is Arabic."""
    return unicodedata.bidirectional(text[:1] or " ") == "AL"


@lru_cache(maxsize=8)
def font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(__file__).with_name("arabic.ttf"), size, layout_engine=ImageFont.Layout.BASIC)


def shaped(text: str) -> str:
    """One row of Arabic letters, spaces and stops -> its presentation forms (Unicode, FE70 to FEFF), from the left.

    Marks above letters are left out, as in most print. Digits and other scripts, which run the other way, are refused.
    """
    letters = [letter for letter in text if unicodedata.category(letter) != "Mn"]
    if any(unicodedata.bidirectional(letter) not in ("AL", "WS", "CS", "ON") for letter in letters):
        raise ValueError(f"{text!r} holds more than Arabic letters, spaces and stops")
    units: list[str] = []
    for letter in letters:  # lam and the alef behind it are one sign
        if units and (units[-1] + letter, "isolated") in _forms():
            units[-1] += letter
        else:
            units.append(letter)
    found = []
    for place, unit in enumerate(units):
        before = place > 0 and (units[place - 1], "initial") in _forms() and (unit, "final") in _forms()
        after = place + 1 < len(units) and (unit, "initial") in _forms() and (units[place + 1], "final") in _forms()
        form = {(True, True): "medial", (True, False): "final", (False, True): "initial"}.get(
            (before, after), "isolated"
        )
        found.append(_forms().get((unit, form), unit))
    return "".join(reversed(found))


@lru_cache(maxsize=1)
def _forms() -> dict[tuple[str, str], str]:
    """(letters, ``isolated`` | ``initial`` | ``medial`` | ``final``) -> the sign for it."""
    forms = {}
    for code in range(0xFE80, 0xFEFD):
        kind, *letters = unicodedata.decomposition(chr(code)).split()
        forms["".join(chr(int(letter, 16)) for letter in letters), kind.strip("<>")] = chr(code)
    return forms
