"""The network of a reader file: pixels in; probability, heatmap, embedding and gate out, in one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ai_for_sudan.export.familiarity import Familiarity
from ai_for_sudan.lungs import LungFindings, View, back
from ai_for_sudan.models import Architecture, as_batch
from ai_for_sudan.models.architecture import entropy, shares

#: side of the heatmap, in the frame of the film, of a network that looks at the lungs' box
HEATMAP_SIDE = 56


class Outputs(NamedTuple):
    """Of a batch: ``(B, C)``, ``(B, C)``, ``(B, C, h, w)``, ``(B, D)``, ``(B, G)``, ``(B, 112, 112)``, ``(B, 4)``,
    ``(B, 2)``, ``(B, 1)``.

    Maps are in the frame of the film. A network that sees the whole film has no lungs and no box.
    """

    probability: Tensor
    logits: Tensor
    heatmap: Tensor
    embedding: Tensor
    gate: Tensor
    lungs: Tensor | None = None
    box: Tensor | None = None
    lungs_probability: Tensor | None = None
    abnormal: Tensor | None = None

    def present(self) -> dict[str, Tensor]:
        """What there is, by name, in this order."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class Calibration(nn.Module):
    """``logits * scale + bias`` (Platt 1999), then softmax or sigmoid."""

    def __init__(self, scale: Tensor, bias: Tensor, task: str) -> None:
        super().__init__()
        self.scale, self.bias = nn.Parameter(scale), nn.Parameter(bias)
        self.task = task

    def forward(self, logits: Tensor) -> Tensor:
        """Turn logits ``(B, C)`` into calibrated probabilities ``(B, C)``."""
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
        """Return one score in 0..1 for each reason, ``(B, G)``; of several reasons only the likeliest speaks."""
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
        abnormal: Calibration | None = None,
    ) -> None:
        """``abnormal``: the calibration of that output, where the network has it."""
        super().__init__()
        self.model, self.calibration, self.gate, self.familiarity = model.eval(), calibration, gate, familiarity
        self.abnormal = abnormal
        # How the lungs share in the film stays as trained, also where a site fits the head anew.
        self.attention = _Attention(model.last) if model.spec.each_lung else None
        # The last layer under a fixed name, so that a site can find it in the file.
        self.head: nn.Module = _with_entropy(model) if model.spec.each_lung else model.last
        self.gate_features = GateFeatures()
        self.findings = LungFindings()

    def forward(self, films: Tensor) -> Outputs:
        """Grey films ``(B, 1, S, S)`` in 0..1 -> :class:`Outputs`."""
        seen = self._seen(films)
        embedding, spec = seen.embedding, self.model.spec
        logits = self.head(embedding)
        heatmap = self._heatmap(seen)
        if seen.view is not None:
            heatmap = back(heatmap, seen.view.box, HEATMAP_SIDE)
        if self.gate is None:
            gate = films.new_zeros((films.shape[0], 0))
        else:
            gate = self.gate(films, self._gate_features(films, seen))
            if seen.view is not None:
                gate = torch.cat([gate, self.findings(seen.view.lungs)], 1)
            if self.familiarity is not None:
                gate = torch.cat([gate, self.familiarity(embedding)], 1)
        found = Outputs(self.calibration(logits), logits, heatmap, embedding, gate)
        if seen.view is not None:
            found = found._replace(lungs=seen.view.lungs[:, 0], box=seen.view.box)
        if spec.each_lung:
            each = self.calibration(self.head(F.pad(seen.each, (0, 1))))
            found = found._replace(lungs_probability=each[..., spec.positive_index])
        if self.abnormal is not None and self.model.abnormal is not None:
            odds = self.model.abnormal(seen.each)[..., 0].logsumexp(1, keepdim=True)
            found = found._replace(abnormal=self.abnormal(odds))
        return found

    def _seen(self, films: Tensor) -> _Seen:
        view = self.model.view(films) if self.model.view is not None else None
        stages = self.model.stages(films if view is None else view.pixels)
        maps = stages["maps"]
        if view is None or self.model.evidence is None:
            pooled, places = maps.mean(dim=(2, 3))[:, None], None
        else:
            size = (2 * maps.shape[-2], 2 * maps.shape[-1])
            places = self.model.evidence.weights(view.pixels[:, 1:], size)
            # The mean of the finer map under the weights is the mean of the map under weights that are made coarser.
            up = _doubling(maps)
            coarse = (up.T @ places @ up / (size[0] * size[1])).flatten(2)
            pooled = coarse @ maps.flatten(2).transpose(1, 2)
        each = self.model.classifier[:-1](pooled)
        if self.attention is None:
            return _Seen(view, stages, places, pooled, each, torch.ones_like(each[..., 0]), each[:, 0])
        share = shares(self.attention(each), self.model.spec)
        embedding = torch.cat([(share[..., None] * each).sum(1), entropy(share)[:, None]], 1)
        return _Seen(view, stages, places, pooled, each, share, embedding)

    def _gate_features(self, films: Tensor, seen: _Seen) -> Tensor:
        shallow, deep = (seen.stages[name] for name in self.model.gate_layers)
        features = self.gate_features(films, shallow, deep, seen.embedding)
        if seen.view is None:
            return features
        lungs = seen.view.lungs
        # Where lungs lie, coarsely, and how sure that is: of a hand or a page they are scattered and doubtful.
        grid = F.avg_pool2d(lungs, lungs.shape[-1] // 7).flatten(1)
        doubt = (lungs * (1 - lungs)).mean(dim=(2, 3))
        return torch.cat([features, grid, doubt * 10, seen.view.box], 1)

    def _heatmap(self, seen: _Seen) -> Tensor:
        """Grad-CAM of every class at the last feature map (Selvaraju 2017), without a backward pass.

        With a mean over places the gradient of a logit is the same at all places of a lung: the weight of the channel
        times the lung's share, divided by the number of places.
        """
        maps = seen.stages["maps"]
        height, width = maps.shape[-2:]
        rows: Tensor = self.head.weight[:, : seen.each.shape[2]]  # type: ignore[index]
        weights = self.model.channel_weights(seen.pooled, rows)
        cam = (weights @ maps.flatten(2)[:, None]).unflatten(3, (height, width))  # (B, L or 1, C, h, w)
        if seen.places is None:
            return (cam[:, 0] / (height * width)).relu()
        up = _doubling(maps)
        part = seen.places * seen.share[..., None, None] / (4 * height * width)
        return ((up @ cam @ up.T) * part[:, :, None]).sum(1).relu()

    def gate_input(self, films: Tensor) -> tuple[Tensor, Tensor]:
        """What the gate is fitted on, ``(B, F)``, and the embedding ``(B, D)``."""
        seen = self._seen(films)
        return self._gate_features(films, seen), seen.embedding


class _Seen(NamedTuple):
    """What the network saw of a batch.

    Attributes:
        places: weights of the places of the finer map ``(B, L, 2h, 2w)``; None without lungs.
        pooled: ``(B, L, K)``; each: ``(B, L, D)``, of each lung; share: ``(B, L)``; embedding: of the film.
    """

    view: View | None
    stages: dict[str, Tensor]
    places: Tensor | None
    pooled: Tensor
    each: Tensor
    share: Tensor
    embedding: Tensor


class _Attention(nn.Module):
    """The last layer as it was trained, ``(..., D)`` -> ``(..., C)``.

    Its bias has a shape of its own: the exporter keeps one of two equal tensors, and a site looks for the head's.
    """

    def __init__(self, last: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = (
            nn.Parameter(last.weight.detach().clone()),
            nn.Parameter(last.bias.detach()[None].clone()),
        )

    def forward(self, embedding: Tensor) -> Tensor:
        return embedding @ self.weight.T + self.bias


def _with_entropy(model: Architecture) -> nn.Linear:
    """Return the last layer with one more input, the entropy of the lungs' shares (:func:`..architecture.joined`)."""
    last = model.last
    head = nn.Linear(last.in_features + 1, last.out_features)
    with torch.no_grad():
        head.weight[:, :-1], head.bias[:] = last.weight, last.bias
        head.weight[:, -1] = 0.0
        if model.spec.task == "exclusive":
            head.weight[:, -1] = -0.5
            head.weight[model.spec.positive_index, -1] = 0.5
    return head


def _doubling(maps: Tensor) -> Tensor:
    """Return the matrix ``(2h, h)`` that makes a side of a square map twice as fine, as bilinear interpolation does."""
    side = maps.shape[-1]
    identity = torch.eye(side, dtype=maps.dtype, device=maps.device)[None]
    return F.interpolate(identity.transpose(1, 2), size=2 * side, mode="linear", align_corners=False)[0].T


class OneFilm(nn.Module):
    """The graph of the reader file: one film of any size, as people see it."""

    def __init__(self, network: ReaderNetwork) -> None:
        super().__init__()
        self.network = network
        self.size = network.model.spec.input_size

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """uint8 ``(H, W)`` -> the outputs of one film in the order of :class:`Outputs`, without the batch."""
        # Made small as grey levels, as films are for training, and at a third of the time of floats.
        size = (self.size, self.size)
        film = F.interpolate(pixels[None, None], size=size, mode="bilinear", antialias=True, align_corners=False)
        found = self.network(film.to(torch.float32) / 255)
        return tuple(value[0] for value in found.present().values())


class ManyFilms(nn.Module):
    """The graph of the bulk file: films that are at network size already."""

    def __init__(self, network: ReaderNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """uint8 ``(N, S, S)`` -> outputs with a leading N."""
        return tuple(self.network(as_batch(pixels)).present().values())
