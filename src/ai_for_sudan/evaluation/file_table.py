"""What each file of a model costs and how well it reads, measured on the file opened again."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ai_for_sudan.datasets import Pixels
from ai_for_sudan.evaluation.subject import open_subject
from ai_for_sudan.training.scores import SCORES, score


def file_table(files: Iterable[Path], pixels: Pixels, labels: np.ndarray) -> str:
    """Open every file again on the CPU, read the films with it, and return a table with one row a file.

    Columns: bytes of the file, the scores of :func:`ai_for_sudan.training.scores.score` (classes are called at 0.5),
    and the median time of one film in milliseconds.

    Args:
        files: checkpoints, quantised checkpoints, ``.safetensors`` or reader files.
        pixels: films that were not trained on, uint8 ``(N, S, S)``.
        labels: class numbers ``(N,)`` or findings ``(N, C)`` in 0, 1, NaN.

    Raises:
        UserError: a file cannot be opened.
    """
    header = "".join(f"{name:>10}" for name in SCORES)
    lines = [f"{'file':<26}{'bytes':>12}{header}{'ms a film':>11}"]
    for file in files:
        subject = open_subject(file, where="cpu")
        found = score(labels, subject.predict(pixels[:]), subject.classes.index(subject.positive))
        times = []
        for _ in range(15):
            started = time.perf_counter()
            subject.predict(pixels[:1])
            times.append(time.perf_counter() - started)
        scores = "".join(f"{found[name]:>10.4f}" for name in SCORES)
        lines.append(f"{file.name:<26}{file.stat().st_size:>12,}{scores}{np.median(times[5:]) * 1e3:>11.1f}")
    return "\n".join(lines)
