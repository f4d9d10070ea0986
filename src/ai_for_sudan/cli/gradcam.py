"""`ai-for-sudan gradcam`: the Grad-CAM heatmap of films, for any class at any layer."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.inputs import add_film_options, films_and_place, save_png
from ai_for_sudan.datasets import Film, squash
from ai_for_sudan.errors import UnreadableFilm, UserError, printable
from ai_for_sudan.evaluation.subject import load_model
from ai_for_sudan.explanation import GradCAM, in_film
from ai_for_sudan.files import replacing
from ai_for_sudan.models import ModelSpec, as_batch, probabilities
from ai_for_sudan.reading.overlay import overlay, with_legend


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_film_options(parser)
    parser.add_argument("--target_class", metavar="CLASS", help="name or number (default: the class that it reports)")
    parser.add_argument("--layer", help="name of a module with a feature map (default: the last feature map)")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("outputs/gradcam"),
        help="a .png for one film, a folder for several (default: %(default)s)",
    )
    parser.add_argument(
        "--overlay",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="draw the film under the heatmap (default); --no-overlay draws the map alone on black",
    )
    parser.add_argument(
        "--reference",
        type=float,
        metavar="LOGITS",
        help="attribution drawn at full colour (default: 5 logits divided by the number of places in the map)",
    )
    parser.add_argument("--raw", action="store_true", help="save the map as .npy too, float32, not resized")
    parser.add_argument("--json", action="store_true", help="print one JSON object per film on standard output")


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    if args.reference is not None and not (args.reference > 0 and math.isfinite(args.reference)):
        raise UserError(f"--reference must be more than 0 logits, not {args.reference}")
    if args.checkpoint.suffix == ".onnx":
        raise UserError(
            f"{args.checkpoint} is a reader file, which holds only the heatmap of its last feature map; draw that with "
            "`inference`, or give a checkpoint"
        )
    films, place = films_and_place(args.image, args.output, "gradcam")
    model, _ = load_model(args.checkpoint, args.model_type)
    spec = model.spec
    target = _class_number(args.target_class, spec)
    gradcam = GradCAM(model, args.layer)
    where = next(model.parameters()).device
    failed = 0
    for film in films:
        try:
            pixels = Film(str(film), None).pixels()
        except UnreadableFilm as error:
            failed += 1
            _say(args, {"file": str(film), "status": "failed", "code": error.code, "reason": error.reason})
            continue
        batch = as_batch(squash(pixels, spec.input_size)[None], where)
        found = gradcam(batch, target)
        attribution = found.maps[0].cpu().numpy()
        if not (np.isfinite(attribution).all() and bool(found.logits.isfinite().all())):
            raise UserError(f"{args.checkpoint} gives NaN for {film}: its weights are damaged; train it again")
        full_colour = args.reference or found.full_colour
        path = place(film)
        ground = pixels if args.overlay else np.zeros_like(pixels)
        raw = path.with_suffix(".npy") if args.raw else None
        try:
            if raw and raw.exists() and not path.exists():  # an array carries no mark of ours, its picture does
                raise UserError(f"{raw} was not written by this command and would be replaced; name another place")
            placed = in_film(model, batch, found.maps, gradcam.layer)[0].cpu().numpy()
            save_png(with_legend(overlay(ground, placed, full_colour)), path)
            if raw:
                with replacing(raw) as temporary, temporary.open("wb") as file:
                    np.save(file, attribution)
        except (UserError, OSError) as error:  # one picture that cannot be kept stops no batch
            if len(films) == 1:
                raise
            failed += 1
            _say(args, {"file": str(film), "status": "failed", "code": "not_saved", "reason": str(error)})
            continue
        _say(
            args,
            {
                "file": str(film),
                "status": "drawn",
                "class": spec.classes[target],
                "probability": round(float(probabilities(found.logits, spec.task)[0, target]), 6),
                "logit": round(float(found.logits[0, target]), 4),
                "layer": gradcam.layer,
                "size": list(attribution.shape),
                "peak": round(float(attribution.max()), 6),
                "sum": round(float(attribution.sum()), 6),
                "full_colour": round(full_colour, 6),
                "heatmap": str(path),
                "raw": str(raw) if raw else None,
            },
        )
    if not args.json:
        print(f"The map is in logits and not stretched: a weak map looks weak.\n{DISCLAIMER}")
    return 1 if failed else 0


def _class_number(given: str | None, spec: ModelSpec) -> int:
    """Raises ``UserError`` for a class that the model does not have."""
    if given is None:
        return spec.positive_index
    lowered = [name.lower() for name in spec.classes]
    if given.lower() in lowered:
        return lowered.index(given.lower())
    if given.isdecimal() and int(given) < len(spec.classes):
        return int(given)
    numbered = ", ".join(f"{number} {name}" for number, name in enumerate(spec.classes))
    raise UserError(f"the model has no class '{given}'; it has: {numbered}")


def _say(args: argparse.Namespace, line: dict[str, Any]) -> None:
    if args.json:
        print(json.dumps(line), flush=True)
    elif line["status"] == "failed":
        print(printable(f"{line['file']}: {line['reason']}"), file=sys.stderr)
    else:
        kept = ", ".join(filter(None, (line["heatmap"], line["raw"])))
        print(
            f"{printable(line['file'])}: {line['class']} {line['probability']:.3f} (logit {line['logit']:.2f}) "
            f"at {line['layer']} {line['size'][0]}x{line['size'][1]}, peak {line['peak']:.3g}, "
            f"full colour at {line['full_colour']:.3g} -> {printable(kept)}"
        )
