"""What a clinic experiences: how many films of each class are suspected, uncertain, not seen and refused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ai_for_sudan.statistics.estimates import Estimate
from ai_for_sudan.statistics.shares import share_by_patient

#: the columns of the table; a film that could not be decoded counts as refused
STATUSES = ("suspected", "uncertain", "not_seen", "refused")


@dataclass(frozen=True)
class Outcomes:
    """Films of one class, or all of them, by status.

    Attributes:
        counts: status -> number of films.
        shares: status -> share of these films, with an interval by patient.
    """

    films: int
    patients: int
    counts: dict[str, int]
    shares: dict[str, Estimate]


@dataclass(frozen=True)
class StatusTable:
    """Films by truth and status. Refused films stay in the denominator of every share."""

    positive: Outcomes
    negative: Outcomes
    all: Outcomes

    @property
    def missed(self) -> Estimate:
        """Share of positive films that are not seen."""
        return self.positive.shares["not_seen"]

    @property
    def false_alarms(self) -> Estimate:
        """Share of negative films that are suspected."""
        return self.negative.shares["suspected"]

    @property
    def left_to_a_person(self) -> Estimate:
        """Share of all films that are uncertain."""
        return self.all.shares["uncertain"]

    @property
    def refused(self) -> Estimate:
        """Share of all films that are refused or could not be decoded."""
        return self.all.shares["refused"]


def status_table(truth: np.ndarray, statuses: np.ndarray, patients: np.ndarray | None = None) -> StatusTable:
    """Count what a clinic experiences, with shares and their 95 % intervals by patient.

    Args:
        truth: 1 positive, 0 negative, NaN unknown, ``(N,)``; films of unknown truth are left out.
        statuses: texts ``(N,)``; ``failed`` counts as ``refused``.
        patients: whom each film is of ``(N,)``; without it each film is of another patient.
    """
    truth = np.asarray(truth, np.float64)
    statuses = np.asarray(statuses, object)
    patients = np.arange(len(truth)) if patients is None else np.asarray(patients)
    statuses = np.where(statuses == "failed", "refused", statuses)

    def of(rows: np.ndarray) -> Outcomes:
        each = {status: statuses[rows] == status for status in STATUSES}
        return Outcomes(
            films=int(rows.sum()),
            patients=len(np.unique(patients[rows])),
            counts={status: int(hits.sum()) for status, hits in each.items()},
            shares={status: share_by_patient(hits, patients[rows]) for status, hits in each.items()},
        )

    return StatusTable(of(truth == 1), of(truth == 0), of(~np.isnan(truth)))
