"""Figures as inline SVG, in one look."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import NullLocator
from sklearn.metrics import precision_recall_curve, roc_curve

GREEN, RED, GREY = "#0b6e4f", "#c8553d", "#8a97a3"


def figure(rows: int = 1, columns: int = 1, *, width: float = 4.4, height: float = 3.6) -> tuple[Figure, Any]:
    """A figure and its axes, drawn without a screen."""
    made = Figure(figsize=(width * columns, height * rows), layout="constrained")
    FigureCanvasAgg(made)
    made.get_layout_engine().set(w_pad=0.12, h_pad=0.12, wspace=0.06, hspace=0.06)  # type: ignore[union-attr, call-arg]
    axes = made.subplots(rows, columns)
    for one in np.atleast_1d(axes).flat:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(alpha=0.2)
    return made, axes


def svg(made: Figure) -> str:
    """The figure as an SVG element, to be put into a page. Names are names: a ``$`` in them begins no formula."""
    for part in made.findobj(Text):
        if isinstance(part, Text):
            part.set_parse_math(False)  # a name with $ in it is a name, not mathematics
    for text in made.findobj(Text):
        text.set_parse_math(False)
    buffer = io.StringIO()
    made.savefig(buffer, format="svg", metadata={"Date": None})
    drawn = buffer.getvalue()
    return drawn[drawn.index("<svg") :]


def roc(axes: Axes, labels: np.ndarray, scores: np.ndarray, threshold: float | None = None) -> None:
    """Draw the ROC curve of labels 0 or 1 ``(N,)`` and scores ``(N,)``, with the place of a threshold."""
    false_positive, true_positive, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    axes.plot(false_positive, true_positive, color=GREEN)
    axes.plot([0, 1], [0, 1], ":", color=GREY, lw=1)
    if threshold is not None:
        place = max(0, int(np.searchsorted(-thresholds, -threshold, side="right")) - 1)
        axes.plot(false_positive[place], true_positive[place], "o", color=RED, label=f"threshold {threshold:.2f}")
        axes.legend(frameon=False, loc="lower right", fontsize=8)
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", title="ROC", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


def precision_recall(axes: Axes, labels: np.ndarray, scores: np.ndarray) -> None:
    """Draw precision against recall of labels 0 or 1 ``(N,)`` and scores ``(N,)``, with the share of positives."""
    precision, recall, _ = precision_recall_curve(labels, scores)
    axes.plot(recall, precision, color=GREEN)
    axes.axhline(labels.mean(), ls=":", color=GREY, lw=1)
    axes.set(xlabel="recall", ylabel="precision", title="Precision and recall", xlim=(-0.02, 1.02), ylim=(0, 1.02))


def reliability(axes: Axes, bins: list[dict[str, Any]], title: str = "Reliability") -> None:
    """Share of positives against the mean probability, with Wilson's bars.

    Args:
        bins: of :func:`ai_for_sudan.evaluation.probabilities.of_probabilities`.
    """
    share = np.array([one["share"] for one in bins]).T
    bars = np.abs(share[1:] - share[:1])
    axes.plot([0, 1], [0, 1], ":", color=GREY, lw=1)
    axes.errorbar([one["given"] for one in bins], share[0], yerr=bars, fmt="o-", color=GREEN, ms=4, capsize=2)
    axes.set(xlabel="probability given", ylabel="share of films that are positive", title=title)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


def decision(axes: Axes, curve: dict[str, list[float]], prevalence: float) -> None:
    """Net benefit of the reader, of calling every film and of calling none."""
    axes.plot(curve["thresholds"], curve["reader"], color=GREEN, label="the reader")
    axes.plot(curve["thresholds"], curve["all"], color=GREY, label="call every film")
    axes.axhline(0, ls=":", color=GREY, lw=1)
    top = max(prevalence, 0.05)
    axes.set(xlabel="probability threshold", ylabel="net benefit", title="Decision curve")
    axes.set(xlim=(0, 0.82), ylim=(-0.15 * top, 1.05 * top))
    axes.legend(frameon=False, fontsize=8)


def histogram(
    axes: Axes, labels: np.ndarray, probabilities: np.ndarray, threshold: float, names: tuple[str, str]
) -> None:
    """Draw how probabilities ``(N,)`` are spread in both classes, with the threshold."""
    edges = [i / 30 for i in range(31)]
    axes.hist(probabilities[labels == 0], edges, color=GREEN, alpha=0.65, label=names[0])
    axes.hist(probabilities[labels == 1], edges, color=RED, alpha=0.55, label=names[1])
    axes.axvline(threshold, color="black", lw=1)
    axes.set_yscale("symlog", linthresh=10)  # a few films on the wrong side must be seen beside thousands
    highest = axes.get_ylim()[1]
    axes.set_yticks([tick for tick in (0, 1, 2, 5, 10, 30, 100, 300, 1000, 3000, 10000) if tick <= highest])
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="probability", ylabel="films", title="Scores")
    axes.legend(frameon=False, fontsize=8, loc="upper center")
