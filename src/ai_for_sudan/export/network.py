"""The network of a reader file: pixels in; probability, heatmap, embedding and gate out, in one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ai_for_sudan.errors import UserError
from ai_for_sudan.export.familiarity import Familiarity
from ai_for_sudan.lungs import LungFindings, View, back
from ai_for_sudan.models import Architecture, as_batch

#: side of the heatmap, in the frame of the film, of a network that looks at the lungs' box
HEATMAP_SIDE = 56


class Outputs(NamedTuple):
    """Of a batch: ``(B, C)``, ``(B, C)``, ``(B, C, h, w)``, ``(B, D)``, ``(B, G)``, ``(B, 112, 112)``, ``(B, 4)``.

    Maps are in the frame of the film. A network that sees the whole film has no lungs and no box.
    """

    probability: Tensor
    logits: Tensor
    heatmap: Tensor
    embedding: Tensor
    gate: Tensor
    lungs: Tensor | None = None
    box: Tensor | None = None

    def present(self) -> tuple[Tensor, ...]:
        """What there is, in this order: without lungs the last two are missing."""
        return tuple(value for value in self if value is not None)


class Calibration(nn.Module):
    """``logits * scale + bias`` (Platt 1999), then softmax or sigmoid."""

    def __init__(self, scale: Tensor, bias: Tensor, task: str) -> None:
        super().__init__()
        self.scale, self.bias = nn.Parameter(scale), nn.Parameter(bias)
        self.task = task

    def forward(self, logits: Tensor) -> Tensor:
        calibrated = logits * self.scale + self.bias
        return calibrated.softmax(-1) if self.task == "exclusive" else calibrated.sigmoid()


class GateFeatures(nn.Module):
    """What the gate looks at: where light and dark lie, texture at two depths, and what the last layer saw.

    A linear rule on pooled features alone could not distinguish a film from itself upside down, so the film's own
    thumbnail and a 2 x 2 grid of the deeper features keep where things are.
    """

    def forward(self, films: Tensor, shallow: Tensor, deep: Tensor, embedding: Tensor) -> Tensor:
        """``(B, 1, S, S)``, ``(B, K, h, w)``, ``(B, L, g, g)``, ``(B, D)`` -> ``(B, F)``."""
        mean = films.mean(dim=(2, 3))
        deviation = _deviation(films)
        thumbnail = F.avg_pool2d(films, films.shape[-1] // 14).flatten(1)
        grid = F.avg_pool2d(deep, deep.shape[-1] // 2).flatten(1)
        # The thumbnail is taken against the film's own mean and contrast: exposure must not decide.
        relative = (thumbnail - mean) / (deviation + 0.05)
        saturated = torch.cat([(films < 0.02).float().mean(dim=(2, 3)), (films > 0.98).float().mean(dim=(2, 3))], 1)
        return torch.cat(
            [
                mean,
                deviation,
                saturated,
                relative,
                shallow.mean(dim=(2, 3)),
                _deviation(shallow),
                grid,
                _deviation(deep),
                embedding,
            ],
            dim=1,
        )


def _deviation(maps: Tensor) -> Tensor:
    """Standard deviation over places, ``(B, K, h, w)`` -> ``(B, K)``."""
    mean = maps.mean(dim=(2, 3), keepdim=True)
    return ((maps - mean) ** 2).mean(dim=(2, 3)).clamp_min(1e-12).sqrt()


class Gate(nn.Module):
    """One score in 0..1 for each reason to refuse a film: logistic rules on :class:`GateFeatures`; contrast first.

    Of a reason with several patterns the likeliest counts, and of the reasons the likeliest alone has a score above 0:
    the others are what it looks like besides. Score 0 (``blank``) comes from the contrast alone and is 0.5 at a
    standard deviation of ``BLANK`` of the range.
    """

    BLANK = 0.045

    def __init__(self, weight: Tensor, bias: Tensor, patterns: Sequence[int]) -> None:
        """``(R, F)``, ``(R,)``; of each reason the number of its rules."""
        super().__init__()
        self.weight, self.bias, self.patterns = nn.Parameter(weight), nn.Parameter(bias), list(patterns)

    def forward(self, films: Tensor, features: Tensor) -> Tensor:
        blank = torch.sigmoid((self.BLANK - _deviation(films)) * 200)
        rules = F.linear(features, self.weight, self.bias).split(self.patterns, 1)
        reasons = torch.cat([one.amax(1, keepdim=True) for one in rules], 1)
        likeliest = (reasons >= reasons.amax(1, keepdim=True)).to(reasons.dtype)
        return torch.cat([blank, torch.sigmoid(reasons) * likeliest], dim=1)


class ReaderNetwork(nn.Module):
    """A trained architecture with calibration, Grad-CAM in closed form, and the gate."""

    def __init__(
        self,
        model: Architecture,
        calibration: Calibration,
        gate: Gate | None = None,
        familiarity: Familiarity | None = None,
    ) -> None:
        super().__init__()
        self.model, self.calibration, self.gate, self.familiarity = model.eval(), calibration, gate, familiarity
        # The last layer under a fixed name, so that a site can find it in the file.
        self.head: nn.Module = model.classifier[-1]
        self.hidden: list[nn.Linear] = [m for m in model.classifier[:-1] if isinstance(m, nn.Linear)]
        if len(self.hidden) > 1:
            raise UserError("Grad-CAM in closed form is derived for a head of one or two linear layers")
        self.gate_features = GateFeatures()
        self.findings = LungFindings()

    def forward(self, films: Tensor) -> Outputs:
        """Grey films ``(B, 1, S, S)`` in 0..1 -> :class:`Outputs`."""
        view = self.model.view(films) if self.model.view is not None else None
        stages = self.model.stages(films if view is None else view.pixels)
        maps = stages["maps"]
        pooled = maps.mean(dim=(2, 3))
        embedding = self.model.classifier[:-1](pooled)
        logits = self.head(embedding)
        heatmap = self._heatmap(maps, pooled)
        if view is not None:
            heatmap = back(heatmap, view.box, HEATMAP_SIDE)
        if self.gate is None:
            gate = films.new_zeros((films.shape[0], 0))
        else:
            gate = self.gate(films, self._gate_features(films, view, stages, embedding))
            if view is not None:
                gate = torch.cat([gate, self.findings(view.lungs)], 1)
            if self.familiarity is not None:
                gate = torch.cat([gate, self.familiarity(embedding)], 1)
        found = Outputs(self.calibration(logits), logits, heatmap, embedding, gate)
        return found if view is None else found._replace(lungs=view.lungs[:, 0], box=view.box)

    def _gate_features(self, films: Tensor, view: View | None, stages: dict[str, Tensor], embedding: Tensor) -> Tensor:
        shallow, deep = (stages[name] for name in self.model.gate_layers)
        features = self.gate_features(films, shallow, deep, embedding)
        if view is None:
            return features
        # Where lungs lie, coarsely, and how sure that is: of a hand or a page they are scattered and doubtful.
        grid = F.avg_pool2d(view.lungs, view.lungs.shape[-1] // 7).flatten(1)
        doubt = (view.lungs * (1 - view.lungs)).mean(dim=(2, 3))
        return torch.cat([features, grid, doubt * 10, view.box], 1)

    def _heatmap(self, maps: Tensor, pooled: Tensor) -> Tensor:
        """Grad-CAM of every class at the last feature map (Selvaraju 2017), without a backward pass.

        With global average pooling the gradient of a logit is the same at all places: the row of the linear layer
        divided by their number; through a hidden ReLU it is the row times the open units times the first layer.
        """
        weights: Tensor = self.head.weight.unsqueeze(0)  # type: ignore[operator]  # (1, C, D)
        if self.hidden:
            first = self.hidden[0]
            is_open = (first(pooled) > 0).to(pooled.dtype).unsqueeze(1)  # (B, 1, D)
            weights = (weights * is_open) @ first.weight  # (B, C, K)
        batch, channels, height, width = maps.shape
        flat = maps.reshape(batch, channels, height * width) / (height * width)
        return (weights @ flat).reshape(batch, -1, height, width).relu()

    def gate_input(self, films: Tensor) -> tuple[Tensor, Tensor]:
        """What the gate is fitted on, ``(B, F)``, and the embedding ``(B, D)``."""
        view = self.model.view(films) if self.model.view is not None else None
        stages = self.model.stages(films if view is None else view.pixels)
        embedding = self.model.embedding(stages["maps"])
        return self._gate_features(films, view, stages, embedding), embedding


class OneFilm(nn.Module):
    """The graph of the reader file: one film of any size, as people see it."""

    def __init__(self, network: ReaderNetwork) -> None:
        super().__init__()
        self.network = network
        self.size = network.model.spec.input_size

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """uint8 ``(H, W)`` -> the outputs of one film in the order of :class:`Outputs`, without the batch."""
        film = pixels.to(torch.float32)[None, None]
        film = F.interpolate(film, size=(self.size, self.size), mode="bilinear", antialias=True, align_corners=False)
        found = self.network((film / 255).clamp(0, 1))
        return tuple(value[0] for value in found.present())


class ManyFilms(nn.Module):
    """The graph of the bulk file: films that are at network size already."""

    def __init__(self, network: ReaderNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """uint8 ``(N, S, S)`` -> outputs with a leading N."""
        return self.network(as_batch(pixels)).present()
