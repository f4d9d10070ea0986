"""`ai-for-sudan crossval`: k folds by patient."""

from __future__ import annotations

import argparse
from pathlib import Path

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.data import add_data_options, manifest_of
from ai_for_sudan.datasets import folds, labels, load_pixels, patients, verify
from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation.crossval import cross_validate
from ai_for_sudan.evaluation.report import interval, render_page
from ai_for_sudan.files import write_json
from ai_for_sudan.models import create, names
from ai_for_sudan.training import LabelledFilms, Recipe


def configure(parser: argparse.ArgumentParser) -> None:
    add_data_options(parser)
    parser.add_argument("--model_type", choices=names())
    parser.add_argument("--pretrained", nargs="?", const=True, default=False, metavar="PATH", help="ImageNet weights")
    parser.add_argument("--recipe", metavar="FILE.toml", help="how each fold is trained")
    parser.add_argument("--epochs", type=int, help="overrides the recipe's")
    parser.add_argument("--small_epochs", type=int, help="overrides the recipe's")
    parser.add_argument("--seed", type=int, help="overrides the recipe's")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--frozen", action="store_true", help="fit only a head on features that are computed once")
    parser.add_argument("--output_dir", type=Path, default=Path("outputs/crossval"))


def run(args: argparse.Namespace) -> int:
    recipe = Recipe.load(args.recipe) if args.recipe else Recipe()
    given = {key: getattr(args, key) for key in ("model_type", "epochs", "small_epochs", "seed")}
    recipe = recipe.changed({key: value for key, value in given.items() if value is not None}, "command line")
    manifest = manifest_of(args)
    if manifest.task != "exclusive" and args.frozen:
        raise UserError("--frozen fits one head over exclusive classes; cross-validate findings without it")
    verify(manifest, allow_overlap=True)
    parts = folds(manifest, args.folds, recipe.seed, args.output_dir / "folds.json")

    def make_model():  # type: ignore[no-untyped-def]
        return create(
            recipe.model_type,
            manifest.classes,
            positive=manifest.positive,
            task=manifest.task,
            pretrained=args.pretrained,
        )

    pixels = load_pixels(manifest, size=make_model().spec.input_size, cache_dir=args.cache_dir)
    owners = patients(manifest)
    result = cross_validate(
        recipe,
        make_model,
        LabelledFilms(pixels, labels(manifest)),
        parts,
        owners,
        args.output_dir,
        frozen=args.frozen,
    )
    write_json(args.output_dir / "crossval.json", {"data": str(args.data_dir), **result})
    render_page(
        "crossval.html",
        args.output_dir / "crossval.html",
        title=f"Cross-validation of {recipe.model_type}",
        parts=len(parts),
        films=result["pooled"]["films"],
        patients=result["pooled"]["patients"],
        data=str(args.data_dir),
        **{key: result[key] for key in ("mean", "spread", "folds", "frozen")},
        pooled=result["pooled"]["operating_points"]["0.5"],
    )
    pooled = result["pooled"]["operating_points"]["0.5"]
    print(f"{'':<14}{'mean':>8}{'SD':>8}   pooled, 95 % by patient")
    for name in ("auroc", "accuracy", "recall", "specificity", "f1", "brier", "ece"):
        print(f"{name:<14}{result['mean'][name]:>8.4f}{result['spread'][name]:>8.4f}   {interval(pooled[name], 4)}")
    print(f"{args.output_dir / 'crossval.html'}\n{DISCLAIMER}")
    return 0
