"""The page of an evaluation: figures, tables and the worst mistakes, in one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from PIL import Image

from ai_for_sudan.evaluation.metrics import Metrics
from ai_for_sudan.evaluation.subject import Subject
from ai_for_sudan.pages import figures, inline, write_page
from ai_for_sudan.reading.overlay import overlay
from ai_for_sudan.statistics import Predictions, as_json, positive_truth

WORST = 12


def write_report(
    path: Path,
    subject: Subject,
    metrics: Metrics,
    labels: np.ndarray,
    probabilities: np.ndarray,
    pixels: np.ndarray,
    files: list[str],
    *,
    title: str,
    films: str,
    warnings: Sequence[str],
    statuses: dict[str, Any],
) -> None:
    """Write ``report.html`` of an evaluation.

    Args:
        labels, probabilities: as measured, ``(N,)`` or ``(N, C)``, and ``(N, C)``.
        pixels: uint8 ``(N, S, S)``.
        films: how many of whom, in words.
        warnings: what must be said of them.
        statuses: the JSON of the films' :class:`ai_for_sudan.statistics.StatusTable`.
    """
    index = subject.classes.index(subject.positive)
    truth = positive_truth(labels, index)
    known = np.flatnonzero(~np.isnan(truth))
    shown = Predictions.of(truth, probabilities[:, index])
    positive, score = shown.labels, shown.probabilities
    made, axes = figures.figure(2, 3)
    figures.roc(axes[0, 0], positive, score, subject.threshold)
    figures.precision_recall(axes[0, 1], positive, score)
    figures.histogram(axes[0, 2], positive, score, subject.threshold, (f"not {subject.positive}", subject.positive))
    quality = metrics.probabilities
    if quality:
        figures.reliability(axes[1, 0], as_json(quality.reliability))
        figures.decision(axes[1, 1], as_json(quality.decision_curve), float(positive.mean()))
    for empty in axes[1, 2:] if quality else axes[1]:
        empty.set_visible(False)
    write_page(
        "ai_for_sudan.evaluation",
        path,
        title=title,
        subject=subject,
        metrics=metrics,
        films=films,
        warnings=warnings,
        statuses=statuses,
        figure=Markup(figures.svg(made)),  # our own drawing, nothing of the user's inside
        mistakes=_mistakes(subject, positive, score, pixels[known], [files[i] for i in known]),
    )


def _mistakes(
    subject: Subject, positive: np.ndarray, score: np.ndarray, pixels: np.ndarray, files: list[str]
) -> list[dict[str, Any]]:
    """The wrong calls, the most certain first."""
    wrong = np.flatnonzero((score >= subject.threshold) != (positive == 1))
    worst = wrong[np.argsort(-np.abs(score[wrong] - subject.threshold), kind="stable")][:WORST]
    return [
        {
            "file": files[i],
            "kind": "missed" if positive[i] else "false alarm",
            "probability": float(score[i]),
            "film": inline(Image.fromarray(pixels[i])),
            "overlay": inline(overlay(pixels[i], subject.heatmap(pixels[i]), subject.full_colour)),
        }
        for i in worst
    ]
