"""Check whether the heatmap means anything. Each check is one that a map can fail.

A map that stays the same when the model's weights or labels are replaced by chance shows the film and not the model
(Adebayo 2018, https://arxiv.org/abs/1810.03292). Films are float ``(B, 1, S, S)`` in 0..1 throughout.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional

from ai_for_sudan.explanation.gradcam import GradCAM
from ai_for_sudan.explanation.placing import in_film
from ai_for_sudan.models import Architecture

#: maps with a rank correlation above this are similar
SIMILAR = 0.5
#: places where the cascade is measured, the first and the last stage among them
STOPS = 8
BATCH = 32


@dataclass(frozen=True)
class Similarity:
    """How similar two lists of maps are, film by film.

    Attributes:
        spearman: rank correlation ``(B,)``, NaN where a map is blank.
        ssim: structural similarity ``(B,)`` of the maps scaled to their own peaks (Wang 2004).
        blank: share of films of which a map is the same everywhere.
    """

    spearman: np.ndarray
    ssim: np.ndarray
    blank: float

    def facts(self) -> dict[str, Any]:
        """Return medians with intervals, and the share of blank maps, as plain JSON."""
        return {"spearman": median(self.spearman), "ssim": median(self.ssim), "blank": self.blank}


def median(values: np.ndarray, seed: int = 0) -> list[float | None]:
    """``[median, low, high]`` with a 95 % bootstrap interval over films; ``None`` of nothing."""
    known = values[np.isfinite(values)]
    if not len(known):
        return [None, None, None]
    drawn = np.random.default_rng(seed).choice(known, (2000, len(known)))
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    return [float(np.median(known)), float(low), float(high)]


def attribution(model: nn.Module, films: Tensor, class_index: int, layer: str | None = None) -> Tensor:
    """Compute Grad-CAM maps ``(B, h, w)`` in the frame of the films, batch by batch."""
    gradcam = GradCAM(model, layer)
    found = (in_film(model, part, gradcam(part, class_index).maps, gradcam.layer) for part in films.split(BATCH))
    return torch.cat([maps.cpu() for maps in found])


def similarity(first: Tensor, second: Tensor) -> Similarity:
    """Compare maps ``(B, h, w)`` of the same films."""
    pairs = list(zip(first.flatten(1).numpy(), second.flatten(1).numpy(), strict=True))
    blank = np.array([np.ptp(a) == 0 or np.ptp(b) == 0 for a, b in pairs])
    rank = np.array(
        [np.nan if b else stats.spearmanr(*pair).statistic for b, pair in zip(blank, pairs, strict=True)], float
    )
    return Similarity(rank, _ssim(first, second).numpy(), float(blank.mean()))


def _ssim(first: Tensor, second: Tensor) -> Tensor:
    """Mean over a sliding square of 7 pixels, maps being enlarged to at least 56 a side first."""

    def prepared(maps: Tensor) -> Tensor:
        peak = maps.flatten(1).amax(1).clamp_min(1e-12).view(-1, 1, 1)
        side = max(56, *maps.shape[1:])
        return _enlarged(maps / peak, side).unsqueeze(1)

    def mean(x: Tensor) -> Tensor:
        return functional.avg_pool2d(x, 7, stride=1)

    a, b = prepared(first), prepared(second)
    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b, both = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2, mean(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    found = (2 * mean_a * mean_b + c1) * (2 * both + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return found.mean(dim=(1, 2, 3))


def _enlarged(maps: Tensor, side: int) -> Tensor:
    """``(B, h, w)`` -> ``(B, side, side)``, as an overlay shows it."""
    return functional.interpolate(maps.unsqueeze(1), (side, side), mode="bilinear", align_corners=False).squeeze(1)


def cascade(
    model: Architecture, films: Tensor, class_index: int, layer: str | None = None, *, draws: int = 3, seed: int = 0
) -> list[dict[str, Any]]:
    """Randomise the weights from the last layer down to the first, and compare the maps with the model's own.

    Each draw is a cascade of its own, as one random head may by chance point the model's way; films of all draws are
    pooled. Batch normalisation is fitted to the films again, so that a random network is not merely a dead one.

    Returns:
        rows with ``stage`` (the part that was randomised last), ``spearman``, ``ssim`` (``[median, low, high]``) and
        ``blank``.
    """
    own = attribution(model, films, class_index, layer)
    names = [name for name, _ in _stages(model)]
    stops = sorted({round(i) for i in np.linspace(0, len(names) - 1, min(STOPS, len(names)))})
    found: dict[int, list[Similarity]] = {stop: [] for stop in stops}
    for draw in range(draws):
        with torch.random.fork_rng():
            torch.manual_seed(seed * 1000 + draw)
            copied = copy.deepcopy(model)
            random: list[nn.Module] = []
            for number, (_, stage) in enumerate(_stages(copied)):
                for module in stage.modules():
                    if callable(reset := getattr(module, "reset_parameters", None)):
                        reset()
                random.append(stage)
                if number in found:
                    _refit_normalisation(copied, random, films[:BATCH])
                    found[number].append(similarity(own, attribution(copied, films, class_index, layer)))
    return [
        {
            "stage": names[stop],
            "spearman": median(np.concatenate([one.spearman for one in several])),
            "ssim": median(np.concatenate([one.ssim for one in several])),
            "blank": float(np.mean([one.blank for one in several])),
        }
        for stop, several in found.items()
    ]


def _stages(model: Architecture) -> list[tuple[str, nn.Module]]:
    """Parts with weights, from the last to the first."""
    parts = [(f"features.{name}", part) for name, part in model.features.named_children()]
    parts += [("neck", neck)] if isinstance(neck := getattr(model, "neck", None), nn.Module) else []
    parts += [(f"classifier.{name}", part) for name, part in model.classifier.named_children()]
    return [(name, part) for name, part in reversed(parts) if any(True for _ in part.parameters())]


def _refit_normalisation(model: Architecture, parts: list[nn.Module], films: Tensor) -> None:
    layers = [m for part in parts for m in part.modules() if isinstance(m, nn.BatchNorm2d)]
    kept = [layer.momentum for layer in layers]
    model.eval()
    for layer in layers:
        layer.momentum = 1.0
        layer.train()
    with torch.no_grad():
        model(films)
    for layer, momentum in zip(layers, kept, strict=True):
        layer.momentum = momentum
    model.eval()


def random_label_head(
    model: Architecture, films: Tensor, labels: np.ndarray, *, seed: int = 0
) -> tuple[Architecture, float]:
    """Copy a model, with a last layer that learned labels permuted at random.

    Args:
        films: many more than are explained.
        labels: 0 or 1 ``(N,)`` of the positive class; they are permuted here.

    Returns:
        the copy, and the accuracy with which it repeats these random labels: near 1 the check is a hard one.
    """
    copied = copy.deepcopy(model).eval()
    with torch.inference_mode():
        seen = torch.cat([copied.embedding(copied.feature_map(part)).cpu() for part in films.split(BATCH)]).numpy()
    permuted = np.random.default_rng(seed).permutation(labels)
    spread = seen.std(0) + 1e-6
    head = LogisticRegression(C=10.0, max_iter=2000).fit(seen / spread, permuted)
    last = copied.classifier[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight[copied.spec.positive_index] = torch.from_numpy(head.coef_[0] / spread).to(last.weight)
        last.bias[copied.spec.positive_index] = float(head.intercept_[0])
    return copied, float(head.score(seen / spread, permuted))


def stability(model: Architecture, films: Tensor, class_index: int, layer: str | None = None) -> Similarity:
    """Compare maps of films displaced by 1/28 of their side, to each of four sides, with those of films in place."""
    side = films.shape[-1]
    step = max(1, side // 28)
    own = _enlarged(attribution(model, films, class_index, layer), side)
    parts = []
    for down, right in ((step, 0), (-step, 0), (0, step), (0, -step)):
        padded = functional.pad(films, (step,) * 4, mode="replicate")
        displaced = padded[..., step - down : step - down + side, step - right : step - right + side]
        maps = _enlarged(attribution(model, displaced, class_index, layer), side).roll((-down, -right), dims=(1, 2))
        inner = (slice(None), slice(step, side - step), slice(step, side - step))
        # Every fourth pixel: neighbours of an enlarged map say the same.
        parts.append(similarity(own[inner][:, ::4, ::4], maps[inner][:, ::4, ::4]))
    return Similarity(
        np.concatenate([part.spearman for part in parts]),
        np.concatenate([part.ssim for part in parts]),
        float(np.mean([part.blank for part in parts])),
    )
