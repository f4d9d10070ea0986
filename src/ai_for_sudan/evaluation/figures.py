"""Figures as inline SVG, in one look."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

GREEN, RED, GREY = "#0b6e4f", "#c8553d", "#8a97a3"


def figure(rows: int = 1, columns: int = 1, *, width: float = 4.4, height: float = 3.6) -> tuple[Figure, Any]:
    """A figure and its axes, drawn without a screen."""
    made = Figure(figsize=(width * columns, height * rows), layout="constrained")
    FigureCanvasAgg(made)
    axes = made.subplots(rows, columns)
    for one in np.atleast_1d(axes).flat:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(alpha=0.2)
    return made, axes


def svg(made: Figure) -> str:
    """The figure as an SVG element, to be put into a page."""
    buffer = io.StringIO()
    made.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def roc(axes: Axes, labels: np.ndarray, scores: np.ndarray, threshold: float | None = None) -> None:
    false_positive, true_positive, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    axes.plot(false_positive, true_positive, color=GREEN)
    axes.plot([0, 1], [0, 1], ":", color=GREY, lw=1)
    if threshold is not None:
        place = max(0, int(np.searchsorted(-thresholds, -threshold, side="right")) - 1)
        axes.plot(false_positive[place], true_positive[place], "o", color=RED, label=f"threshold {threshold:.2f}")
        axes.legend(frameon=False, loc="lower right", fontsize=8)
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", title="ROC", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


def precision_recall(axes: Axes, labels: np.ndarray, scores: np.ndarray) -> None:
    precision, recall, _ = precision_recall_curve(labels, scores)
    axes.plot(recall, precision, color=GREEN)
    axes.axhline(labels.mean(), ls=":", color=GREY, lw=1)
    axes.set(xlabel="recall", ylabel="precision", title="Precision and recall", xlim=(-0.02, 1.02), ylim=(0, 1.02))


def reliability(axes: Axes, labels: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> None:
    """Share of positives against the mean probability, in bins of equal count."""
    parts = [p for p in np.array_split(np.argsort(probabilities, kind="stable"), bins) if len(p)]
    mean = [probabilities[part].mean() for part in parts]
    share = np.array([labels[part].mean() for part in parts])
    half = [1.96 * np.sqrt(s * (1 - s) / len(part)) for s, part in zip(share, parts, strict=True)]
    axes.plot([0, 1], [0, 1], ":", color=GREY, lw=1)
    axes.errorbar(mean, share, yerr=half, fmt="o-", color=GREEN, ms=4, capsize=2)
    axes.set(xlabel="probability given", ylabel="share of films that are positive", title="Reliability")


def histogram(
    axes: Axes, labels: np.ndarray, probabilities: np.ndarray, threshold: float, names: tuple[str, str]
) -> None:
    edges = [i / 30 for i in range(31)]
    axes.hist(probabilities[labels == 0], edges, color=GREEN, alpha=0.65, label=names[0])
    axes.hist(probabilities[labels == 1], edges, color=RED, alpha=0.55, label=names[1])
    axes.axvline(threshold, color="black", lw=1)
    axes.set_yscale("symlog", linthresh=10)
    axes.set(xlabel="probability", ylabel="films", title="Scores")
    axes.legend(frameon=False, fontsize=8)
