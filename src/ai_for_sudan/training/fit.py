"""The training run: one epoch loop for training and validation, saved so that a kill loses less than an epoch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from ai_for_sudan.disturbances import augment, perturbed
from ai_for_sudan.errors import UserError
from ai_for_sudan.files import write_json
from ai_for_sudan.models import (
    Architecture,
    as_batch,
    autocast,
    device,
    folded,
    load_checkpoint,
    probabilities,
    save_checkpoint,
)
from ai_for_sudan.models import logits as predict
from ai_for_sudan.models.checkpoint import write_tensors
from ai_for_sudan.statistics import Predictions, balanced, positive_truth
from ai_for_sudan.training.history import write_history
from ai_for_sudan.training.loss import class_weights, imitation, loss, targets
from ai_for_sudan.training.processes import Processes
from ai_for_sudan.training.recipe import Recipe
from ai_for_sudan.training.scores import SCORES, score


@dataclass(frozen=True)
class LabelledFilms:
    """Films at network size with their labels.

    Attributes:
        pixels: uint8 ``(N, S, S)``; may be a memory map.
        labels: class numbers int64 ``(N,)``, or findings float32 ``(N, C)`` in 0, 1, NaN (no label).
    """

    pixels: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: Tensor, where: torch.device) -> tuple[Tensor, Tensor]:
        """Films ``(B, 1, S, S)`` in 0..1, and their labels."""
        # Sorted reading keeps a memory map's pages in order; the order inside a batch does not matter.
        chosen = np.sort(indices.numpy())
        return as_batch(self.pixels[chosen], where), torch.from_numpy(self.labels[chosen]).to(where)


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
    state: dict[str, Any]
    checkpoint: Path
    history: list[dict[str, Any]]


def fit(
    recipe: Recipe,
    model: Architecture,
    train: LabelledFilms,
    validation: LabelledFilms,
    output_dir: Path,
    *,
    state: dict[str, Any] | None = None,
    resume: bool = False,
    group: Processes | None = None,
    quiet: bool = False,
) -> Fitted:
    """Train ``model`` and keep the weights with the lowest validation loss.

    The loss is that of the validation films as they are and of a disturbed copy of them, together: clean films of
    the same hospital cannot tell two recipes apart.

    Args:
        state: what to keep with the checkpoint (split, data, commit).
        resume: go on from ``output_dir/checkpoints/last.pth`` where there is one of the same recipe.
        group: the processes that train together.

    Raises:
        UserError: a checkpoint of another recipe or other films is to be resumed, the teacher has other classes, the
            loss is no number, or nothing can be written.
        KeyboardInterrupt: passed on after a usable checkpoint was left.
    """
    run = _Run(recipe, model, train, validation, output_dir, state or {}, group or Processes(), quiet)
    if resume:
        run.resume()
    return run.to_end()


class _Run:
    def __init__(
        self,
        recipe: Recipe,
        model: Architecture,
        train: LabelledFilms,
        validation: LabelledFilms,
        output_dir: Path,
        state: dict[str, Any],
        group: Processes,
        quiet: bool,
    ) -> None:
        self.recipe, self.train, self.validation, self.group, self.quiet = recipe, train, validation, group, quiet
        self.folder = output_dir
        self.best_path = output_dir / "checkpoints" / "best_model.pth"
        self.last_path = output_dir / "checkpoints" / "last.pth"
        self.device = device()
        self.spec = model.spec
        self.model = model.to(self.device).to(memory_format=torch.channels_last)
        self.model.features[: recipe.frozen_layers].requires_grad_(False)
        self.parallel: nn.Module = DistributedDataParallel(self.model) if group.count > 1 else self.model
        self.average = (
            AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(recipe.average), use_buffers=True)
            if recipe.average
            else None
        )
        self.teacher = self._teacher(recipe.teacher) if recipe.teacher else None
        self.optimizer = torch.optim.AdamW(
            _decayed(self.model, recipe.weight_decay), lr=recipe.learning_rate, weight_decay=0.0
        )
        self.batches = max(1, len(train) // recipe.batch_size)
        self.schedule: LRScheduler | ReduceLROnPlateau
        if recipe.schedule == "onecycle":
            self.schedule = OneCycleLR(
                self.optimizer, recipe.learning_rate, total_steps=self.batches * recipe.epochs, pct_start=0.15
            )
        else:
            self.schedule = ReduceLROnPlateau(self.optimizer, factor=0.3, patience=max(1, recipe.patience // 3))
        self.weights = class_weights(train.labels, len(self.spec.classes), recipe.balance).to(self.device)
        self.perturbed_pixels = perturbed(validation.pixels, recipe.seed)
        self.state = {**state, "recipe": recipe.to_dict()}
        self.history: list[dict[str, Any]] = []
        self.best_loss, self.waited = float("inf"), 0
        self._lower = f"lower --learning_rate ({recipe.learning_rate})"

    def to_end(self) -> Fitted:
        try:
            if self.group.first:  # before the first epoch: a folder that cannot be written costs no training
                write_json(self.folder / "recipe.json", self.recipe.to_dict())
            for epoch in range(len(self.history) + 1, self.recipe.epochs + 1):
                if self.waited >= self.recipe.patience:
                    self.say(f"no lower validation loss for {self.waited} epochs: stopped")
                    break
                self._epoch(epoch)
        except KeyboardInterrupt:
            kept = "holds the best weights so far, --resume goes on"
            if not self.history:
                kept = "is of an earlier run" if self.best_path.exists() else "holds the weights of an unfinished epoch"
                if self.group.first and not self.best_path.exists():
                    save_checkpoint(self.best_path, self.model, **self.state)
            self.say(f"interrupted; {self.best_path} {kept}")
            raise
        model, state = self.group.share(self._finish() if self.group.first else None)
        return Fitted(model.to(self.device), state, self.best_path, self.history)

    def _finish(self) -> tuple[Architecture, dict[str, Any]]:
        """Give the best checkpoint its operating point."""
        model, state = load_checkpoint(self.best_path, map_location=self.device)
        state = self._with_operating_point(model, state)
        save_checkpoint(self.best_path, model, **state)
        return model.cpu(), state

    def _epoch(self, epoch: int) -> None:
        started = time.perf_counter()
        # Every epoch is seeded for itself, so that a resumed run is the run that was never interrupted.
        torch.manual_seed(self.recipe.seed * 100_003 + epoch * 101 + self.group.rank)
        trained_loss, trained = self._pass_train(epoch)
        seconds = time.perf_counter() - started
        validated = self._pass_validation()
        if not np.isfinite(validated["val_loss"]):
            raise UserError(f"the validation loss became {validated['val_loss']}; {self._lower}")
        row = {
            "epoch": epoch,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "train_loss": trained_loss,
            **{f"train_{name}": trained[name] for name in SCORES},
            **validated,
            "films_per_second": round(self.batches * self.recipe.batch_size / seconds, 1),
        }
        self.history.append(row)
        improved = row["val_loss"] < self.best_loss
        self.best_loss, self.waited = (row["val_loss"], 0) if improved else (self.best_loss, self.waited + 1)
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(row["val_loss"])
        if self.group.first:
            if improved:
                save_checkpoint(self.best_path, self._kept(), **self.state)
            self._save_last()
            write_history(self.folder, self.history)
        self.say(_line(row, self.recipe.epochs) + ("  *" if improved else ""))

    def _kept(self) -> Architecture:
        """The weights that are validated and kept."""
        return self.average.module if self.average is not None else self.model  # type: ignore[return-value]

    def _pass_train(self, epoch: int) -> tuple[float, dict[str, float]]:
        self.parallel.train()
        total, films, truths, answers = 0.0, 0, [], []
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(len(self.train))
        for step, indices in enumerate(self._batches(torch.from_numpy(order), epoch)):
            generator = torch.Generator().manual_seed(
                ((self.recipe.seed * 1009 + epoch) * 100_003 + step) * 64 + self.group.rank
            )
            inputs, labels = self.train.batch(self.group.mine(indices), self.device)
            value, logits = self._step(self._look(inputs, epoch, generator), labels, generator)
            total += value * len(labels)
            films += len(labels)
            truths.append(labels.cpu())
            answers.append(logits.cpu())
        truth = self.group.gather(torch.cat(truths)).numpy()
        answer = self.group.gather(torch.cat(answers))
        sums = self.group.gather(torch.tensor([[total, films]], dtype=torch.float64)).sum(0)
        scores = score(truth, probabilities(answer, self.spec.task).numpy(), self.spec.positive_index)
        return float(sums[0] / sums[1]), scores

    def _batches(self, order: Tensor, epoch: int) -> Iterator[Tensor]:
        size = min(self.recipe.batch_size, len(order))
        starts = range(0, self.batches * size, size)  # the incomplete last batch is left out: BatchNorm needs films
        hidden = self.quiet or not self.group.first
        for start in tqdm(starts, desc=f"epoch {epoch}", unit="batch", leave=False, disable=hidden or None):
            yield order[start : start + size]

    def _look(self, films: Tensor, epoch: int, generator: torch.Generator) -> Tensor:
        films = augment(films, generator, self.recipe.augmentation)
        if epoch <= self.recipe.small_epochs:
            size = (self.recipe.small_size, self.recipe.small_size)
            films = F.interpolate(films, size=size, mode="bilinear", antialias=True)
        return films.to(memory_format=torch.channels_last)

    def _step(self, films: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[float, Tensor]:
        target = targets(labels, len(self.spec.classes), self.recipe.label_smoothing)
        if self.recipe.mixup and float(torch.rand((), generator=generator)) < self.recipe.mixup:
            # Beta(0.4, 0.4) by its ratio of gammas would need another generator; this draw has the same shape.
            share = 0.5 - 0.5 * float(torch.cos(torch.rand((), generator=generator) * torch.pi))
            other = torch.randperm(len(films), generator=generator).to(films.device)
            films = share * films + (1 - share) * films[other]
            target = share * target + (1 - share) * target[other]
        with autocast(self.device):
            logits = self.parallel(films)
        value = loss(logits, target, self.weights, self.spec.task)
        if self.teacher is not None:
            with torch.inference_mode(), autocast(self.device):
                taught = self.teacher(films)
            share = self.recipe.teacher_weight
            value = (1 - share) * value + share * imitation(logits, taught.clone(), self.spec.task)
        if not torch.isfinite(value):
            raise UserError(f"the loss became {float(value)}; {self._lower}")
        self.optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()
        if not isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        return float(value.detach()), logits.detach().float()

    def _pass_validation(self) -> dict[str, float]:
        """Validated by every process in the same way: it is short, and all must agree when to stop."""
        model, row = self._kept(), {}
        losses = []
        for name, pixels in (("val", self.validation.pixels), ("perturbed", self.perturbed_pixels)):
            answer = predict(model, pixels, mixed_precision=True)
            labels = torch.from_numpy(self.validation.labels)
            target = targets(labels, len(self.spec.classes), 0.0)
            losses.append(float(loss(answer, target, self.weights.cpu(), self.spec.task)))
            scores = score(
                self.validation.labels, probabilities(answer, self.spec.task).numpy(), self.spec.positive_index
            )
            row.update({f"{name}_{key}": scores[key] for key in SCORES})
            row[f"{name}_loss"] = losses[-1]
        row["clean_loss"] = row["val_loss"]
        row["val_loss"] = sum(losses) / len(losses)
        return row

    def _with_operating_point(self, model: Architecture, state: dict[str, Any]) -> dict[str, Any]:
        """Choose the threshold of the positive class on the validation films and their perturbed copy."""
        truth = positive_truth(self.validation.labels, self.spec.positive_index)

        def predictions(pixels: np.ndarray) -> Predictions:
            found = probabilities(predict(model, pixels), self.spec.task)
            return Predictions.of(truth, found[:, self.spec.positive_index].numpy())

        point = balanced(predictions(self.validation.pixels), predictions(self.perturbed_pixels)).to_dict()
        best = min(self.history, key=lambda row: row["val_loss"])
        return {**state, "operating_point": point, "metrics": {k: v for k, v in best.items() if np.isfinite(v)}}

    def _save_last(self) -> None:
        contents = {
            "recipe": self.recipe.to_dict(),
            "model": self.model.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": self.history,
            "best_loss": self.best_loss,
            "waited": self.waited,
        }
        write_tensors(self.last_path, contents)

    def resume(self) -> None:
        last = self.group.share(self._last() if self.group.first else None)
        if last is None:
            return
        self.model.load_state_dict(last["model"])
        if self.average is not None:
            self.average.load_state_dict(last["average"])
        self.optimizer.load_state_dict(last["optimizer"])
        self.schedule.load_state_dict(last["schedule"])
        # Runs of version 0.1.0 wrote the perturbed films' figures as "shifted_...".
        self.history = [{k.replace("shifted_", "perturbed_"): v for k, v in row.items()} for row in last["history"]]
        self.best_loss, self.waited = last["best_loss"], last["waited"]
        self.say(f"resumed after epoch {len(self.history)}")

    def _last(self) -> dict[str, Any] | None:
        """What the last complete epoch of the same run left."""
        if not self.last_path.exists():
            return None
        try:
            last = torch.load(self.last_path, map_location="cpu", weights_only=True)
            recipe = dict(last["recipe"])
        except Exception as error:  # torch.load raises many kinds for a damaged file
            raise UserError(f"{self.last_path} cannot be loaded; delete it to start anew") from error
        wanted = self.recipe.to_dict()
        # More epochs may be asked for where the schedule does not depend on their number; all else must be as it was.
        free = {"epochs"} if self.recipe.schedule == "plateau" else set()
        differ = [f"{key} of the recipe" for key in wanted if key not in free and recipe.get(key) != wanted[key]]
        best, state = load_checkpoint(self.best_path)
        if best.spec != self.spec:
            differ.append("the model or its classes")
        if state.get("split") != self.state.get("split"):
            differ.append("the films or their split")
        if differ:
            raise UserError(
                f"{self.last_path} is of another run: {', '.join(differ)} differ; "
                "give another --output_dir or leave out --resume"
            )
        return dict(last)

    def _teacher(self, path: str) -> Architecture:
        teacher = load_checkpoint(path, map_location=self.device)[0]
        if (teacher.spec.classes, teacher.spec.task) != (self.spec.classes, self.spec.task):
            raise UserError(
                f"the teacher {path} knows {', '.join(teacher.spec.classes)} ({teacher.spec.task}); expected "
                f"{', '.join(self.spec.classes)} ({self.spec.task})"
            )
        return folded(teacher)

    def say(self, text: str) -> None:
        if self.group.first and not self.quiet:
            tqdm.write(text)


def _decayed(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices and kernels only: biases and BatchNorm have nothing to shrink to."""
    matrices = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    vectors = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]


def _line(row: dict[str, Any], epochs: int) -> str:
    parts = [f"epoch {row['epoch']:>3}/{epochs}  lr {row['learning_rate']:.1e}"]
    for label, key in (("train", "train"), ("val", "val"), ("perturbed", "perturbed")):
        numbers = "  ".join(f"{name} {row[f'{key}_{name}']:.4f}" for name in ("loss", *SCORES))
        parts.append(f"  {label:<10}{numbers}")
    return "\n".join(parts) + f"  (trained at {row['films_per_second']:.0f} films/s)"
