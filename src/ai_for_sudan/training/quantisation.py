"""Dynamic quantisation of the linear layers, and what it costs."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ai_for_sudan.datasets import Pixels
from ai_for_sudan.models import Architecture, as_batch, load_checkpoint, logits, probabilities
from ai_for_sudan.models.quantised import quantise_linear, save_quantised
from ai_for_sudan.training.scores import score


def quantise_and_compare(model: Architecture, pixels: Pixels, labels: np.ndarray, path: Path) -> str:
    """Save the quantised model at ``path`` beside ``best_model.pth`` and return the table of both.

    Args:
        pixels: validation films, uint8 ``(N, S, S)``.
        labels: as :class:`ai_for_sudan.training.LabelledFilms` has them.
    """
    original = path.with_name("best_model.pth")
    _, state = load_checkpoint(original)
    quantised = quantise_linear(model)
    save_quantised(path, quantised, state)
    rows = [
        ("float32", original.stat().st_size, *_measure(model.cpu(), pixels, labels)),
        ("dynamic int8", path.stat().st_size, *_measure(quantised, pixels, labels)),
    ]
    inside = sum(m.weight.numel() for m in model.modules() if isinstance(m, nn.Linear))
    share = inside / sum(p.numel() for p in model.parameters())
    lines = [f"{'':<14}{'bytes':>12}{'accuracy':>10}{'AUROC':>9}{'ms a film':>11}"]
    lines += [f"{name:<14}{size:>12,}{acc:>10.4f}{auroc:>9.4f}{ms:>11.2f}" for name, size, acc, auroc, ms in rows]
    lines.append(
        f"Dynamic quantisation touches the linear layers only: {share:.1%} of the parameters. "
        "For a small file use the int8 reader: ai-for-sudan export --int8."
    )
    return "\n".join(lines)


def _measure(model: Architecture, pixels: Pixels, labels: np.ndarray) -> tuple[float, float, float]:
    """Accuracy, AUROC, and the median milliseconds of one film."""
    values = probabilities(logits(model, pixels), model.spec.task).numpy()
    scores = score(labels, values, model.spec.positive_index)
    film = as_batch(pixels[:1])
    times = []
    with torch.inference_mode():
        for _ in range(25):
            started = time.perf_counter()
            model(film)
            times.append(time.perf_counter() - started)
    return scores["accuracy"], scores["auroc"], float(np.median(times[5:]) * 1e3)
