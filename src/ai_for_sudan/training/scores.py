"""What is printed of an epoch."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import accuracy_score, precision_recall_fscore_support, roc_auc_score

SCORES = ("accuracy", "precision", "recall", "f1", "auroc")


def score(labels: np.ndarray, probabilities: np.ndarray, positive_index: int) -> dict[str, float]:
    """Accuracy, precision, recall, F1 and AUROC.

    For two classes those of the positive one; for more classes or findings the mean over them. What cannot be
    computed (one class only) is NaN.

    Args:
        labels: class numbers ``(N,)`` or findings ``(N, C)`` in 0, 1, NaN.
        probabilities: ``(N, C)``.
    """
    if labels.ndim == 2:
        each = []
        for finding in range(labels.shape[1]):
            known = ~np.isnan(labels[:, finding])
            each.append(_binary(labels[known, finding].astype(int), probabilities[known, finding]))
        return _mean(each)
    if probabilities.shape[1] == 2:
        return _binary((labels == positive_index).astype(int), probabilities[:, positive_index])
    each = [_binary((labels == c).astype(int), probabilities[:, c]) for c in range(probabilities.shape[1])]
    return {**_mean(each), "accuracy": float(accuracy_score(labels, probabilities.argmax(1)))}


def _binary(truth: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    if len(truth) == 0:
        return dict.fromkeys(SCORES, float("nan"))
    called = (probability >= 0.5).astype(int)
    precision, recall, f1, _ = precision_recall_fscore_support(truth, called, average="binary", zero_division=0)
    auroc = roc_auc_score(truth, probability) if 0 < truth.sum() < len(truth) else float("nan")
    values = (accuracy_score(truth, called), precision, recall, f1, auroc)
    return {name: float(value) for name, value in zip(SCORES, values, strict=True)}


def _mean(each: list[dict[str, float]]) -> dict[str, float]:
    table = np.array([[scores[name] for name in SCORES] for scores in each])
    known = ~np.isnan(table)
    means = np.where(known, table, 0).sum(0) / np.maximum(known.sum(0), 1)
    return {
        name: float(mean) if count else float("nan")
        for name, mean, count in zip(SCORES, means, known.sum(0), strict=True)
    }
