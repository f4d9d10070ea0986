"""What is measured: a checkpoint, a quantised checkpoint or a reader file, all measured in the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ai_for_sudan.errors import UserError

if TYPE_CHECKING:
    from ai_for_sudan.contract import OperatingPoint
    from ai_for_sudan.datasets import Manifest
    from ai_for_sudan.models import Architecture, CheckpointState


@dataclass(frozen=True)
class Judged:
    """What was said of each film.

    Attributes:
        probabilities: ``(N, C)``; NaN of a film that could not be read.
        statuses, reasons: texts, ``N`` of each.
    """

    probabilities: np.ndarray
    statuses: np.ndarray
    reasons: list[str]


@dataclass(frozen=True)
class Subject:
    """A model to be measured.

    Attributes:
        point: its own operating point, for the positive class.
        state: what its checkpoint or card holds.
        predict: films uint8 ``(N, S, S)`` -> probabilities ``(N, C)``.
        judge: films and their pixels uint8 ``(N, S, S)`` -> what a clinic would see of each. A reader file reads the
            films themselves, with its gate; a checkpoint reads the pixels and refuses none.
        heatmap: one film uint8 ``(S, S)`` -> Grad-CAM of the positive class ``(h, w)`` in logit units.
        full_colour: logit units that are drawn at full colour.
    """

    name: str
    classes: tuple[str, ...]
    positive: str
    task: str
    input_size: int
    point: OperatingPoint
    state: dict[str, Any]
    predict: Callable[[np.ndarray], np.ndarray]
    judge: Callable[[Manifest, np.ndarray], Judged]
    heatmap: Callable[[np.ndarray], np.ndarray]
    full_colour: float

    @property
    def threshold(self) -> float:
        """The probability from which a film is suspected."""
        return self.point.suspected_from


def open_subject(path: Path, expect: str | None = None, *, where: str | None = None) -> Subject:
    """Open a model by its content.

    Args:
        expect: the architecture that the caller expects.
        where: the device of a checkpoint's network; the best that this machine has if not given.

    Raises:
        UserError: no such file, none of the three kinds, or of another architecture.
    """
    if path.suffix == ".onnx":
        return _reader(path, expect)
    return _checkpoint(path, expect, where)


def _reader(path: Path, expect: str | None) -> Subject:
    from ai_for_sudan.evaluation.readings import readings_of
    from ai_for_sudan.reading import Reader

    reader = Reader.open(path)
    card = reader.card
    if expect is not None and card.architecture != expect:
        raise UserError(f"{path} holds a {card.architecture}, not a {expect}; give --model_type {card.architecture}")

    def predict(pixels: np.ndarray) -> np.ndarray:
        return np.stack([reader.outputs(film)["probability"] for film in pixels])

    def judge(films: Manifest, _: np.ndarray) -> Judged:
        readings = readings_of(reader, films)[0]
        return Judged(
            np.array([[r.probabilities.get(name, np.nan) for name in card.classes] for r in readings], np.float64),
            np.array([r.status for r in readings], object),
            ["; ".join(r.reasons) for r in readings],
        )

    return Subject(
        name=card.title,
        classes=tuple(card.classes),
        positive=card.positive,
        task=card.task,
        input_size=card.input.size or 224,
        point=card.operating_point(),
        state={"split": card.training.split, "provenance": card.facts.get("provenance")},
        predict=predict,
        judge=judge,
        heatmap=lambda film: reader.outputs(film)["heatmap"][card.positive_index],
        full_colour=card.heatmap_reference,
    )


def load_model(
    path: Path, expect: str | None = None, *, where: str | None = None
) -> tuple[Architecture, CheckpointState]:
    """Return a network through which gradients flow, in evaluation mode, and what is recorded of its weights.

    Linear layers of a quantised checkpoint are float again, with the values of its integers.

    Raises:
        UserError: as :func:`open_subject`.
    """
    from ai_for_sudan.models import device, load_checkpoint
    from ai_for_sudan.models.quantised import dequantise, is_quantised, load_quantised

    if is_quantised(path):
        quantised, state = load_quantised(path, expect)
        return dequantise(quantised), state
    return load_checkpoint(path, expect, map_location=where or device())


def _checkpoint(path: Path, expect: str | None, where: str | None) -> Subject:
    from ai_for_sudan.explanation import GradCAM, in_film
    from ai_for_sudan.models import as_batch, folded, logits, probabilities
    from ai_for_sudan.models.quantised import is_quantised, load_quantised

    explained, state = load_model(path, expect, where=where)
    model = folded(load_quantised(path)[0] if is_quantised(path) else explained)
    spec = model.spec

    def predict(pixels: np.ndarray) -> np.ndarray:
        progress = "reading" if len(pixels) > 128 else None
        return probabilities(logits(model, pixels, progress=progress), spec.task).numpy()

    def judge(_: Manifest, pixels: np.ndarray) -> Judged:
        found = predict(pixels)
        return Judged(found, state.point.statuses(found[:, spec.positive_index]), [""] * len(found))

    gradcam = GradCAM(explained)

    def heatmap(film: np.ndarray) -> np.ndarray:
        films = as_batch(film[None], next(explained.parameters()).device)
        return in_film(explained, films, gradcam(films, spec.positive_index).maps, gradcam.layer)[0].cpu().numpy()

    blank = as_batch(np.zeros((1, spec.input_size, spec.input_size), np.uint8), next(explained.parameters()).device)

    return Subject(
        name=f"{spec.name} ({path.name})",
        classes=spec.classes,
        positive=spec.positive,
        task=spec.task,
        input_size=spec.input_size,
        point=state.point,
        state=state.to_facts(),
        predict=predict,
        judge=judge,
        heatmap=heatmap,
        full_colour=gradcam(blank, spec.positive_index).full_colour,
    )
