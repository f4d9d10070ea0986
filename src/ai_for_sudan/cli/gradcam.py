"""`ai-for-sudan gradcam`: the heatmap alone, of any class at any layer."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.pictures import Films, add_picture_options, save_picture
from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation.subject import HEATMAP_REFERENCE
from ai_for_sudan.files import replacing


def configure(parser: argparse.ArgumentParser) -> None:
    add_picture_options(parser, "the heatmap", "outputs/gradcam.png")
    parser.add_argument("--target_class", help="name or number of the class (default: the one that readings report)")
    parser.add_argument("--layer", help="name of the layer, such as features.13 (default: the last feature map)")
    parser.add_argument("--reference", type=float, default=HEATMAP_REFERENCE, help="logit units drawn at full colour")
    parser.add_argument("--save_raw", action="store_true", help="also save each raw map as .npy, in logit units")


def run(args: argparse.Namespace) -> int:
    import torch
    from PIL import Image

    from ai_for_sudan.datasets.cache import squash
    from ai_for_sudan.explanation import GradCAM
    from ai_for_sudan.models import load_checkpoint
    from ai_for_sudan.reading.overlay import colour

    if args.reference <= 0:
        raise UserError(f"--reference must be above 0, not {args.reference}")
    model, _ = load_checkpoint(args.checkpoint, args.model_type)
    index = _class_index(args.target_class, model.spec.classes, model.spec.positive)
    gradcam = GradCAM(model, args.layer)
    films = Films(args.image)
    for path, pixels in films:
        batch = torch.from_numpy(np.array(squash(pixels, model.spec.input_size)))[None, None].float() / 255
        found = gradcam(batch, index)
        heat = found.maps[0].numpy()
        height, width = pixels.shape
        enlarged = np.asarray(Image.fromarray(heat).resize((width, height), Image.Resampling.BILINEAR))
        picture = Image.new("RGB", (width, height))
        layer = Image.fromarray(colour(enlarged / args.reference))
        picture.paste(layer, mask=layer.getchannel("A"))
        place = films.place(args.output, path)
        save_picture(picture, place)
        if args.save_raw:
            _save_raw(heat, place.with_suffix(".npy"))
        logit = float(found.logits[0, index])
        print(
            f"{path}: {model.spec.classes[index]} at {gradcam.layer}, logit {logit:.2f}, "
            f"strongest place {heat.max():.2f} of {args.reference:g} logits drawn at full colour; {place}"
        )
    print(DISCLAIMER)
    return 1 if films.failed else 0


def _class_index(asked: str | None, classes: tuple[str, ...], positive: str) -> int:
    if asked is None:
        return classes.index(positive)
    if asked.lower() in classes:
        return classes.index(asked.lower())
    if asked.isdigit() and int(asked) < len(classes):
        return int(asked)
    raise UserError(f"there is no class '{asked}'; the model knows {', '.join(classes)}")


def _save_raw(heat: np.ndarray, path: Path) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, heat)
