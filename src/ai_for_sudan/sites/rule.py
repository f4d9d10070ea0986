"""The rule of a site: which promise can be kept there, measured on patients that it was not chosen on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from ai_for_sudan.contract import OperatingPoint
from ai_for_sudan.reading import Card
from ai_for_sudan.sites.labelled import Judge
from ai_for_sudan.statistics import PROMISES, Predictions, Promise, StatusTable, as_json, better, operating_points

#: Error rates, of both kinds, that are tried where the wanted ones cannot be kept: none under which the verdict
#: (:data:`ai_for_sudan.sites.verdict.MOST`) would be that the reader must not be used.
LADDER = (0.02, 0.05, 0.10, 0.15, 0.20)
#: A rule that decides a smaller share of the films cannot be used: nearly all are left to a person.
DECIDED = 0.5


def promise_of(card: Card, rate: float | None = None) -> Promise:
    """Return what the reader's default operating point promises, or the same rate on both sides where one is given."""
    if rate is not None:
        return Promise(rate, rate)
    point = card.operating_point()
    if point.missed and point.false_alarms:
        return Promise(point.missed, point.false_alarms)
    return PROMISES.get(point.name, PROMISES["balanced"])


def promises_of(card: Card, default: Promise) -> dict[str, Promise]:
    """Return what each operating point of the card shall promise here; those that promise nothing fall away."""
    found = {card.default_operating_point: default}
    for name, point in card.operating_points.items():
        if name != card.default_operating_point and point.missed and point.false_alarms:
            found[name] = Promise(point.missed, point.false_alarms)
    return found


def tried(default: Promise) -> dict[str, Promise]:
    """Return the promises that are measured: the wanted one, and the ladder."""
    return {"wanted": default, **{f"{rate:.0%}": Promise(rate, rate) for rate in LADDER}}


def chosen(judge: Judge, scores: np.ndarray, promises: dict[str, Promise]) -> dict[str, OperatingPoint]:
    """Return operating points with cut-offs that keep the promises on all labelled films with these log-odds."""
    return operating_points([Predictions(judge.rows.labels, expit(scores))], promises)


@dataclass(frozen=True)
class Experience:
    """What a clinic experiences under a rule, and whether that is what was promised.

    Attributes:
        decided: share of all films, refused ones among them, that are not left to a person.
    """

    promise: Promise
    table: StatusTable
    decided: float

    @classmethod
    def of(cls, judge: Judge, statuses: np.ndarray, promise: Promise) -> Experience:
        """Of statuses ``(N,)`` by a rule that was chosen on other patients."""
        table = judge.table(statuses)
        return cls(promise, table, 1 - table.left_to_a_person.value - table.refused.value)

    @property
    def kept(self) -> bool:
        """Neither error rate is shown to be above what was promised."""
        return self.table.missed.low <= self.promise.missed and self.table.false_alarms.low <= self.promise.false_alarms

    @property
    def usable(self) -> bool:
        """The promise is kept, and not by leaving most films to a person."""
        return self.kept and self.decided >= DECIDED

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "promise": {"missed": self.promise.missed, "false_alarms": self.promise.false_alarms},
            "table": as_json(self.table),
            "decided": self.decided,
            "kept": self.kept,
            "usable": self.usable,
        }


def judged(judge: Judge, statuses: dict[str, np.ndarray]) -> dict[str, Any]:
    """Compare the rule as shipped with one that is chosen here, both by what the clinic experiences.

    The rule that is chosen here is adopted where it can be used and the shipped one breaks the promise, cannot be used,
    or decides fewer films beyond noise. So a rule that decides fewer films at the same error rates is never adopted.

    Args:
        statuses: by rules that were chosen on other patients, name of :func:`tried` -> texts ``(N,)``.

    Returns:
        ``adopted``, ``gain`` (in the share that is decided, with its interval), ``shipped`` and ``chosen``
        (:meth:`Experience.to_dict`), ``ladder`` (the same for each promise that was tried) and ``offer`` (the strictest
        of them that can be used; None where none can).
    """
    shipped = Experience.of(judge, judge.as_shipped, judge.promise)
    found = {name: Experience.of(judge, statuses[name], promise) for name, promise in tried(judge.promise).items()}
    new = found.pop("wanted")
    gain, more = better(judge.decided(statuses["wanted"]), judge.decided(judge.as_shipped))
    return {
        "adopted": new.usable and (not shipped.usable or more),
        "gain": [*gain],
        "shipped": shipped.to_dict(),
        "chosen": new.to_dict(),
        "ladder": [one.to_dict() for one in found.values()],
        "offer": next((one.to_dict() for one in found.values() if one.usable), None),
    }


def in_words(found: dict[str, Any]) -> str:
    """What :func:`judged` found, in sentences: which promise is kept here, and which could be."""
    wanted = Promise(**found["chosen"]["promise"])
    if found["adopted"]:
        return f"Cut-offs chosen here keep the promise that {wanted}, and decide {found['chosen']['decided']:.0%}."
    if found["shipped"]["usable"]:
        return f"The reader's cut-offs keep the promise that {wanted}, and decide {found['shipped']['decided']:.0%}."
    said = f"No cut-offs keep the promise that {wanted} and decide half of the films."
    offer = found["offer"]
    if offer is None:
        return f"{said} Nor do they for any promise up to {LADDER[-1]:.0%}."
    rate = offer["promise"]["missed"]
    return (
        f"{said} At {rate:.0%} missed and {rate:.0%} false alarms, {offer['decided']:.0%} of films are decided: "
        f"if that is good enough here, run again with --promise {rate:g}."
    )
