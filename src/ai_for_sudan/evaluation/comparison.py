"""Two models on the same films."""

from __future__ import annotations

from typing import Any

import numpy as np

from ai_for_sudan.evaluation.statistics import delong_paired, mcnemar


def compare(labels: np.ndarray, first: tuple[np.ndarray, float], second: tuple[np.ndarray, float]) -> dict[str, Any]:
    """Is one better than the other, beyond chance?

    Args:
        labels: 0 or 1 ``(N,)``.
        first, second: probabilities ``(N,)`` and the threshold of each.

    Returns:
        plain JSON: ``auroc_difference`` (first less second, ``[value, low, high]``) with ``auroc_p`` by DeLong, and
        ``only_first_right``, ``only_second_right`` (calls) with ``calls_p`` by McNemar's exact test.

    Raises:
        UserError: one class only, or probabilities that are no numbers.
    """
    areas = delong_paired(labels, first[0], second[0])
    right = [(probability >= threshold) == (labels == 1) for probability, threshold in (first, second)]
    return {
        "films": len(labels),
        "auroc_difference": areas.difference.to_list(),
        "auroc_p": areas.p_value,
        "only_first_right": int((right[0] & ~right[1]).sum()),
        "only_second_right": int((~right[0] & right[1]).sum()),
        "calls_p": mcnemar(*right),
    }


def in_words(found: dict[str, Any], first: str, second: str) -> str:
    """What :func:`compare` found, in a sentence."""
    difference, low, high = found["auroc_difference"]
    areas = f"AUROC {difference:+.4f} ({low:+.4f} to {high:+.4f}; p {found['auroc_p']:.3g}, DeLong)"
    calls = f"right alone on {found['only_first_right']} films, wrong alone on {found['only_second_right']}"
    return (
        f"{first} less {second} on the same {found['films']} films: {areas}; {calls} "
        f"(p {found['calls_p']:.3g}, McNemar)."
    )
