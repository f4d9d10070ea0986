"""Grad-CAM (Selvaraju 2017, https://arxiv.org/abs/1610.02391), by hooks, on any layer of any network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ai_for_sudan.errors import UserError

#: A place is drawn at full colour if a film that looked like it everywhere had its logit raised by so much (e^5 in
#: odds); dividing by the number of places gives maps of every resolution the same scale.
FULL_COLOUR_LOGITS = 5.0


@dataclass(frozen=True)
class Heatmaps:
    """What :class:`GradCAM` found.

    Attributes:
        maps: ``(B, h, w)`` float32, not negative, at the layer's resolution and in logit units: neither normalised
            nor stretched, so that the map of a weak finding is weak. Under global average pooling and one linear layer
            a place is what it adds to the logit: the map before its ReLU sums to the logit without its bias.
        logits: ``(B, C)``.
    """

    maps: Tensor
    logits: Tensor

    @property
    def full_colour(self) -> float:
        """Attribution to be drawn at full colour, the same for every film: see :data:`FULL_COLOUR_LOGITS`."""
        return FULL_COLOUR_LOGITS / (self.maps.shape[1] * self.maps.shape[2])


class GradCAM:
    """Explains the logit of a class by the activations of a layer.

    Channel weights are the spatial means of the gradient; the map is the ReLU of the weighted sum of the activations.
    A forward hook captures the activations, a backward hook their gradients. Both exist only during a call, and
    parameters, their gradients and the network's mode are left as they were.

    Args:
        model: takes films ``(B, 1, S, S)`` and gives logits ``(B, C)``.
        layer: name of a module with a 4-dimensional output, as in ``model.named_modules()``; for the architectures of
            this project the one that they name if not given.

    Raises:
        UserError: no such layer.

    Example:
        >>> heatmaps = GradCAM(model)(films, class_index=1)
        >>> heatmaps.maps.shape
        torch.Size([8, 7, 7])
    """

    def __init__(self, model: nn.Module, layer: str | None = None) -> None:
        self.model = model
        self.layer = layer if layer is not None else str(getattr(model, "target_layer", ""))
        modules = dict(model.named_modules())
        if not self.layer or self.layer not in modules:
            names = ", ".join(name for name, m in modules.items() if name and not isinstance(m, nn.Dropout))
            raise UserError(f"the model has no layer '{self.layer}'; it has: {names}")
        self._module = modules[self.layer]

    def __call__(self, films: Tensor, class_index: int | Sequence[int] | None = None) -> Heatmaps:
        """Explain a batch.

        Args:
            films: ``(B, 1, S, S)`` float in 0..1.
            class_index: the class for all films, or one a film; the most probable one of each film if not given.

        Raises:
            UserError: no such class, or the layer's output is not a feature map.
        """
        activations: list[Tensor] = []
        gradients: list[Tensor] = []

        def catch(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
            if not isinstance(output, Tensor) or output.ndim != 4:
                raise UserError(f"the output of layer '{self.layer}' is not a feature map (B, K, h, w)")
            # A leaf of its own: frozen layers before it need no gradient, and what follows may work in place on the
            # copy that it is given.
            leaf = output.detach().clone().requires_grad_(True)
            activations.append(leaf)
            # On the tensor and not on the module: a module's backward hook forbids what follows to work in place.
            handles.append(leaf.register_hook(gradients.append))
            return leaf.clone()

        # Each module's own mode: a frozen backbone may be in evaluation mode inside a network that trains.
        modes = [(module, module.training) for module in self.model.modules()]
        handles = [self._module.register_forward_hook(catch)]
        try:
            self.model.eval()
            # inference_mode is left, not only no_grad: its tensors could take no part in a gradient.
            with torch.inference_mode(False), torch.enable_grad():
                logits = self.model(films.clone() if films.is_inference() else films.detach())
                if not activations:
                    raise UserError(f"the layer '{self.layer}' is not part of the forward pass")
                chosen = self._chosen(logits, class_index)
                # Only into the captured activations: no parameter's gradient is touched.
                logits.gather(1, chosen[:, None]).sum().backward(inputs=activations[-1:])
        finally:
            for handle in handles:
                handle.remove()
            for module, training in modes:
                module.training = training
        weights = gradients[-1].mean(dim=(2, 3), keepdim=True)  # (B, K, 1, 1)
        maps = (weights * activations[-1].detach()).sum(dim=1).relu()  # (B, h, w)
        return Heatmaps(maps.float(), logits.detach().float())

    def _chosen(self, logits: Tensor, class_index: int | Sequence[int] | None) -> Tensor:
        count, classes = logits.shape
        if class_index is None:
            return logits.argmax(1)
        chosen = torch.as_tensor(class_index, device=logits.device)
        if chosen.ndim > 1 or (chosen.ndim == 1 and len(chosen) != count):
            raise UserError(f"expected one class, or one for each of the {count} films, not {tuple(chosen.shape)}")
        if bool((chosen < 0).any()) or bool((chosen >= classes).any()):
            raise UserError(f"there is no class {class_index}; the model has {classes}, counted from 0")
        return chosen.expand(count)
