"""What a clinic does to films, kind by kind and severity by severity, and what the reader then says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from markupsafe import Markup

from ai_for_sudan.disturbances import perturb
from ai_for_sudan.evaluation.readings import judged
from ai_for_sudan.models import as_batch, as_pixels
from ai_for_sudan.processes import in_parallel
from ai_for_sudan.reading import Reader
from ai_for_sudan.statistics import (
    Estimate,
    StatusTable,
    auroc_delong,
    ece,
    ece_bias,
    sensitivity,
    specificity,
    status_table,
)

SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class StressRow:
    """What a reader says of films of one kind and severity.

    Attributes:
        statuses: what a clinic would experience.
        auroc, sensitivity, specificity: over all films, refused and uncertain ones among them; a film is called where
            it would be suspected.
        ece: biased upward; ``ece_of_a_calibrated_reader`` is what a perfectly calibrated one would show.
    """

    kind: str
    severity: int
    films: int
    statuses: StatusTable
    auroc: Estimate
    sensitivity: Estimate
    specificity: Estimate
    ece: float
    ece_of_a_calibrated_reader: float


def stress(
    reader: Reader,
    pixels: np.ndarray,
    labels: np.ndarray,
    patients: np.ndarray,
    kinds: tuple[str, ...],
    *,
    operating_point: str | None = None,
    seed: int = 0,
    then: Callable[[StressRow], None] = lambda _: None,
) -> list[StressRow]:
    """One row for the films as they are, and one for each kind and severity.

    Args:
        pixels: uint8 ``(N, S, S)``.
        labels: 0 or 1 ``(N,)``.
        patients: whom each film is of ``(N,)``: intervals are by patient.
        then: called with each row as it is found.
    """
    rows = []
    for number, (kind, severity) in enumerate([("none", 0), *((k, s) for k in kinds for s in SEVERITIES)]):
        generator = torch.Generator().manual_seed(seed * 1000 + number)
        films = pixels if kind == "none" else _perturbed(pixels, kind, float(severity), generator)
        row = _measure(reader, films, labels, patients, operating_point, kind, severity)
        rows.append(row)
        then(row)
    return rows


def _perturbed(pixels: np.ndarray, kind: str, severity: float, generator: torch.Generator) -> np.ndarray:
    parts = []
    for start in range(0, len(pixels), 64):
        parts.append(as_pixels(perturb(as_batch(pixels[start : start + 64]), kind, severity, generator)))
    return np.concatenate(parts)


def _measure(
    reader: Reader,
    films: np.ndarray,
    labels: np.ndarray,
    patients: np.ndarray,
    operating_point: str | None,
    kind: str,
    severity: int,
) -> StressRow:
    point = reader.card.operating_point(operating_point)
    readings = list(in_parallel(judged(reader, point), films))
    probability = np.array([r[0] for r in readings])
    status = np.array([r[1] for r in readings])
    called = probability >= point.suspected_from
    return StressRow(
        kind=kind,
        severity=severity,
        films=len(films),
        statuses=status_table(labels, status, patients),
        auroc=auroc_delong(labels, probability, patients),
        sensitivity=sensitivity(labels, called, patients),
        specificity=specificity(labels, called, patients),
        ece=ece(labels, probability),
        ece_of_a_calibrated_reader=ece_bias(probability, rounds=50),
    )


def figure(rows: list[StressRow], kinds: Sequence[str]) -> Markup:
    """Small multiples: one panel a kind."""
    from ai_for_sudan.pages import figures

    columns = 4
    made, axes = figures.figure(-(-len(kinds) // columns), columns, width=2.7, height=2.2)
    flat = list(np.atleast_1d(axes).flat)
    for panel, kind in zip(flat, kinds, strict=False):
        own = [rows[0], *(row for row in rows if row.kind == kind)]
        x = [0, *SEVERITIES]
        for name, colour in (("auroc", figures.GREEN), ("sensitivity", figures.RED), ("specificity", figures.GREY)):
            panel.plot(x, [getattr(row, name).value for row in own], "o-", ms=3, color=colour, label=name)
        panel.plot(x, [row.statuses.refused.value for row in own], ":", color="black", label="refused")
        panel.set(title=kind, ylim=(-0.03, 1.03), xticks=x)
    flat[0].legend(frameon=False, fontsize=7)
    for panel in flat[len(kinds) :]:
        panel.set_visible(False)
    return Markup(figures.svg(made))  # our own drawing
