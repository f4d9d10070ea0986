"""The training run: one epoch loop for training and validation, saved so that a kill loses less than an epoch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from ai_for_sudan.disturbances import augment_with_masks
from ai_for_sudan.errors import UserError
from ai_for_sudan.files import write_json
from ai_for_sudan.lungs import restyle, swap_surroundings
from ai_for_sudan.models import (
    Architecture,
    CheckpointState,
    autocast,
    centre_head,
    device,
    folded,
    load_checkpoint,
    probabilities,
    save_checkpoint,
)
from ai_for_sudan.models.architecture import Logits, joined, positive_odds
from ai_for_sudan.models.checkpoint import write_tensors
from ai_for_sudan.training.companions import Companions
from ai_for_sudan.training.examples import LabelledFilms, check_sites
from ai_for_sudan.training.history import merit, write_history
from ai_for_sudan.training.loss import class_weights, loss, targets
from ai_for_sudan.training.lung_targets import LungFilms, imitated, lung_loss
from ai_for_sudan.training.optimisation import Optimisation
from ai_for_sudan.training.processes import Processes
from ai_for_sudan.training.recipe import SELECTIONS, Recipe
from ai_for_sudan.training.scores import SCORES, score
from ai_for_sudan.training.validation import Validation


def best_path(output_dir: Path) -> Path:
    """Where a run keeps its best weights."""
    return output_dir / "checkpoints" / "best_model.pth"


@dataclass(frozen=True)
class Fitted:
    """What a run leaves.

    Attributes:
        model: the best weights, in evaluation mode.
        state: what the checkpoint holds beside them.
        checkpoint: where it is.
        history: one dictionary an epoch.
    """

    model: Architecture
    state: CheckpointState
    checkpoint: Path
    history: list[dict[str, Any]]


def fit(
    recipe: Recipe,
    model: Architecture,
    train: LabelledFilms,
    validation: LabelledFilms,
    output_dir: Path,
    *,
    state: CheckpointState | None = None,
    resume: bool = False,
    group: Processes | None = None,
    companions: Companions | None = None,
    quiet: bool = False,
) -> Fitted:
    """Train ``model`` and keep the weights of the best epoch (:func:`.history.merit`).

    Args:
        state: what else to keep with the checkpoint (split, data, command).
        resume: go on from ``output_dir/checkpoints/last.pth`` where there is one of the same recipe.
        group: the processes that train together.
        companions: films that teach about lungs.

    Raises:
        UserError: a checkpoint of another recipe or other films is to be resumed, the teacher has other classes, a
            site lacks a class, the loss is not a number, or nothing can be written.
        KeyboardInterrupt: passed on after a usable checkpoint was left.
    """
    run = Run(recipe, model, train, validation, output_dir, state or CheckpointState(), group or Processes(), quiet)
    run.companions = companions
    if resume:
        run.resume()
    return run.to_end()


class Run:
    """A training run: what it has reached, and what it needs to go on."""

    def __init__(
        self,
        recipe: Recipe,
        model: Architecture,
        train: LabelledFilms,
        validation: LabelledFilms,
        output_dir: Path,
        state: CheckpointState,
        group: Processes,
        quiet: bool,
    ) -> None:
        self.recipe, self.train, self.group, self.quiet = recipe, train, group, quiet
        self.folder = output_dir
        self.best_path = best_path(output_dir)
        self.last_path = self.best_path.with_name("last.pth")
        self.device = device()
        self.spec = model.spec
        check_sites(train, self.spec.positive_index)
        self.model = model.to(self.device).to(memory_format=torch.channels_last)
        self.model.features[: recipe.frozen_layers].requires_grad_(False)
        self.frozen = self.model.features[: recipe.frozen_layers]
        outputs = _Outputs(self.model)
        self.parallel: nn.Module = DistributedDataParallel(outputs) if group.count > 1 else outputs
        self.teacher = self._teacher(recipe.teacher) if recipe.teacher else None
        self.batches = max(1, len(train) // recipe.batch_size)
        self.optimisation = Optimisation(self.model, recipe, self.batches)
        weights = class_weights(
            train.labels[train.order(self.spec.positive_index, (recipe.seed, 0))],
            len(self.spec.classes),
            recipe.balance,
        )
        self.weights = weights.to(self.device)
        self.validation = Validation(validation, self.spec, weights, recipe.seed)
        self._followed = f"{SELECTIONS[recipe.select]}, the mean of the validation films as they are and perturbed"
        self.state = replace(state, recipe=recipe.to_dict(), selection=f"the epoch with {self._followed}")
        self.history: list[dict[str, Any]] = []
        self.waited = 0
        self.companions: Companions | None = None
        #: mosaics of the lungs of the batch before, which was looked at anyway
        self._mosaics: LungFilms | None = None
        self._lower = f"lower --learning_rate ({recipe.learning_rate})"

    def to_end(self) -> Fitted:
        """Train the epochs that are left and give the best checkpoint its operating point."""
        self.say(f"early stopping and the kept epoch follow {self._followed}")
        try:
            if self.group.first:  # before the first epoch: a folder that cannot be written costs no training
                write_json(self.folder / "recipe.json", self.recipe.to_dict())
            for epoch in range(len(self.history) + 1, self.recipe.epochs + 1):
                if self.waited >= self.recipe.patience:
                    self.say(f"stopped: for {self.waited} epochs no epoch had {self._followed}")
                    break
                self.one_epoch(epoch)
        except KeyboardInterrupt:
            kept = "holds the best weights so far; --resume continues"
            if not self.history:
                kept = "is of an earlier run" if self.best_path.exists() else "holds the weights of an unfinished epoch"
                if self.group.first and not self.best_path.exists():
                    save_checkpoint(self.best_path, self.model, self.state)
            self.say(f"interrupted; {self.best_path} {kept}")
            raise
        model, state = self.group.share(self._finish() if self.group.first else None)
        return Fitted(model.to(self.device), state, self.best_path, self.history)

    def _finish(self) -> tuple[Architecture, CheckpointState]:
        """Give the best checkpoint its operating point."""
        model, state = load_checkpoint(self.best_path, map_location=self.device)
        centre_head(model)
        best = self._best()
        state = replace(
            state,
            operating_point=self.validation.operating_point(model),
            metrics={key: value for key, value in best.items() if np.isfinite(value)},
        )
        save_checkpoint(self.best_path, model, state)
        return model.cpu(), state

    def _best(self) -> dict[str, Any]:
        return max(self.history, key=lambda row: merit(row, self.recipe.select))

    def one_epoch(self, epoch: int) -> None:
        """Train on every film once, validate, and keep what was reached."""
        started = time.perf_counter()
        # Every epoch is seeded for itself, so that a resumed run is the run that was never interrupted.
        torch.manual_seed(self.recipe.seed * 100_003 + epoch * 101 + self.group.rank)
        self._mosaics = None
        trained_loss, trained = self._pass_train(epoch)
        seconds = time.perf_counter() - started
        # Validated by every process in the same way: it is short, and all must agree when to stop.
        validated = self.validation.measure(self.optimisation.kept)
        if not np.isfinite(validated["val_loss"] + validated["perturbed_loss"]):
            raise UserError(f"the validation loss is not a number; {self._lower}")
        row = {
            "epoch": epoch,
            "learning_rate": self.optimisation.learning_rate,
            "train_loss": trained_loss,
            **{f"train_{name}": trained[name] for name in SCORES},
            **validated,
            "films_per_second": round(self.batches * self.recipe.batch_size / seconds, 1),
        }
        self.history.append(row)
        improved = self._best() is row
        self.waited = 0 if improved else self.waited + 1
        self.optimisation.after_epoch(*merit(row, self.recipe.select))
        if self.group.first:
            if improved:
                save_checkpoint(self.best_path, self.optimisation.kept, self.state)
            self._save_last()
            write_history(self.folder, self.history, self.recipe.select)
        self.say(_line(row, self.recipe.epochs) + ("  *" if improved else ""))

    def _pass_train(self, epoch: int) -> tuple[float, dict[str, float]]:
        """One look at the training films -> the mean loss, and the scores."""
        self.parallel.train()
        self.frozen.eval()  # their statistics stay those of the weights that they keep
        total, films, truths, predicted = 0.0, 0, [], []
        order = self.train.order(self.spec.positive_index, [self.recipe.seed, epoch])
        for step, indices in enumerate(self._batches(torch.from_numpy(order), epoch)):
            generator = torch.Generator().manual_seed(
                ((self.recipe.seed * 1009 + epoch) * 100_003 + step) * 64 + self.group.rank
            )
            pixels, labels, lungs = self.train.batch(self.group.mine(indices), self.device)
            inputs, target, known = self.examples(pixels, labels, lungs, epoch, generator)
            value, logits = self._loss(inputs, target, known, generator)
            logits = logits[: len(labels)]
            self.optimisation.step(value)
            total += float(value.detach()) * len(labels)
            films += len(labels)
            truths.append(labels.cpu())
            predicted.append(logits.detach().float().cpu())
        truth = self.group.gather(torch.cat(truths)).numpy()
        values = probabilities(self.group.gather(torch.cat(predicted)), self.spec.task).numpy()
        sums = self.group.gather(torch.tensor([[total, films]], dtype=torch.float64)).sum(0)
        return float(sums[0] / sums[1]), score(truth, values, self.spec.positive_index)

    def _batches(self, order: Tensor, epoch: int) -> Iterator[Tensor]:
        size = min(self.recipe.batch_size, len(order))
        starts = range(0, self.batches * size, size)  # the incomplete last batch is left out: BatchNorm needs films
        hidden = self.quiet or not self.group.first
        for start in tqdm(starts, desc=f"epoch {epoch}", unit="batch", leave=False, disable=hidden or None):
            yield order[start : start + size]

    def examples(
        self, films: Tensor, labels: Tensor, lungs: Tensor | None, epoch: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, LungFilms | None]:
        """What the network is shown and should say: augmented films ``(B, 1, S, S)``, or views of their lungs
        ``(B, 2, V, V)``, small in the first epochs, and some mixed; and what is known of each lung."""
        healthy = films[labels != self.spec.positive_index] if self._two_classes else films[:0]
        films, lungs = augment_with_masks(films, lungs, generator, self.recipe.augmentation)
        small = self.recipe.small_size if epoch <= self.recipe.small_epochs else 0
        if self.model.view is not None:
            # A teacher that sees more of the film than its student is shown all of it.
            taught = self.teacher.spec.view_size if self.teacher is not None else 0
            side = small or max(self.spec.view_size, taught)
            views = self.model.view.framed(films, generator, side, lungs)
            views = restyle(views, generator, self.recipe.restyle)
            films = swap_surroundings(views, generator, self.recipe.swap)
        elif small:
            films = F.interpolate(films, size=(small, small), mode="bilinear", antialias=True)
        target = targets(labels, len(self.spec.classes), self.recipe.label_smoothing)
        mixed = bool(self.recipe.mixup and float(torch.rand((), generator=generator)) < self.recipe.mixup)
        if mixed:
            # Beta(0.4, 0.4) by its ratio of gammas would need another generator; this draw has the same shape.
            share = 0.5 - 0.5 * float(torch.cos(torch.rand((), generator=generator) * torch.pi))
            other = torch.randperm(len(films), generator=generator).to(films.device)
            films = share * films + (1 - share) * films[other]
            target = share * target + (1 - share) * target[other]
        known = None
        if self.model.view is not None and self.spec.each_lung and self._two_classes and not mixed:
            parts = [LungFilms.of_labels(films, (labels == self.spec.positive_index).long())]
            if self.companions is not None:
                parts += self.companions.draw(self.model.view, self.recipe, side, healthy, generator)
            if self._mosaics is not None and self._mosaics.views.shape[-1] == side:
                parts.append(self._mosaics)
            known = LungFilms.joined(parts)
            films, target = known.views, torch.cat([target, self._target(known.film[len(labels) :])])
        return films.to(memory_format=torch.channels_last), target, known

    @property
    def _two_classes(self) -> bool:
        return self.spec.task == "exclusive" and len(self.spec.classes) == 2

    def _target(self, film: Tensor) -> Tensor:
        """1, 0 or NaN of the positive class ``(B,)`` -> ``(B, 2)``."""
        smoothing = self.recipe.label_smoothing
        positive = film * (1 - smoothing) + smoothing / 2
        both = [1 - positive, positive]
        return torch.stack(both if self.spec.positive_index else both[::-1], 1)

    def _loss(
        self, films: Tensor, target: Tensor, known: LungFilms | None, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """The loss of a batch, with the lungs' and the teacher's part, and the logits ``(B, C)``."""
        seen = films
        if self.spec.view_size and films.shape[-1] > self.spec.view_size:
            size = (self.spec.view_size, self.spec.view_size)
            seen = F.interpolate(films, size=size, mode="bilinear", antialias=True)
        with autocast(self.device):
            maps, found = self.parallel(seen)
            logits = joined(found.classes, self.spec)
        rows = ~target.isnan().any(1) if self.spec.task == "exclusive" else slice(None)
        value = loss(logits[rows], target[rows], self.weights, self.spec.task)
        if known is not None:
            value = value + lung_loss(self.model, maps, found, known, self.recipe)
            odds = positive_odds(found.classes.detach().float(), self.spec)
            self._mosaics = known.mosaics(odds, round(self.recipe.mosaics * self.recipe.batch_size), generator)
        if self.teacher is not None:
            with torch.inference_mode(), autocast(self.device):
                taught = self.teacher.lungs(self.teacher.feature_map(films))
            share = self.recipe.teacher_weight
            value = (1 - share) * value + share * imitated(found, taught, self.spec)
        if not torch.isfinite(value):
            raise UserError(f"the loss became {float(value)}; {self._lower}")
        return value, logits

    def _save_last(self) -> None:
        contents = {
            "recipe": self.recipe.to_dict(),
            "model": self.model.state_dict(),
            **self.optimisation.state_dict(),
            "history": self.history,
            "waited": self.waited,
        }
        write_tensors(self.last_path, contents)

    def resume(self) -> None:
        """Go on from the last complete epoch of the same run, where there is one."""
        last = self.group.share(self._last() if self.group.first else None)
        if last is None:
            return
        try:
            self.model.load_state_dict(last["model"])
            self.optimisation.load_state_dict(last)
            self.history = [_as_now(row) for row in last["history"]]
            self.waited = int(last["waited"])
        except Exception as error:  # whatever else is in the file, or not
            raise self._damaged() from error
        self.say(f"resumed after epoch {len(self.history)}")

    def _last(self) -> dict[str, Any] | None:
        """What the last complete epoch of the same run left."""
        if not self.last_path.exists():
            return None
        try:
            last = torch.load(self.last_path, map_location="cpu", weights_only=True)
            recipe = {"select": "auroc", **last["recipe"]}  # all that version 0.1.0 knew
        except Exception as error:  # torch.load raises many kinds for a damaged file
            raise self._damaged() from error
        wanted = self.recipe.to_dict()
        # More epochs may be asked for where the schedule does not depend on their number; all else must be as it was.
        free = {"epochs"} if self.recipe.schedule == "plateau" else set()
        differ = [f"{key} of the recipe" for key in wanted if key not in free and recipe.get(key) != wanted[key]]
        best, state = load_checkpoint(self.best_path)
        if best.spec != self.spec:
            differ.append("the model or its classes")
        if state.split != self.state.split:
            differ.append("the films or their split")
        if differ:
            raise UserError(
                f"{self.last_path} is of another run: {', '.join(differ)} differ; "
                "give another --output_dir or leave out --resume"
            )
        return dict(last)

    def _damaged(self) -> UserError:
        return UserError(f"{self.last_path} cannot be loaded: it is damaged; delete it to start again")

    def _teacher(self, path: str) -> Architecture:
        teacher = load_checkpoint(path, map_location=self.device)[0]
        if (teacher.spec.classes, teacher.spec.task) != (self.spec.classes, self.spec.task):
            raise UserError(
                f"the teacher {path} has the classes {', '.join(teacher.spec.classes)} ({teacher.spec.task}); expected "
                f"{', '.join(self.spec.classes)} ({self.spec.task})"
            )
        return folded(teacher)

    def say(self, text: str) -> None:
        """Print a line, once for all processes."""
        if self.group.first and not self.quiet:
            tqdm.write(text)


class _Outputs(nn.Module):
    """A network's weighted maps ``(B, L * K, h, w)`` and the logits of each lung."""

    def __init__(self, model: Architecture) -> None:
        super().__init__()
        self.model = model

    def forward(self, films: Tensor) -> tuple[Tensor, Logits]:
        maps = self.model.feature_map(films)
        return maps, self.model.lungs(maps)


def _as_now(row: dict[str, Any]) -> dict[str, Any]:
    """An epoch of version 0.1.0, which said ``shifted`` for perturbed, and ``val_loss`` for the mean of both losses."""
    row = {key.replace("shifted_", "perturbed_"): value for key, value in row.items()}
    if "clean_loss" in row:
        row["val_loss"] = row.pop("clean_loss")
    return row


def _line(row: dict[str, Any], epochs: int) -> str:
    parts = [f"epoch {row['epoch']:>3}/{epochs}  lr {row['learning_rate']:.1e}"]
    for label, key in (("train", "train"), ("val", "val"), ("perturbed", "perturbed")):
        numbers = "  ".join(f"{name} {row[f'{key}_{name}']:.4f}" for name in ("loss", *SCORES))
        parts.append(f"  {label:<10}{numbers}")
    return "\n".join(parts) + f"  (trained at {row['films_per_second']:.0f} films/s)"
