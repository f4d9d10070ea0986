"""The held-out films of a run: as they are, and perturbed as the next hospital might send them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ai_for_sudan.datasets import Pixels
from ai_for_sudan.disturbances import perturbed_with_masks
from ai_for_sudan.models import Architecture, ModelSpec, probabilities
from ai_for_sudan.models import logits as predict
from ai_for_sudan.statistics import Predictions, operating_points, positive_truth
from ai_for_sudan.training.examples import LabelledFilms
from ai_for_sudan.training.loss import loss, targets
from ai_for_sudan.training.scores import SCORES, score


class Validation:
    """Films of other patients, and a perturbed copy of each.

    Args:
        weights: of the classes in the loss ``(C,)``.
        seed: of the perturbations.
    """

    def __init__(self, films: LabelledFilms, spec: ModelSpec, weights: Tensor, seed: int) -> None:
        self.labels, self.spec, self.weights = films.labels, spec, weights.cpu()
        copies, lungs = perturbed_with_masks(films.pixels, films.lungs, seed)
        self.pixels: dict[str, Pixels] = {"val": films.pixels, "perturbed": copies}
        self.lungs = {"val": films.lungs, "perturbed": lungs}

    def measure(self, model: Architecture) -> dict[str, float]:
        """Return scores and losses of the films as they are (``val_...``) and perturbed (``perturbed_...``)."""
        row: dict[str, float] = {}
        target = targets(torch.from_numpy(self.labels), len(self.spec.classes), 0.0)
        for name, pixels in self.pixels.items():
            logits = predict(model, pixels, lungs=self.lungs[name], mixed_precision=True)
            values = probabilities(logits, self.spec.task).numpy()
            scores = score(self.labels, values, self.spec.positive_index)
            row.update({f"{name}_{key}": scores[key] for key in SCORES})
            row[f"{name}_loss"] = float(loss(logits, target, self.weights, self.spec.task))
        return row

    def operating_point(self, model: Architecture) -> dict[str, Any]:
        """Choose the operating point ``balanced`` on both copies, as a reading will see them.

        Where people drew the lungs, a film that is read has no such drawing, and its lungs are found.
        """
        truth = positive_truth(self.labels, self.spec.positive_index)
        sets = [self._predictions(model, truth, pixels) for pixels in self.pixels.values()]
        return operating_points(sets)["balanced"].to_facts()

    def _predictions(self, model: Architecture, truth: np.ndarray, pixels: Pixels) -> Predictions:
        found = probabilities(predict(model, pixels), self.spec.task)
        return Predictions.of(truth, found[:, self.spec.positive_index].numpy())
