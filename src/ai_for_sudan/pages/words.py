"""Figures in words, the same on every page and in every terminal."""

from __future__ import annotations

from typing import Any

#: on every page and under the output of every command
DISCLAIMER = "Decision support, not a diagnosis: a clinician decides."


def interval(value: Any, digits: int = 3, missing: str = "-") -> str:
    """``[value, low, high]`` as text; ``missing`` where nothing was measured."""
    if value is None or not len(value) or value[0] is None:
        return missing
    if len(value) < 3 or value[1] is None or value[2] is None:
        return f"{value[0]:.{digits}f} (no interval)"
    return f"{value[0]:.{digits}f} ({value[1]:.{digits}f} to {value[2]:.{digits}f})"


def p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
