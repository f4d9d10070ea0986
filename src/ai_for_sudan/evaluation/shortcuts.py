"""Would the model know the label without the lungs? What it then knows is the frame and the hospital."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from torch import Tensor

from ai_for_sudan.datasets import Pixels
from ai_for_sudan.lungs import LungView, box_of, load_finder
from ai_for_sudan.models import Architecture, as_batch, probabilities
from ai_for_sudan.statistics import Estimate, auroc_delong

#: AUROC without lungs above which a reader is not exported unless that is asked for
LIMIT = 0.65
#: how far beyond the found outline lungs are painted over, in parts of the film's side
_BEYOND = 4 / 112
_BATCH = 64


@dataclass(frozen=True)
class Shortcuts:
    """What tells the label of films without their lungs; intervals by DeLong, films taken for independent.

    Attributes:
        outside_only: AUROC of the model on films whose lungs are painted over.
        framing_only: AUROC of five numbers: where the lungs' box lies on the film, and its aspect (cross-fitted by
            patient). It says what the films would give away, whatever the model.
        films: on which lungs were found; none: the question does not arise for these pictures.
    """

    outside_only: Estimate | None
    framing_only: Estimate | None
    films: int


def shortcuts(model: Architecture, pixels: Pixels, truth: np.ndarray, patient_ids: np.ndarray) -> Shortcuts:
    """Ask a model about films without lungs.

    Args:
        pixels: uint8 ``(N, S, S)``.
        truth: 0 or 1 of the positive class ``(N,)``; NaN is left out.
        patient_ids: ``(N,)``.
    """
    view = model.view or LungView(load_finder(), model.spec.input_size)
    scores, boxes, found = [], [], []
    with torch.inference_mode():
        for start in range(0, len(pixels), _BATCH):
            films = as_batch(pixels[start : start + _BATCH])
            lungs = view.find(films)
            painted = without_lungs(films, lungs)
            box = box_of(lungs)
            # Through the box of the film as it was: the question is what lies around the lungs, not where they are.
            seen = painted if model.view is None else view.look(painted, lungs, box).pixels
            values = probabilities(model(seen), model.spec.task)
            scores.append(values[:, model.spec.positive_index].numpy())
            boxes.append(box.numpy())
            found.append(((lungs > 0.5).float().mean(dim=(1, 2, 3)) > 0.05).numpy())
    used = np.concatenate(found) & ~np.isnan(truth)
    labels = truth[used].astype(int)
    if used.mean() < 0.5 or len(np.unique(labels)) < 2:
        return Shortcuts(None, None, 0)
    outside = auroc_delong(labels, np.concatenate(scores)[used])
    return Shortcuts(outside, _framing(np.concatenate(boxes)[used], labels, patient_ids[used]), len(labels))


def without_lungs(films: Tensor, lungs: Tensor) -> Tensor:
    """Films ``(B, 1, S, S)`` with the lungs ``(B, 1, h, w)``, and a rim around them, in the median grey of the rest."""
    rim = max(1, round(lungs.shape[-1] * _BEYOND))
    inside = F.max_pool2d((lungs > 0.5).float(), 2 * rim + 1, stride=1, padding=rim)
    inside = F.interpolate(inside, size=films.shape[-2:], mode="nearest") > 0.5
    painted = films.clone()
    for film, hidden in zip(painted, inside, strict=True):
        rest = film[~hidden]
        film[hidden] = rest.median() if len(rest) else 0.5
    return painted


def _framing(boxes: np.ndarray, labels: np.ndarray, patient_ids: np.ndarray) -> Estimate | None:
    parts = min(5, len(np.unique(patient_ids)))
    if parts < 2:
        return None
    left, top, right, bottom = boxes.T
    aspect = np.log((right - left + 1e-6) / (bottom - top + 1e-6))
    numbers = np.stack([left, top, right, bottom, aspect], 1)
    numbers = (numbers - numbers.mean(0)) / (numbers.std(0) + 1e-6)
    found = cross_val_predict(
        LogisticRegression(), numbers, labels, groups=patient_ids, cv=GroupKFold(parts), method="predict_proba"
    )
    return auroc_delong(labels, found[:, 1])
