"""Groups of patients that figures are reported for."""

from __future__ import annotations

AGE_BANDS = ((0, 1), (1, 6), (6, 18), (18, 40), (40, 65), (65, 150))
#: units of a DICOM age string (PS3.5, value representation AS), in years
_UNITS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


def age_band(text: str) -> str:
    """The band of an age in years (``3``, ``0.5``, ``058Y``) or in DICOM's other units (``006M``); empty if unknown."""
    text = text.strip().upper()
    unit = _UNITS.get(text[-1:])
    try:
        years = float(text[:-1] if unit else text) * (unit or 1.0)
    except ValueError:
        return ""
    return next((_name(first, end) for first, end in AGE_BANDS if first <= years < end), "")


def _name(first: int, end: int) -> str:
    if first == 0:
        return f"under {end}"
    return f"{first} to {end - 1} years" if end < AGE_BANDS[-1][1] else f"{first} years and over"
