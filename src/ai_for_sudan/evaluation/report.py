"""The page of an evaluation: figures, tables and the worst mistakes, in one file."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from PIL import Image

from ai_for_sudan.evaluation import figures
from ai_for_sudan.evaluation.subject import Subject
from ai_for_sudan.files import write_text
from ai_for_sudan.reading.overlay import overlay
from ai_for_sudan.reading.words import DISCLAIMER

WORST = 12


def render_page(template: str, path: Path, **values: Any) -> None:
    """Fill a template of this room and write it."""
    environment = Environment(loader=PackageLoader("ai_for_sudan.evaluation"), autoescape=True)
    environment.filters["interval"] = interval
    write_text(path, environment.get_template(template).render(disclaimer=DISCLAIMER, **values))


def interval(value: Any, digits: int = 3) -> str:
    """``[value, low, high]`` as text; a dash where nothing was measured."""
    if value is None or value[0] is None:
        return "-"
    if value[1] is None:
        return f"{value[0]:.{digits}f} (no interval)"
    return f"{value[0]:.{digits}f} ({value[1]:.{digits}f} to {value[2]:.{digits}f})"


def inline(picture: Image.Image) -> str:
    """A picture as a data URI."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def write_report(
    path: Path,
    subject: Subject,
    metrics: dict[str, Any],
    labels: np.ndarray,
    probabilities: np.ndarray,
    pixels: np.ndarray,
    files: list[str],
    *,
    title: str,
) -> None:
    """Write ``report.html`` of an evaluation.

    Args:
        metrics: of :func:`ai_for_sudan.evaluation.metrics.measure`.
        labels, probabilities: as measured, ``(N,)`` or ``(N, C)``, and ``(N, C)``.
        pixels: uint8 ``(N, S, S)``.
    """
    index = subject.classes.index(subject.positive)
    truth = labels[:, index] if labels.ndim == 2 else (labels == index).astype(float)
    known = np.flatnonzero(~np.isnan(truth))
    sick, score = truth[known].astype(int), probabilities[known, index]
    made, axes = figures.figure(2, 3)
    figures.roc(axes[0, 0], sick, score, subject.threshold)
    figures.precision_recall(axes[0, 1], sick, score)
    figures.histogram(axes[0, 2], sick, score, subject.threshold, (f"not {subject.positive}", subject.positive))
    worth = metrics["probabilities"]
    if worth:
        figures.reliability(axes[1, 0], worth["reliability"])
        figures.decision(axes[1, 1], worth["decision_curve"], float(sick.mean()))
    for empty in axes[1, 2:] if worth else axes[1]:
        empty.set_visible(False)
    render_page(
        "evaluation.html",
        path,
        title=title,
        subject=subject,
        metrics=metrics,
        figure=Markup(figures.svg(made)),  # our own drawing, nothing of the user's inside
        mistakes=_mistakes(subject, sick, score, pixels[known], [files[i] for i in known]),
    )


def _mistakes(
    subject: Subject, sick: np.ndarray, score: np.ndarray, pixels: np.ndarray, files: list[str]
) -> list[dict[str, Any]]:
    """The wrong calls, the most certain first."""
    wrong = np.flatnonzero((score >= subject.threshold) != (sick == 1))
    worst = wrong[np.argsort(-np.abs(score[wrong] - subject.threshold), kind="stable")][:WORST]
    return [
        {
            "file": files[i],
            "kind": "missed" if sick[i] else "false alarm",
            "probability": float(score[i]),
            "film": inline(Image.fromarray(pixels[i])),
            "overlay": inline(overlay(pixels[i], subject.heatmap(pixels[i]), subject.reference)),
        }
        for i in worst
    ]
