"""Step 5: the whole network trained on at the site, where PyTorch is installed. It is imported only when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp

from ai_for_sudan.datasets import Manifest, labels, load_pixels
from ai_for_sudan.errors import UserError
from ai_for_sudan.reading import Card
from ai_for_sudan.sites.head import Rows, patient_folds
from ai_for_sudan.sites.site_films import SiteFilms

if TYPE_CHECKING:
    from ai_for_sudan.training import Fitted, Recipe


@dataclass(frozen=True)
class FineTuning:
    """The labelled films of a site at network size, and how to train on from a checkpoint.

    Attributes:
        pixels: uint8 ``(N, S, S)``, in the order of the labelled films.
        truth: class numbers ``(N,)`` or findings ``(N, C)``.
        folder: where the runs of the folds and the last one go.
    """

    checkpoint: Path
    pixels: np.ndarray
    truth: np.ndarray
    recipe: Recipe
    folder: Path
    positive: int
    exclusive: bool

    @classmethod
    def of(
        cls, checkpoint: Path, manifest: Manifest, films: SiteFilms, card: Card, folder: Path, *, epochs: int, seed: int
    ) -> FineTuning:
        """Prepare the films.

        Raises:
            UserError: the checkpoint is of another reader.
        """
        from ai_for_sudan.models import load_checkpoint
        from ai_for_sudan.training import Recipe

        spec = load_checkpoint(checkpoint)[0].spec
        if tuple(spec.classes) != tuple(card.classes) or spec.task != card.task or spec.positive != card.positive:
            raise UserError(
                f"{checkpoint} reports {spec.positive} of {', '.join(spec.classes)}, the reader {card.name} "
                f"{card.positive} of {', '.join(card.classes)}; give the checkpoint that the reader was exported from"
            )
        index = films.index[~np.isnan(films.labels)]
        chosen = Manifest(
            manifest.source,
            tuple(manifest.films[i] for i in index),
            manifest.classes,
            manifest.task,
            manifest.positive,
        )
        recipe = Recipe(
            model_type=spec.name,
            epochs=epochs,
            batch_size=16,
            learning_rate=3e-4,
            schedule="onecycle",
            select="auroc",
            seed=seed,
        )
        pixels = np.asarray(load_pixels(chosen, size=spec.input_size))
        exclusive = card.task == "exclusive"
        return cls(checkpoint, pixels, labels(chosen), recipe, folder, card.positive_index, exclusive)

    def held_out(self, rows: Rows, divisions: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Log-odds of each film by a network that never saw its patient, ``(N,)``."""
        scores = np.empty(len(rows))
        for number, (inside, outside) in enumerate(divisions):
            scores[outside] = self._scores(self._train(rows, inside, self.folder / f"fold_{number + 1}"), outside)
        return scores

    def on_all(self, rows: Rows) -> Path:
        """The checkpoint that is trained on all labelled films but those that stop it early."""
        return self._train(rows, np.arange(len(rows)), self.folder / "final").checkpoint

    def _train(self, rows: Rows, inside: np.ndarray, folder: Path) -> Fitted:
        """Train on four fifths of the patients ``inside``; the last fifth stops it."""
        from ai_for_sudan.models import load_checkpoint
        from ai_for_sudan.training import LabelledFilms, fit

        train, validation = (inside[side] for side in patient_folds(rows.take(inside), 5, self.recipe.seed)[0])
        model, _ = load_checkpoint(self.checkpoint)
        inner, held = (LabelledFilms(self.pixels[side], self.truth[side]) for side in (train, validation))
        return fit(self.recipe, model, inner, held, folder, quiet=True)

    def _scores(self, fitted: Fitted, index: np.ndarray) -> np.ndarray:
        from ai_for_sudan.models import logits

        found = logits(fitted.model, self.pixels[index]).numpy().astype(np.float64)
        if not self.exclusive:
            return found[:, self.positive]
        return found[:, self.positive] - logsumexp(np.delete(found, self.positive, axis=1), axis=1)
