"""`ai-for-sudan train`: verify the films, split by patient, train, quantise."""

from __future__ import annotations

import argparse
import logging
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.data import add_data_options, manifest_of
from ai_for_sudan.datasets import labels, load_pixels, split_manifest, verify
from ai_for_sudan.datasets.manifest import Manifest
from ai_for_sudan.errors import UserError
from ai_for_sudan.models import create, names
from ai_for_sudan.training import LabelledFilms, Recipe, fit
from ai_for_sudan.training.processes import Processes, processes
from ai_for_sudan.training.quantisation import quantise_and_compare
from ai_for_sudan.version import __version__


def configure(parser: argparse.ArgumentParser) -> None:
    add_data_options(parser)
    parser.add_argument("--model_type", choices=names(), help="the architecture (default: the recipe's, or custom_cnn)")
    parser.add_argument(
        "--pretrained",
        nargs="?",
        const=True,
        default=False,
        metavar="PATH",
        help="start from ImageNet weights: torchvision's own, or a local file",
    )
    parser.add_argument("--recipe", metavar="FILE.toml", help="a recipe; the flags below change single values of it")
    parser.add_argument("--output_dir", default="outputs", type=Path, help="where checkpoints and curves go")
    parser.add_argument("--resume", action="store_true", help="go on after the last complete epoch in --output_dir")
    parser.add_argument("--validation", type=float, default=0.15, help="share held out where there is no val folder")
    parser.add_argument("--allow_overlap", action="store_true", help="train though a patient is on both sides")
    group = parser.add_argument_group("recipe")
    for field in fields(Recipe):
        if field.name not in ("version", "model_type"):
            kind = type(getattr(Recipe(), field.name))
            group.add_argument(f"--{field.name}", type=kind, help=f"default {getattr(Recipe(), field.name)!r}")


def run(args: argparse.Namespace) -> int:
    # DDP's reducer and torch's compiler log at import; a user reads only what concerns the films.
    logging.getLogger("torch.distributed").setLevel(logging.ERROR)
    with processes() as group:
        return _train(args, group)


def _train(args: argparse.Namespace, group: Processes) -> int:
    recipe = _recipe(args)
    manifest = manifest_of(args)
    say = print if group.first else (lambda *_: None)
    torch.manual_seed(recipe.seed)
    model = create(  # first, because missing weights should cost nobody the time that verifying takes
        recipe.model_type,
        manifest.classes,
        positive=manifest.positive,
        task=manifest.task,
        pretrained=args.pretrained,
    )
    if group.first:
        verify(manifest, allow_overlap=args.allow_overlap)
    group.wait()
    train, validation, split = _sides(args, manifest, recipe.seed, group)
    say(
        f"{len(manifest.films)} films, classes {', '.join(manifest.classes)} (reported: {manifest.positive}); "
        f"{len(train)} to train on, {len(validation)} to validate on, split {split['grouped_by']}"
    )
    if group.first:  # one process decodes, the others find the cache
        load_pixels(manifest, size=model.spec.input_size, cache_dir=args.cache_dir)
    group.wait()
    pixels, truth = load_pixels(manifest, size=model.spec.input_size, cache_dir=args.cache_dir), labels(manifest)
    say(f"{recipe.model_type}: {sum(p.numel() for p in model.parameters()):,} parameters")
    fitted = fit(
        recipe,
        model,
        LabelledFilms(pixels[train], truth[train]),
        LabelledFilms(pixels[validation], truth[validation]),
        args.output_dir,
        state={"split": split, "version": __version__, "data": str(args.data_dir)},
        resume=args.resume,
        group=group,
    )
    if group.first:
        point = fitted.state["operating_point"]
        print(f"{fitted.checkpoint}: operating point {point['threshold']:.4f} ({point['reason']})")
        print(
            quantise_and_compare(
                fitted.model.cpu(),
                pixels[validation],
                truth[validation],
                fitted.checkpoint.with_name("quantized_model.pth"),
            )
        )
        print(DISCLAIMER)
    return 0


def _recipe(args: argparse.Namespace) -> Recipe:
    recipe = Recipe.load(args.recipe) if args.recipe else Recipe()
    given: dict[str, Any] = {f.name: getattr(args, f.name) for f in fields(Recipe) if f.name != "version"}
    return recipe.changed({key: value for key, value in given.items() if value is not None}, "command line")


def _sides(
    args: argparse.Namespace, manifest: Manifest, seed: int, group: Processes
) -> tuple[list[int], list[int], dict[str, Any]]:
    """Which films train and which validate: as the data says, else split by patient and saved beside the run."""
    sides = [film.split for film in manifest.films]
    if "val" in sides:
        train = [i for i, side in enumerate(sides) if side == "train"]
        validation = [i for i, side in enumerate(sides) if side == "val"]
        if not train:
            raise UserError(f"{args.data_dir}: there are films to validate on but none to train on")
        if without := sides.count(None):
            raise UserError(
                f"{args.data_dir}: {without} films have no split though others are marked val; mark them, or leave "
                "the column out"
            )
        return train, validation, {"grouped_by": "as given by the data", "path": None}
    path = args.output_dir / "split.json"
    # The first process writes the file, which the other machines may not see.
    split = group.share(
        split_manifest(manifest, fraction=args.validation, seed=seed, path=path) if group.first else None
    )
    if split.grouped_by == "image" and group.first:
        print(
            "no patient is known, so the split is by image: films of one patient may lie on both sides and the "
            "validation figures may flatter; give --patient_rule or a patient column"
        )
    facts = {
        "grouped_by": f"by {split.grouped_by}",
        "identity": split.identity,
        "path": path.name,
        "train_films": len(split.train),
        "validation_films": len(split.validation),
    }
    return split.train, split.validation, facts
