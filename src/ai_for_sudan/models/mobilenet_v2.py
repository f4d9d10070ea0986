"""torchvision's MobileNetV2 (Sandler 2018), its classifier replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ai_for_sudan.errors import UserError
from ai_for_sudan.models.architecture import Architecture, ModelSpec

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Neck(nn.Module):
    """Deep maps laid over finer ones, so that the map that is pooled has a place for every eight pixels of the view.

    After PYLON (Preechakul 2022): what the deepest map says of a lung, the finer ones say of a place in it.
    """

    WIDTH: ClassVar[int] = 128
    #: modules of ``features`` that are joined, finest first, and their channels
    LAYERS: ClassVar[dict[str, int]] = {"features.6": 32, "features.13": 96, "features.18": 1280}

    def __init__(self) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inputs, self.WIDTH, 1, bias=False), nn.BatchNorm2d(self.WIDTH))
            for inputs in self.LAYERS.values()
        )
        self.smooth = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(self.WIDTH, self.WIDTH, 3, padding=1, groups=self.WIDTH, bias=False),
            nn.BatchNorm2d(self.WIDTH),
            nn.ReLU(),
        )

    def forward(self, fine: Tensor, middle: Tensor, deep: Tensor) -> Tensor:
        """``(B, 32, h, w)``, ``(B, 96, h/2, w/2)``, ``(B, 1280, h/4, w/4)`` -> ``(B, 128, h, w)``."""
        size = fine.shape[-2:]
        value = self.lateral[0](fine)
        for lateral, maps in zip(self.lateral[1:], (middle, deep), strict=True):
            value = value + F.interpolate(lateral(maps), size=size, mode="bilinear", align_corners=False)
        return self.smooth(value)


class MobileNetV2(Architecture):
    """MobileNetV2 (Sandler 2018, https://arxiv.org/abs/1801.04381) with its ImageNet features."""

    gate_layers: ClassVar[tuple[str, ...]] = ("features.6", "features.13")
    normalisation: ClassVar[dict[str, Any]] = {"channels": 3, "mean": IMAGENET_MEAN, "std": IMAGENET_STD}

    def __init__(self, spec: ModelSpec, *, dropout: float = 0.2) -> None:
        super().__init__(spec)
        from torchvision.models import mobilenet_v2

        backbone = mobilenet_v2(weights=None)
        self.features = backbone.features
        self.neck = Neck() if spec.view_size else None
        head = nn.Linear(Neck.WIDTH if spec.view_size else backbone.last_channel, len(spec.classes))
        nn.init.xavier_uniform_(head.weight)
        nn.init.zeros_(head.bias)
        self.classifier = nn.Sequential(nn.Dropout(dropout), head)
        self.add_abnormal()

    def join(self, stages: dict[str, Tensor], last: Tensor) -> Tensor:
        """Bring in the earlier stages that the neck joins to the last feature map."""
        return last if self.neck is None else self.neck(*(stages[name] for name in Neck.LAYERS))

    def load_imagenet(self, weights: bool | str | Path) -> None:
        """Fill ``features`` with ImageNet weights.

        Args:
            weights: a file with torchvision's state dict (``features.0.0.weight`` ..., a classifier is ignored), or
                ``True`` for torchvision's own, from its cache or the network.

        Raises:
            UserError: the file is missing or fits no MobileNetV2, or torchvision's weights cannot be had.
        """
        state = _from_torchvision() if isinstance(weights, bool) else _from_file(Path(weights))
        features = {k.removeprefix("features."): v for k, v in state.items() if not k.startswith("classifier.")}
        try:
            self.features.load_state_dict(features)
        except RuntimeError as error:
            raise UserError(
                f"{weights}: these are not the weights of torchvision's mobilenet_v2 "
                f"({str(error).splitlines()[1].strip()})"
            ) from error


def imagenet_file() -> Path:
    """Where torchvision keeps its ImageNet weights on this machine."""
    from torchvision.models import MobileNet_V2_Weights

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(MobileNet_V2_Weights.IMAGENET1K_V1.url).name


def _from_torchvision() -> dict[str, torch.Tensor]:
    from torchvision.models import MobileNet_V2_Weights

    weights = MobileNet_V2_Weights.IMAGENET1K_V1
    try:
        return dict(weights.get_state_dict(progress=True, check_hash=True))
    except Exception as error:  # the hub raises whatever urllib, ssl or the disk raise
        raise UserError(
            f"the ImageNet weights are not in torchvision's cache and cannot be fetched ({error}); on a machine with a "
            f"network download {weights.url} and put it at {imagenet_file()}, or name the file: --pretrained PATH"
        ) from error


def _from_file(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise UserError(f"no weights at {path}; --pretrained takes a file with torchvision's mobilenet_v2 weights")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many kinds, none of which a user should have to know
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(f"{path} cannot be loaded as weights: {reason}") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UserError(f"{path} contains no state dict of torchvision's mobilenet_v2")
    return state
