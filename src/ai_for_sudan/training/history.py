"""The record of a run: one line of CSV an epoch, and its curves."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from ai_for_sudan.files import replacing
from ai_for_sudan.training.scores import SCORES


def merit(row: dict[str, Any]) -> tuple[float, float]:
    """By which epochs are compared: AUROC, the mean of the validation films as they are and perturbed; then a low loss.

    Calibration and operating points are fitted afterwards, so only the order of the films counts: the loss would prefer
    a timid epoch to a later one that ranks better. It decides where AUROCs are equal, or of one class only.
    """
    auroc = (row["val_auroc"] + row["perturbed_auroc"]) / 2
    return (auroc if np.isfinite(auroc) else 0.0, -row["val_loss"])


def write_history(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Write ``history.csv`` and ``curves.png``."""
    with replacing(folder / "history.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    _draw(folder / "curves.png", rows)


def _draw(path: Path, rows: list[dict[str, Any]]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    epochs = [row["epoch"] for row in rows]
    best = max(rows, key=merit)["epoch"]
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
        axes.axvline(best, color="#ccd3da", lw=1, zorder=0)
        axes.set_title(name.upper() if name == "auroc" else name.capitalize(), fontsize=10, loc="left")
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.25)
    figure.axes[0].legend(frameon=False, fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
