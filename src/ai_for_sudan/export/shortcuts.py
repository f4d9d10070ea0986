"""What the card says of how much a network knows of the label without the lungs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ai_for_sudan.datasets import Pixels
from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation import attribution
from ai_for_sudan.lungs import LungView, box_of, load_finder
from ai_for_sudan.models import Architecture, as_batch, probabilities
from ai_for_sudan.statistics import Estimate, positive_truth
from ai_for_sudan.training import LabelledFilms

_BATCH = 64


@dataclass(frozen=True)
class Shortcuts:
    """What predicts the label of films without their lungs; intervals by DeLong, films taken for independent.

    Attributes:
        outside_only: AUROC of the network on films whose lungs are painted over.
        framing_only: AUROC of where the lungs' box lies on the film, cross-fitted by patient: what the films would give
            away, whatever the network.
        films: on which lungs were found; none: the question does not arise for these pictures.
    """

    outside_only: Estimate | None
    framing_only: Estimate | None
    films: int


def shortcuts(model: Architecture, pixels: Pixels, truth: np.ndarray, patient_ids: np.ndarray) -> Shortcuts:
    """Measure a network on films without lungs.

    Args:
        pixels: uint8 ``(N, S, S)``.
        truth: 0 or 1 of the positive class ``(N,)``; NaN is left out.
        patient_ids: ``(N,)``.
    """
    view = model.view or LungView(load_finder(), model.spec.input_size)
    with torch.inference_mode():
        lungs = torch.cat([view.find(as_batch(pixels[rows])) for rows in _batches(len(pixels))])
    regions = (lungs[:, 0] > 0.5).numpy()
    used = (regions.mean((1, 2)) > attribution.FOUND) & ~np.isnan(truth)
    labels = truth[used].astype(int)
    if used.mean() < 0.5 or len(np.unique(labels)) < 2:
        return Shortcuts(None, None, 0)
    lungs, boxes = lungs[torch.from_numpy(used)], box_of(lungs)[torch.from_numpy(used)]

    def predict(painted: np.ndarray) -> np.ndarray:
        scores = []
        with torch.inference_mode():
            for rows in _batches(len(painted)):
                films = as_batch(painted[rows])
                # Through the box of the film as it was: the question is what lies around the lungs, not where they are.
                seen = films if model.view is None else view.look(films, lungs[rows], boxes[rows]).pixels
                scores.append(probabilities(model(seen), model.spec.task)[:, model.spec.positive_index])
        return torch.cat(scores).numpy()

    films = np.asarray(pixels[np.flatnonzero(used)])
    patients = patient_ids[used]
    outside = attribution.outside_only(predict, films, regions[used], labels, patients)
    # Fewer than two patients of a class cannot be cross-fitted; that says nothing of the network.
    enough = all(len(np.unique(patients[labels == value])) >= 2 for value in (0, 1))
    framing = attribution.framing_only(attribution.framing(boxes.numpy()), labels, patients) if enough else None
    return Shortcuts(outside, framing, len(labels))


def _batches(count: int) -> list[slice]:
    return [slice(start, start + _BATCH) for start in range(0, count, _BATCH)]


def knowledge_without_lungs(
    model: Architecture, films: LabelledFilms, force: bool, say: Callable[[str], None]
) -> dict[str, Any]:
    """What the card says of how much the label shows without the lungs.

    Raises:
        UserError: too much.
    """
    found = shortcuts(model, films.pixels, positive_truth(films.labels, model.spec.positive_index), films.patients)
    if found.outside_only is None:
        return {"text": "no lungs were found on most of the validation films"}
    value = found.outside_only.value
    say(f"without the lungs (painted over) the AUROC is {value:.3f}; at most {attribution.OUTSIDE_LIMIT} is allowed")
    if value > attribution.OUTSIDE_LIMIT and not force:
        raise UserError(
            f"the model knows the label of {found.films} validation films without their lungs, with AUROC {value:.3f} "
            f"(at most {attribution.OUTSIDE_LIMIT}): it uses the frame or the hospital, not the lungs; "
            "train it with --lungs auto, or give --force to export it nevertheless"
        )
    estimates = {"outside_only": found.outside_only, "framing_only": found.framing_only}
    return {
        "films": found.films,
        "limit": attribution.OUTSIDE_LIMIT,
        **{
            name: {"auroc": round(one.value, 4), "interval": [round(one.low, 4), round(one.high, 4)]}
            for name, one in estimates.items()
            if one is not None
        },
        "text": (
            "outside_only: AUROC of the reader when the lungs are painted over; framing_only: of where the lungs lie "
            "on the film, no pixel: what the films would give away to a reader that saw their frame"
        ),
    }
