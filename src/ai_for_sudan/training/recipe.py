"""A recipe: everything that decides what a training run does, in one small TOML file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ai_for_sudan.contract.record import from_facts
from ai_for_sudan.errors import UserError
from ai_for_sudan.files import read_toml

SCHEDULES = ("plateau", "onecycle")
#: what early stopping, the plateau schedule and the kept epoch follow, and how logs and checkpoints say it
SELECTIONS = {
    "loss": "the lowest validation loss",
    "auroc": "the highest AUROC",
}
#: other values of ``lungs`` name masks
LUNGS = ("auto", "whole")


@dataclass(frozen=True)
class Recipe:
    """How to train. Each field is a key of the TOML file and a flag of the command line.

    Attributes:
        version: of the recipe, kept in the checkpoint.
        model_type: a name of :func:`ai_for_sudan.models.names`.
        epochs, batch_size, learning_rate, weight_decay: as usual; AdamW (Loshchilov 2019). The batch is that of
            all processes together.
        schedule: ``plateau`` (ReduceLROnPlateau on what ``select`` follows) or ``onecycle`` (Smith 2018, in steps).
        select: what early stopping, the plateau schedule and the kept epoch follow: ``loss``, the validation loss, or
            ``auroc``; each the mean of the validation films as they are and perturbed.
        patience: epochs without a better value of it before training stops.
        augmentation: strength of :func:`ai_for_sudan.disturbances.augment`; 0 switches it off.
        lungs: ``auto``: the network sees the lungs' box, found by the shipped finder; ``whole``: the whole film, for
            other organs and tasks; otherwise where people drew the lungs
            (:func:`ai_for_sudan.datasets.masks.load_lungs`): they frame the films that train and validate, and the
            shipped finder those that are read. A finder of one's own comes from ``ai-for-sudan fit-lungs``.
        restyle: share of the films whose grey levels get another tone curve (:func:`ai_for_sudan.lungs.restyle`).
        swap: share of the films that get the surroundings of another film
            (:func:`ai_for_sudan.lungs.swap_surroundings`).
        companions: a CSV of films that teach about lungs and are trained on beside the others, see
            :meth:`ai_for_sudan.training.companions.Companions.load`.
        mosaics: films whose lungs belong to two different ones, in parts of the batch
            (:meth:`ai_for_sudan.training.lung_targets.LungFilms.mosaics`).
        lung_weight, abnormal_weight, place_weight: in the loss, of what is known of each lung, of other diseases, and
            of where opacities lie.
        initial: a checkpoint of the same architecture to start from.
        mixup: share of the batches that are mixed with another film (Zhang 2018).
        label_smoothing: taken from the true class and given to all.
        balance: weigh classes by the inverse of their frequency to this power (0: not at all; 1: fully).
        average: decay a step of the running average of weights that is validated and kept (0: none).
        small_size, small_epochs: side of the films in the first epochs: a smaller film trains faster.
        frozen_layers: how many modules of ``features`` keep the weights they started with: the first ones of a
            pretrained network know edges already, and cost the most time.
        teacher, teacher_weight: a checkpoint whose logits are imitated (Hinton 2015), and how much of the loss that is.
        seed: of the weights, the order, the augmentation and the split.
    """

    version: str = "1"
    model_type: str = "custom_cnn"
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    schedule: str = "plateau"
    select: str = "loss"
    patience: int = 6
    augmentation: float = 1.0
    lungs: str = "auto"
    restyle: float = 0.5
    swap: float = 0.5
    companions: str = ""
    mosaics: float = 0.3
    lung_weight: float = 0.5
    abnormal_weight: float = 0.3
    place_weight: float = 0.15
    initial: str = ""
    mixup: float = 0.0
    label_smoothing: float = 0.0
    balance: float = 1.0
    average: float = 0.0
    small_size: int = 0
    small_epochs: int = 0
    frozen_layers: int = 0
    teacher: str = ""
    teacher_weight: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        problems = [
            (self.epochs < 1, "epochs must be at least 1"),
            (self.batch_size < 2, "batch_size must be at least 2 (BatchNorm needs two films)"),
            (not 0 < self.learning_rate < math.inf, "learning_rate must be above 0"),
            (not 0 <= self.weight_decay < math.inf, "weight_decay must be 0 or more"),
            (self.schedule not in SCHEDULES, f"schedule must be one of {', '.join(SCHEDULES)}, not '{self.schedule}'"),
            (self.select not in SELECTIONS, f"select must be one of {', '.join(SELECTIONS)}, not '{self.select}'"),
            (self.patience < 1, "patience must be at least 1"),
            (not 0 <= self.augmentation < math.inf, "augmentation must be 0 or more"),
            (not 0 <= self.balance <= 1, "balance must be in 0..1"),
            (self.frozen_layers < 0, "frozen_layers must be 0 or more"),
            (not 0 <= self.teacher_weight <= 1, "teacher_weight must be in 0..1"),
            (not 0 <= self.label_smoothing < 1, "label_smoothing must be in 0..1"),
            (not 0 <= self.average < 1, "average must be in 0..1"),
            (
                self.masks is not None and not self.masks.exists(),
                f"lungs must be {', '.join(LUNGS)}, or a folder or table of masks; there is none at '{self.lungs}'",
            ),
            (not 0 <= self.mixup <= 1, "mixup must be in 0..1"),
            (not 0 <= self.mosaics <= 1, "mosaics must be in 0..1"),
            (
                min(self.lung_weight, self.abnormal_weight, self.place_weight) < 0,
                "lung_weight, abnormal_weight and place_weight must be 0 or more",
            ),
            (not 0 <= self.restyle <= 1, "restyle must be in 0..1"),
            (not 0 <= self.swap <= 1, "swap must be in 0..1"),
            (
                self.small_epochs > 0 and self.small_size < 32,
                "small_size must be at least 32 where small_epochs is set",
            ),
        ]
        for wrong, message in problems:
            if wrong:
                raise UserError(f"recipe: {message}")

    @property
    def masks(self) -> Path | None:
        """Where the lungs are that people drew."""
        return None if self.lungs in LUNGS else Path(self.lungs)

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """Read a TOML file.

        Raises:
            UserError: no such file, no TOML, an unknown key or a value of the wrong type.
        """
        return cls().changed(read_toml(Path(path)), str(path))

    @classmethod
    def given(cls, path: str | Path | None, options: Mapping[str, Any]) -> Recipe:
        """Read a recipe, or take the default one, with the options of a command line that are not None in its place.

        Raises:
            UserError: as :meth:`load` and :meth:`changed`.
        """
        known = [one.name for one in fields(cls) if one.name != "version" and options.get(one.name) is not None]
        recipe = cls.load(path) if path else cls()
        return recipe.changed({name: options[name] for name in known}, "command line")

    def changed(self, values: dict[str, Any], source: str = "recipe") -> Recipe:
        """Return a copy with other values.

        Raises:
            UserError: an unknown key or a value of the wrong type; the message begins with ``source``.
        """
        try:
            return from_facts(Recipe, {**asdict(self), **values})
        except ValueError as error:
            raise UserError(f"{source}: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """Return every value, as plain JSON."""
        return asdict(self)
