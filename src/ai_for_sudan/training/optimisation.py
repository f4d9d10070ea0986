"""One step down the loss, the learning rate's schedule, and the running average of the weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ai_for_sudan.models import Architecture
from ai_for_sudan.training.recipe import Recipe

#: the longest gradient that a step follows: one odd batch must not undo an epoch
LONGEST_GRADIENT = 5.0


class Optimisation:
    """AdamW (Loshchilov 2019) with clipped gradients.

    Args:
        batches: steps of an epoch.
    """

    def __init__(self, model: Architecture, recipe: Recipe, batches: int) -> None:
        self.model = model
        self._adam = torch.optim.AdamW(decay_groups(model, recipe.weight_decay), lr=recipe.learning_rate)
        self._schedule: LRScheduler | ReduceLROnPlateau
        if recipe.schedule == "onecycle":
            self._schedule = OneCycleLR(
                self._adam, recipe.learning_rate, total_steps=batches * recipe.epochs, pct_start=0.15
            )
        else:
            self._schedule = ReduceLROnPlateau(self._adam, factor=0.3, patience=max(1, recipe.patience // 3))
        self._average = (
            AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.average), use_buffers=True)
            if recipe.average
            else None
        )

    @property
    def learning_rate(self) -> float:
        """Return the learning rate of the next step."""
        return float(self._adam.param_groups[0]["lr"])

    @property
    def kept(self) -> Architecture:
        """The weights that are validated and kept: the running average where the recipe asks for one."""
        return self.model if self._average is None else self._average.module  # type: ignore[return-value]

    def step(self, loss: Tensor) -> None:
        """Follow the gradient of a batch's loss."""
        self._adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), LONGEST_GRADIENT)
        self._adam.step()
        if not isinstance(self._schedule, ReduceLROnPlateau):
            self._schedule.step()
        if self._average is not None:
            self._average.update_parameters(self.model)

    def after_epoch(self, auroc: float, negative_loss: float) -> None:
        """Tell the plateau schedule how good an epoch was (:func:`.history.merit`); the loss counts without AUROC."""
        if isinstance(self._schedule, ReduceLROnPlateau):
            self._schedule.step(1 - auroc if auroc else -negative_loss)

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed run needs."""
        return {
            "average": None if self._average is None else self._average.state_dict(),
            "optimizer": self._adam.state_dict(),
            "schedule": self._schedule.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state_dict` returned."""
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        self._adam.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices and kernels only: biases and BatchNorm have nothing to shrink to."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
