"""Which architectures there are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ai_for_sudan.errors import UserError
from ai_for_sudan.lungs import LungFinder
from ai_for_sudan.models.architecture import Architecture, ModelSpec
from ai_for_sudan.models.custom_cnn import CustomCNN
from ai_for_sudan.models.mobilenet_v2 import MobileNetV2

ARCHITECTURES: dict[str, type[Architecture]] = {"custom_cnn": CustomCNN, "mobilenet_v2": MobileNetV2}


def names() -> list[str]:
    """List the names of all architectures."""
    return list(ARCHITECTURES)


def build(spec: ModelSpec) -> Architecture:
    """A network as its spec says, with fresh weights.

    Raises:
        UserError: no such architecture.
    """
    if spec.name not in ARCHITECTURES:
        raise UserError(f"there is no model type '{spec.name}'; there are: {', '.join(names())}")
    return ARCHITECTURES[spec.name](spec)


def create(
    name: str,
    classes: Sequence[str],
    *,
    positive: str | None = None,
    task: str = "exclusive",
    pretrained: bool | str | Path = False,
    finder: LungFinder | None = None,
    abnormal: bool = False,
) -> Architecture:
    """A new network for ``classes``.

    Args:
        positive: the class that a reading reports; the last one if not given.
        pretrained: ``True`` for torchvision's ImageNet weights, or a file that holds them.
        finder: the network then sees the lungs' box that this finds, and reads each lung for itself; without one it
            sees the whole film.
        abnormal: also say whether the lungs are abnormal in any way.

    Raises:
        UserError: unknown name or class, or the weights cannot be had.
    """
    positive = classes[-1] if positive is None else positive
    if positive not in classes:
        raise UserError(f"the positive class '{positive}' is not among the classes: {', '.join(classes)}")
    if name not in ARCHITECTURES:
        raise UserError(f"there is no model type '{name}'; there are: {', '.join(names())}")
    kind = ARCHITECTURES[name]
    view_size = 0 if finder is None else kind.view_side
    spec = ModelSpec(
        name,
        tuple(classes),
        positive,
        task,
        view_size=view_size,
        each_lung=finder is not None,
        abnormal=abnormal,
        **kind.normalisation,
    )
    model = build(spec)
    if finder is not None and model.view is not None:
        model.view.finder.load_state_dict(finder.state_dict())
    if pretrained:
        if not isinstance(model, MobileNetV2):
            raise UserError(f"there are no pretrained weights for {name}; leave out --pretrained")
        model.load_imagenet(pretrained)
    return model
