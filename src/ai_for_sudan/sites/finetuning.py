"""Step 5: the whole network trained on at the site, where PyTorch is installed. It is imported only when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp

from ai_for_sudan.datasets import Manifest, load_pixels
from ai_for_sudan.errors import UserError
from ai_for_sudan.reading import Card
from ai_for_sudan.sites.head import Rows, patient_folds
from ai_for_sudan.sites.site_films import SiteFilms

if TYPE_CHECKING:
    from ai_for_sudan.training import Fitted, LabelledFilms, Recipe


@dataclass(frozen=True)
class FineTuning:
    """The labelled films of a site, and how to train on from a checkpoint.

    Attributes:
        folder: where the runs of the folds and the last one go.
    """

    checkpoint: Path
    films: LabelledFilms
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
        from ai_for_sudan.training import LabelledFilms, Recipe

        spec = load_checkpoint(checkpoint)[0].spec
        if tuple(spec.classes) != tuple(card.classes) or spec.task != card.task or spec.positive != card.positive:
            raise UserError(
                f"{checkpoint} reports {spec.positive} of {', '.join(spec.classes)}, the reader {card.name} "
                f"{card.positive} of {', '.join(card.classes)}; give the checkpoint that the reader was exported from"
            )
        index = films.index[~np.isnan(films.labels)]
        chosen = replace(manifest, films=tuple(manifest.films[i] for i in index))
        recipe = Recipe(
            model_type=spec.name,
            epochs=epochs,
            batch_size=16,
            learning_rate=3e-4,
            schedule="onecycle",
            select="auroc",
            seed=seed,
        )
        labelled = LabelledFilms.of(chosen, load_pixels(chosen, size=spec.input_size))
        return cls(checkpoint, labelled, recipe, folder, card.positive_index, card.task == "exclusive")

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
        from ai_for_sudan.training import fit

        train, validation = (inside[side] for side in patient_folds(rows.take(inside), 5, self.recipe.seed)[0])
        model, _ = load_checkpoint(self.checkpoint)
        return fit(self.recipe, model, self.films.take(train), self.films.take(validation), folder, quiet=True)

    def _scores(self, fitted: Fitted, index: np.ndarray) -> np.ndarray:
        from ai_for_sudan.models import logits

        found = logits(fitted.model, self.films.take(index).pixels).numpy().astype(np.float64)
        if not self.exclusive:
            return found[:, self.positive]
        return found[:, self.positive] - logsumexp(np.delete(found, self.positive, axis=1), axis=1)
