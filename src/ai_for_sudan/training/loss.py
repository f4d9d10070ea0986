"""The loss, for exclusive classes and for findings."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def class_weights(labels: np.ndarray, classes: int, balance: float) -> Tensor:
    """Weights ``(C,)`` with mean 1 over the films: the inverse of the frequency to the power of ``balance``.

    For findings ``(N, C)`` the weight of the present against the absent, findings without a label counting 1.
    """
    if labels.ndim == 2:
        present, absent = np.nansum(labels == 1, 0), np.nansum(labels == 0, 0)
        weights = np.where(present > 0, absent / np.maximum(present, 1), 1.0) ** balance
    else:
        counts = np.bincount(labels, minlength=classes)
        weights = np.maximum(counts, 1.0) ** -balance
        weights /= (weights * counts).sum() / counts.sum()
    return torch.tensor(weights, dtype=torch.float32)


def targets(labels: Tensor, classes: int, smoothing: float) -> Tensor:
    """Labels -> ``(B, C)`` in 0..1, NaN kept for missing findings."""
    if labels.ndim == 2:
        return labels * (1 - smoothing) + smoothing / 2
    return F.one_hot(labels, classes).float() * (1 - smoothing) + smoothing / classes


def loss(logits: Tensor, target: Tensor, weights: Tensor, task: str) -> Tensor:
    """Weighted cross-entropy with soft targets; for findings binary cross-entropy over the labels there are.

    Args:
        logits: ``(B, C)``.
        target: ``(B, C)`` of :func:`targets`.
        weights: ``(C,)`` of :func:`class_weights`.
    """
    logits = logits.float()
    if task == "exclusive":
        weighted = target * weights
        return -(weighted * logits.log_softmax(1)).sum() / weighted.sum()
    known = ~target.isnan()
    each = F.binary_cross_entropy_with_logits(logits, target.nan_to_num(), pos_weight=weights, reduction="none")
    return (each * known).sum() / known.sum().clamp_min(1)


def imitation(logits: Tensor, teacher: Tensor, task: str, temperature: float = 2.0) -> Tensor:
    """How far a student's logits ``(B, C)`` are from a teacher's (Hinton 2015)."""
    student, teacher = logits.float() / temperature, teacher.float() / temperature
    if task == "exclusive":
        divergence = F.kl_div(student.log_softmax(1), teacher.softmax(1), reduction="batchmean")
    else:
        divergence = F.binary_cross_entropy_with_logits(student, teacher.sigmoid())
    return divergence * temperature**2
