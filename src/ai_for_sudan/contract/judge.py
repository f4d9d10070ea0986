"""From numbers to a status: the one place where it is decided. The phone app has the same lines in TypeScript."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ai_for_sudan.contract.card import Card, GateScore
from ai_for_sudan.contract.codes import Remark, remark
from ai_for_sudan.contract.data import load
from ai_for_sudan.contract.limits import SMALLEST_SIDE, STABLE_SIDE
from ai_for_sudan.contract.operating_point import OperatingPoint

_RULE = load("judge")


@dataclass(frozen=True)
class Judgement:
    """A status and what it rests on.

    Attributes:
        side: the lung that the status speaks of, ``right``, ``left`` or ``both``; see :func:`side_of`.
    """

    status: str
    remarks: tuple[Remark, ...]
    side: str | None = None

    @property
    def codes(self) -> tuple[str, ...]:
        """Return the remarks for machines."""
        return tuple(code for code, _ in self.remarks)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return the remarks for people."""
        return tuple(text for _, text in self.remarks)


def judge(
    card: Card,
    probability: float,
    gate: Sequence[float],
    size: tuple[int, int],
    point: OperatingPoint,
    remarks: Sequence[tuple[str, str]] = (),
    *,
    lungs: Sequence[float] | None = None,
    abnormal: float | None = None,
) -> Judgement:
    """Decide the status of a decoded film.

    Args:
        probability: calibrated, of the positive class.
        gate: one score for each entry of ``card.gate``.
        size: height and width of the film in pixels.
        point: the operating point.
        remarks: ``(code, reason)`` for which the header rules the film out.
        lungs: the probability of the patient's right and left lung, of a reader that tells them apart.
        abnormal: the probability that the lungs are abnormal in any way, of a reader that tells.
    """
    refused = [Remark(*each) for each in remarks]
    if min(size) < SMALLEST_SIDE:
        refused.append(remark(_RULE["too_small"], height=size[0], width=size[1], smallest=SMALLEST_SIDE))
    fired = [(score, entry) for score, entry in zip(gate, card.gate, strict=True) if not score <= entry.limit]
    # A blank film fires other rules at random.
    fired = [pair for pair in fired if pair[1].code in _RULE["silences_the_rest"]][:1] or fired
    # Sorted by sureness, because weak scores often echo the strongest. NaN counts as the surest, and among equal
    # scores the stricter limit comes first.
    fired.sort(key=lambda pair: (-_sureness(pair[0]), pair[1].limit))
    refused += [_said(entry) for _, entry in fired if entry.status == "refused"]
    if refused:
        return Judgement("refused", tuple(refused))
    doubts = [_said(entry) for _, entry in fired]
    status = point.status(probability)
    if status == "uncertain":
        doubts.append(
            remark(_RULE["between"], lower=f"{point.not_seen_below:.2f}", upper=f"{point.suspected_from:.2f}")
        )
    elif status == "not_seen" and abnormal is not None and card.abnormal and not abnormal < card.abnormal.limit:
        doubts.append(remark(_RULE["abnormal"]))
    if doubts:
        status = "uncertain"
    return Judgement(status, tuple(doubts), side_of(point, status, lungs))


def side_of(point: OperatingPoint, status: str, lungs: Sequence[float] | None) -> str | None:
    """Name the lung that a ``suspected`` or ``uncertain`` film speaks of: ``right``, ``left``, ``both`` or None.

    Each lung is held against the cut-offs of the film. Suspected lungs are named; where there are none, uncertain ones.
    So a lung that is merely uncertain does not blur the side of a suspected one.

    Args:
        lungs: the probability of the patient's right and left lung.
    """
    if lungs is None or status not in _RULE["sides_of"]:
        return None
    found = [point.status(probability) for probability in lungs]
    for one in _RULE["sides_of"]:
        named = [name for name, each in zip(_RULE["sides"], found, strict=True) if each == one]
        if named:
            return named[0] if len(named) == 1 else str(_RULE["both_sides"])
    return None


def resolution_warning(size: tuple[int, int]) -> tuple[Remark, ...]:
    """What a reading must carry of a film, height and width in pixels, so small that its size may decide."""
    if min(size) >= STABLE_SIDE:
        return ()
    return (remark(_RULE["low_resolution"], height=size[0], width=size[1], stable=STABLE_SIDE),)


def edge_warning(lungs: np.ndarray) -> tuple[Remark, ...]:
    """What a reading must carry where lung reaches the film's edge along a tenth of a side or more, all sides together.

    Args:
        lungs: probability of lung over the whole film ``(h, w)``.
    """
    rule = _RULE["lungs_at_edge"]
    is_lung = lungs >= rule["lung"]
    edge = float(sum(side.mean() for side in (is_lung[0], is_lung[-1], is_lung[:, 0], is_lung[:, -1])))
    return (remark(rule["code"]),) if edge >= rule["edge"] else ()


def _sureness(score: float) -> float:
    """Log-odds in steps.

    Scores differ from machine to machine in their last digits, which must not decide; but near 1 those digits are all
    there is, so that steps of the score itself would make unlike scores alike.
    """
    least, step = _RULE["least_odds"], _RULE["sureness_step"]
    if math.isnan(score):
        return math.inf
    inside = min(max(score, least), 1 - least)
    return math.floor(math.log(inside / (1 - inside)) / step + 0.5)


def _said(entry: GateScore) -> Remark:
    return Remark(entry.code, f"{entry.reason}; {entry.advice}" if entry.advice else entry.reason)
