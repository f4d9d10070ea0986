"""torchvision's MobileNetV2 (Sandler 2018), its classifier replaced."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
from torch import nn

from ai_for_sudan.errors import UserError
from ai_for_sudan.models.architecture import Architecture, ModelSpec

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class MobileNetV2(Architecture):
    gate_layers: ClassVar[tuple[str, ...]] = ("features.6", "features.13")

    def __init__(self, spec: ModelSpec, *, dropout: float = 0.2) -> None:
        super().__init__(spec)
        from torchvision.models import mobilenet_v2

        backbone = mobilenet_v2(weights=None)
        self.features = backbone.features
        head = nn.Linear(backbone.last_channel, len(spec.classes))
        nn.init.xavier_uniform_(head.weight)
        nn.init.zeros_(head.bias)
        self.classifier = nn.Sequential(nn.Dropout(dropout), head)

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
        raise UserError(f"{path} holds no state dict of torchvision's mobilenet_v2")
    return state
