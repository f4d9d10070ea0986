"""Figures in words, the same on every page and in every terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

#: on every page and under the output of every command
DISCLAIMER = "Decision support, not a diagnosis: a clinician decides."
#: decimals of a share that is shown beside another
MOST_PLACES = 6


def interval(value: Iterable[float | None] | None, digits: int = 3, missing: str = "-") -> str:
    """Value, lower and upper bound as text, of an ``Estimate`` or of JSON; ``missing`` where nothing was measured."""
    values = () if value is None else value
    found = [None if one is None or math.isnan(one) else one for one in values]
    if not found or found[0] is None:
        return missing
    bounds = [f"{bound:.{digits}f}" for bound in found[1:] if bound is not None]
    return f"{found[0]:.{digits}f} ({' to '.join(bounds) if len(bounds) == 2 else 'no interval'})"


def share_interval(value: Iterable[float | None] | None) -> str:
    """A share with its interval as text in percent, of an ``Estimate`` or of JSON: ``3.4 % (1.2 to 5.6)``."""
    found = [None if one is None or math.isnan(one) else 100 * one for one in value or ()]
    if not found or found[0] is None:
        return "-"
    bounds = "" if None in found[1:] else f" ({found[1]:.1f}\u00a0to\u00a0{found[2]:.1f})"
    return f"{found[0]:.1f} %{bounds}"


def statuses_in_words(table: Mapping[str, Any], positive: str) -> list[str]:
    """What a clinic experiences, as lines for a terminal; the pages show the same by ``statuses.html``.

    Args:
        table: the JSON of :class:`ai_for_sudan.statistics.StatusTable`.
        positive: the reported class.
    """
    names = {"suspected": "suspected", "uncertain": "uncertain", "not_seen": "not seen", "refused": "refused"}
    lines = [f"{'':<18}{'films':>7}" + "".join(f"{name:>14}" for name in names.values())]
    for key, label in (("positive", positive), ("negative", f"no {positive}"), ("all", "all films")):
        one = table[key]
        cells = [f"{one['counts'][n]} ({one['counts'][n] / one['films']:.1%})" if one["films"] else "-" for n in names]
        lines.append(f"{label:<18}{one['films']:>7}" + "".join(f"{cell:>14}" for cell in cells))
    said = {
        "missed": table["positive"]["shares"]["not_seen"],
        "false alarms": table["negative"]["shares"]["suspected"],
        "left to a person": table["all"]["shares"]["uncertain"],
        "refused": table["all"]["shares"]["refused"],
    }
    return [*lines, "; ".join(f"{name} {share_interval(value)}" for name, value in said.items())]


def share(value: float, places: int) -> str:
    """A share in 0..1 with so many decimals; what is below 1 is never shown as 1, nor what is above 0 as 0."""
    least = Decimal(1).scaleb(-places)
    shown = Decimal(str(value)).quantize(least, ROUND_HALF_UP)
    return str(min(max(shown, least), 1 - least) if 0 < value < 1 else shown)


def percent(value: float, other: float | None = None, places: int = 2) -> str:
    """A share in 0..1 as percent, by rounding it to ``places`` or, near the ends, one more than two; so exact that it
    differs from ``other``, beside which it stands. The app's ``percent`` is the same, by the vectors that both run."""
    places = places if 0.01 <= value <= 0.99 else max(3, places)
    while other not in (None, value) and places < MOST_PLACES and share(value, places) == share(other, places):
        places += 1
    return f"{(Decimal(share(value, places)) * 100).normalize():f} %"


def p_value(value: float) -> str:
    """Write a p value with three places, or as below 0.001."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
