"""What every network of this project has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, cast

import torch
from torch import Tensor, nn

from ai_for_sudan.errors import UserError
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
        each_lung: read each lung for itself; without it the mean over both lungs is read.
        abnormal: also say whether the lungs are abnormal in any way.
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
    each_lung: bool = False
    abnormal: bool = False

    def __post_init__(self) -> None:
        if self.positive not in self.classes:
            raise ValueError(f"the positive class '{self.positive}' is not among {', '.join(self.classes)}")

    @property
    def positive_index(self) -> int:
        """Return the number of the class that is reported."""
        return self.classes.index(self.positive)


class Architecture(nn.Module):
    """Feature maps, pooling over places, a classifier that ends in a linear layer.

    This shape lets the reader file compute Grad-CAM at the last feature map in its forward pass. With a
    ``view_size`` the network finds the lungs first, sees their box alone, and takes its evidence where they are.
    With ``each_lung`` each of them gets logits of its own, and the film's are those of the sicker one (:func:`joined`).
    Subclasses build ``features`` ([B, channels, S, S] -> [B, K, h, w]), ``classifier`` ([B, K] -> [B, C]) and, last,
    call :meth:`add_abnormal`.
    """

    #: earlier feature modules, shallow to deep, whose pooled output tells chest films from other pictures
    gate_layers: ClassVar[tuple[str, ...]] = ()
    #: side of the lungs' box at which it works best for its time
    view_side: ClassVar[int] = 160
    #: fields of its spec that say how grey levels come to the first convolution
    normalisation: ClassVar[dict[str, Any]] = {}

    features: nn.Sequential
    classifier: nn.Sequential
    abnormal: nn.Linear | None
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
        self.evidence = Evidence(spec.each_lung) if spec.view_size else None

    def add_abnormal(self) -> None:
        """Build the linear layer ([B, D] -> [B, 1]) that says whether a lung is abnormal, if the spec asks for it."""
        self.abnormal = nn.Linear(self.last.in_features, 1) if self.spec.abnormal else None

    @property
    def last(self) -> nn.Linear:
        """The last layer of the classifier."""
        return cast(nn.Linear, self.classifier[-1])  # or its quantised stand-in

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
        """Return the outputs of ``features``' modules by name and, as ``maps``, the last map before it is weighted.

        Args:
            pixels: what :meth:`see` gives.
        """
        found = {}
        value = self.prepare(pixels[:, :1])
        for name, module in self.features.named_children():
            value = module(value)
            found[f"features.{name}"] = value
        found["maps"] = self.join(found, value)
        return found

    def join(self, stages: dict[str, Tensor], last: Tensor) -> Tensor:
        """The map that is pooled, of the outputs of ``features``: its last one, where a subclass has no other."""
        return last

    def feature_map(self, films: Tensor) -> Tensor:
        """Films ``(B, 1, S, S)`` in 0..1, or views ``(B, 2, V, V)`` -> ``(B, L * K, h, w)``, lung after lung."""
        if self.view is None:  # as one module, so that Grad-CAM can hook it
            return self.features(self.prepare(films))
        views = films if films.shape[1] == 2 else self.see(films)
        maps = self.stages(views)["maps"]
        return maps if self.evidence is None else self.evidence(maps, views[:, 1:])

    def lung_embeddings(self, feature_map: Tensor) -> Tensor:
        """``(B, L * K, h, w)`` -> ``(B, L, D)``: of each lung the input of the last linear layer."""
        pooled = feature_map.mean(dim=(2, 3)).unflatten(1, (2 if self.spec.each_lung else 1, -1))
        return self.classifier[:-1](pooled)

    def embedding(self, feature_map: Tensor) -> Tensor:
        """``(B, L * K, h, w)`` -> ``(B, D)``: of the film, its lungs weighted by :func:`shares`."""
        each = self.lung_embeddings(feature_map)
        return (shares(self.last(each), self.spec)[..., None] * each).sum(1)

    def lungs(self, feature_map: Tensor) -> Logits:
        """Return the logits of each lung, and whether it is abnormal, from ``(B, L * K, h, w)``."""
        each = self.lung_embeddings(feature_map)
        return Logits(self.last(each), None if self.abnormal is None else self.abnormal(each)[..., 0])

    def channel_weights(self, pooled: Tensor, last: Tensor | None = None) -> Tensor:
        """Return Grad-CAM's weights of the last map's channels, for the logits of a lung: its gradient by the mean map.

        The row of the linear layer; through a hidden ReLU it is the row times the open units times the first layer.

        Args:
            pooled: mean maps ``(B, L, K)``.
            last: rows ``(C, D)`` of the last layer, where they are not the network's own.

        Returns:
            ``(B, L, C, K)``, or ``(1, 1, C, K)`` where they are the same for every film.

        Raises:
            UserError: the head has more than two linear layers.
        """
        layers = [module for module in self.classifier if isinstance(module, nn.Linear)]
        if len(layers) > 2:
            raise UserError("Grad-CAM in closed form is derived for a head of one or two linear layers")
        weights = (self.last.weight if last is None else last)[None, None]
        if len(layers) == 1:
            return weights
        is_open = (layers[0](pooled) > 0).to(pooled.dtype).unsqueeze(2)
        return (weights * is_open) @ layers[0].weight

    def forward(self, films: Tensor) -> Tensor:
        """Grey films ``(B, 1, S, S)``, float in 0..1, or views of them ``(B, 2, V, V)`` -> logits ``(B, C)``."""
        return joined(self.lungs(self.feature_map(films)).classes, self.spec)


class Logits(NamedTuple):
    """Of each lung, the patient's right one first; of a network that reads both together there is one row.

    Attributes:
        classes: ``(B, L, C)``.
        abnormal: ``(B, L)``, log-odds that the lung is abnormal; None without that output.
    """

    classes: Tensor
    abnormal: Tensor | None


def positive_odds(classes: Tensor, spec: ModelSpec) -> Tensor:
    """Return the log-odds of the positive class against all others, or of a finding, ``(..., C)`` -> ``(...)``."""
    positive = spec.positive_index
    if spec.task != "exclusive":
        return classes[..., positive]
    rest = torch.cat([classes[..., :positive], classes[..., positive + 1 :]], -1)
    return classes[..., positive] - (rest[..., 0] if rest.shape[-1] == 1 else rest.logsumexp(-1))


def shares(each: Tensor, spec: ModelSpec) -> Tensor:
    """Return how much each lung counts for the film: the softmax of what speaks for the positive class in it.

    Findings that do not exclude each other may lie in different lungs, so that both lungs count alike for them.

    Args:
        each: logits of each lung ``(B, L, C)``.

    Returns:
        ``(B, L)`` with the sum 1.
    """
    if spec.task != "exclusive":
        return torch.full_like(each[..., 0], 1 / each.shape[1])
    return positive_odds(each, spec).softmax(1)


def entropy(share: Tensor) -> Tensor:
    """``(B, L)`` -> ``(B,)``: 0 where one lung counts alone, log 2 where both count alike."""
    return -(share * share.clamp_min(1e-12).log()).sum(1)


def joined(each: Tensor, spec: ModelSpec) -> Tensor:
    """Return the film's logits from those of its lungs: as sick as the sicker lung.

    Of two classes that exclude each other the film's log-odds are the log-sum-exp of the lungs' log-odds, which is
    their mean by :func:`shares` and the entropy of the shares. Written so, the film's logits are a linear layer on one
    vector, which a hospital can fit anew. Of more classes the same is done with the positive one against the rest.

    Args:
        each: logits of each lung ``(B, L, C)``.

    Returns:
        ``(B, C)``.
    """
    if each.shape[1] == 1:
        return each[:, 0]
    share = shares(each, spec)
    film = (share[..., None] * each).sum(1)
    if spec.task != "exclusive":
        return film
    sign = torch.full_like(film[0], -0.5)
    sign[spec.positive_index] = 0.5
    return film + entropy(share)[:, None] * sign
