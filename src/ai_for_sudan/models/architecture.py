"""What every network of this project has in common."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ai_for_sudan.lungs import Evidence, LungFinder, LungView


@dataclass(frozen=True)
class ModelSpec:
    """What a network needs, kept with its weights.

    Attributes:
        name: the architecture, as in :func:`ai_for_sudan.models.names`.
        classes: class names; the index is the class number of the logits.
        positive: the class (or finding) that a reading reports.
        task: ``exclusive`` (one class a film, softmax) or ``multilabel`` (each finding for itself, sigmoid).
        input_size: side of the square film in pixels.
        channels: how often the grey film is repeated for the first convolution.
        mean, std: normalisation of each channel, for pixels in 0..1.
        view_size: side of the lungs' box that the network sees of the film; 0: it sees the whole film.
    """

    name: str
    classes: tuple[str, ...]
    positive: str
    task: str = "exclusive"
    input_size: int = 224
    channels: int = 1
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.25,)
    view_size: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelSpec:
        """Raises ``TypeError`` or ``ValueError`` for values that do not make a spec."""
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in dict(values).items()}
        spec = cls(**plain)
        if spec.positive not in spec.classes:
            raise ValueError(f"the positive class '{spec.positive}' is not among {', '.join(spec.classes)}")
        return spec

    @property
    def positive_index(self) -> int:
        return self.classes.index(self.positive)


class Architecture(nn.Module):
    """Feature maps, global average pooling, a classifier that ends in a linear layer.

    This shape lets the reader file compute Grad-CAM at the last feature map in its forward pass. With a
    ``view_size`` the network finds the lungs first, sees their box alone, and takes its evidence where they are.
    Subclasses build ``features`` ([B, channels, S, S] -> [B, K, h, w]) and ``classifier`` ([B, K] -> [B, C]).
    """

    #: earlier feature modules, shallow to deep, whose pooled output tells chest films from other pictures
    gate_layers: ClassVar[tuple[str, ...]] = ()
    #: side of the lungs' box at which it works best for its time
    view_side: ClassVar[int] = 160
    #: fields of its spec that say how grey levels come to the first convolution
    normalisation: ClassVar[dict[str, Any]] = {}

    features: nn.Sequential
    classifier: nn.Sequential
    view: LungView | None
    _mean: Tensor
    _std: Tensor

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        # Not in the state dict: the spec is their one home.
        self.register_buffer("_mean", torch.tensor(spec.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("_std", torch.tensor(spec.std).view(1, -1, 1, 1), persistent=False)
        self.view = LungView(LungFinder(), spec.view_size) if spec.view_size else None
        self.evidence = Evidence() if spec.view_size else None

    @property
    def target_layer(self) -> str:
        """Module whose output Grad-CAM explains unless another is asked for."""
        return "features" if self.evidence is None else "evidence"

    def see(self, films: Tensor) -> Tensor:
        """Films ``(B, 1, S, S)`` in 0..1 -> what the network works on: the same, or views ``(B, 2, V, V)``."""
        return films if self.view is None else self.view(films).pixels

    def prepare(self, films: Tensor) -> Tensor:
        """Grey films in 0..1 ``(B, 1, S, S)`` -> what the first convolution expects ``(B, channels, S, S)``."""
        return (films - self._mean) / self._std

    def stages(self, pixels: Tensor) -> dict[str, Tensor]:
        """What :meth:`see` gives -> the output of each module of ``features`` by name, and the last map as ``maps``."""
        found = {}
        value = self.prepare(pixels[:, :1])
        for name, module in self.features.named_children():
            value = module(value)
            found[f"features.{name}"] = value
        maps = self.join(found, value)
        found["maps"] = maps if self.evidence is None else self.evidence(maps, pixels[:, 1:])
        return found

    def join(self, stages: dict[str, Tensor], last: Tensor) -> Tensor:
        """The map that is pooled, of the outputs of ``features``: its last one, where a subclass has no other."""
        return last

    def feature_map(self, films: Tensor) -> Tensor:
        """Films ``(B, 1, S, S)`` in 0..1, or views of them ``(B, 2, V, V)`` -> ``(B, K, h, w)``."""
        if self.view is None:  # as one module, so that Grad-CAM can hook it
            return self.features(self.prepare(films))
        return self.stages(films if films.shape[1] == 2 else self.see(films))["maps"]

    def embedding(self, feature_map: Tensor) -> Tensor:
        """``(B, K, h, w)`` -> ``(B, D)``, the input of the last linear layer."""
        return self.classifier[:-1](feature_map.mean(dim=(2, 3)))

    def forward(self, films: Tensor) -> Tensor:
        """Grey films ``(B, 1, S, S)``, float in 0..1, or views of them ``(B, 2, V, V)`` -> logits ``(B, C)``."""
        return self.classifier(self.feature_map(films).mean(dim=(2, 3)))
