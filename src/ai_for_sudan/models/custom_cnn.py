"""A small network for slow machines, from random weights: 0.15 million parameters behind the lung finder."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from ai_for_sudan.models.architecture import Architecture, ModelSpec

WIDTHS = (24, 48, 96, 128)
#: behind the lung finder: it works on a quarter of the pixels, so that narrower layers see as much of a lung
VIEW_WIDTHS = (16, 32, 64, 128)
HIDDEN = 64


def _convolution(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


class CustomCNN(Architecture):
    """Blocks of Conv2d + BatchNorm + ReLU with max pooling between them and a two-layer head.

    The stem halves the film at once, so that the wide layers work on small maps; the last map keeps 14 x 14 cells of a
    film of 224 pixels a side, 16 x 16 of a view of 128: fine enough for a heatmap that separates the zones of a lung.
    """

    gate_layers: ClassVar[tuple[str, ...]] = ("features.1", "features.2")
    view_side: ClassVar[int] = 128

    def __init__(self, spec: ModelSpec, *, feature_dropout: float = 0.1, dropout: float = 0.3) -> None:
        super().__init__(spec)
        a, b, c, d = VIEW_WIDTHS if spec.view_size else WIDTHS
        stem, third = _convolution(spec.channels, a, stride=2), [*_convolution(b, c), *_convolution(c, c)]
        if not spec.view_size:
            stem, third = [*stem, *_convolution(a, a)], [*third, nn.MaxPool2d(2)]
        self.features = nn.Sequential(
            nn.Sequential(*stem, nn.MaxPool2d(2)),
            nn.Sequential(*_convolution(a, b), *_convolution(b, b), nn.MaxPool2d(2)),
            nn.Sequential(*third),
            nn.Dropout2d(feature_dropout),
            nn.Sequential(*_convolution(c, d)),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(d, HIDDEN),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(HIDDEN, len(spec.classes)),
        )
        self.add_abnormal()
        self.apply(_initialise)


def _initialise(module: nn.Module) -> None:
    """Kaiming (He 2015) for convolutions before ReLU, Xavier (Glorot 2010) for linear layers, BatchNorm 1 and 0."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
