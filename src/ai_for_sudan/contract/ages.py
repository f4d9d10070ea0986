"""A patient's age from a DICOM header, and whether a reader was made for it."""

from __future__ import annotations

import re
from datetime import date

from ai_for_sudan.contract.codes import Remark, remark
from ai_for_sudan.contract.data import load

_RULES = load("ages")
#: elements that say when the film was made, the first that does counts
EXAMINED: tuple[str, ...] = tuple(_RULES["examined"])


def age_years(age: str | None, born: str | None = None, examined: str | None = None) -> float | None:
    """In years, from an Age String (PS3.5 6.2, VR AS: nnnD, nnnW, nnnM, nnnY), or else from the two dates (VR DA)."""
    match = re.search(_RULES["age_string"], age or "", re.ASCII)
    if match:
        return float(int(match[1]) * _RULES["days"][match[2]] / _RULES["days_a_year"])
    birth, day = iso_date(born), iso_date(examined)
    if birth is None or day is None:
        return None
    years = float((date.fromisoformat(day) - date.fromisoformat(birth)).days / _RULES["days_a_year"])
    return years if 0 <= years < _RULES["oldest"] else None  # others are made up, to hide who it is


def iso_date(text: str | None) -> str | None:
    """Date (PS3.5 6.2, VR DA; before 1993 with dots): YYYYMMDD -> YYYY-MM-DD; None for what is not a day."""
    match = re.search(_RULES["date"], text or "", re.ASCII)
    if not match:
        return None
    written = "-".join(match.groups())
    try:
        return date.fromisoformat(written).isoformat()
    except ValueError:
        return None


def outside(ages: tuple[float, float] | None, years: float | None) -> bool:
    """Whether ``years`` lies outside of a card's population: five years last until the sixth birthday."""
    return ages is not None and years is not None and not ages[0] <= years < ages[1] + 1


def warning(ages: tuple[float, float], years: float) -> Remark:
    """What a reading of a patient outside of ``ages`` must carry."""
    return remark("age_outside", age=f"{years:.0f}", **{"from": f"{ages[0]:.0f}", "to": f"{ages[1]:.0f}"})
