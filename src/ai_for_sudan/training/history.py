"""The record of a run: one line of CSV an epoch, and its curves."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from ai_for_sudan.files import replacing
from ai_for_sudan.training.recipe import SELECTIONS
from ai_for_sudan.training.scores import SCORES


def merit(row: dict[str, Any], select: str) -> tuple[float, float]:
    """Return what epochs are compared by, the larger the better: by ``auroc`` or ``loss`` (:class:`.Recipe`).

    Both are means of the validation films as they are and perturbed: clean films of one hospital cannot tell two epochs
    apart. Calibration and operating points are fitted afterwards, so AUROC prefers a later epoch that ranks better to a
    timid one of lower loss; where AUROCs are equal, or of one class only, the loss decides.
    """
    loss = (row["val_loss"] + row["perturbed_loss"]) / 2
    auroc = (row["val_auroc"] + row["perturbed_auroc"]) / 2 if select == "auroc" else 0.0
    return (auroc if np.isfinite(auroc) else 0.0, -loss)


def write_history(folder: Path, rows: list[dict[str, Any]], select: str) -> None:
    """Write ``history.csv`` and ``curves.png``, in which the epoch that is kept is marked."""
    with replacing(folder / "history.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    _draw(folder / "curves.png", rows, select)


def _draw(path: Path, rows: list[dict[str, Any]], select: str) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    epochs = [row["epoch"] for row in rows]
    best = max(rows, key=lambda row: merit(row, select))["epoch"]
    figure = Figure(figsize=(12, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, name in zip(figure.subplots(2, 3).flat, ("loss", *SCORES), strict=True):
        axes.plot(
            epochs, [row[f"train_{name}"] for row in rows], "o-", ms=3, color="#9aa5b1", label="training, augmented"
        )
        axes.plot(epochs, [row[f"val_{name}"] for row in rows], "o-", ms=3, color="#0b6e4f", label="validation")
        if f"perturbed_{name}" in rows[0]:
            values = [row[f"perturbed_{name}"] for row in rows]
            axes.plot(epochs, values, "o--", ms=3, color="#c8553d", label="validation, perturbed")
        label = f"kept: {SELECTIONS[select]}, mean of both validation curves"
        axes.axvline(best, color="#ccd3da", lw=1, zorder=0, label=label)
        axes.set_title(name.upper() if name == "auroc" else name.capitalize(), fontsize=10, loc="left")
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.25)
    figure.axes[0].legend(frameon=False, fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
