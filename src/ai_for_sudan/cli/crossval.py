"""`ai-for-sudan crossval`: k folds by patient, or one a site."""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.data import add_data_options, decoded, manifest_of, patients_in_words
from ai_for_sudan.datasets import folds, labels, verify, without_patient
from ai_for_sudan.datasets.split import groups
from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation.crossval import FIGURES, pooled
from ai_for_sudan.files import write_json
from ai_for_sudan.lungs import load_finder
from ai_for_sudan.models import Architecture, create, names
from ai_for_sudan.pages import interval, statuses_in_words, write_page
from ai_for_sudan.statistics.comparison import in_words
from ai_for_sudan.training import LabelledFilms, Recipe
from ai_for_sudan.training.examples import drawn_lungs
from ai_for_sudan.training.folds import Fold, folds_of_parts, folds_of_sites, kept_predictions, predict_folds, same_run


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_data_options(parser)
    parser.add_argument("--model_type", choices=names())
    parser.add_argument("--pretrained", nargs="?", const=True, default=False, metavar="PATH", help="ImageNet weights")
    parser.add_argument("--recipe", metavar="FILE.toml", help="how each fold is trained")
    parser.add_argument("--epochs", type=int, help="overrides the recipe's")
    parser.add_argument("--small_epochs", type=int, help="overrides the recipe's")
    parser.add_argument("--seed", type=int, help="overrides the recipe's")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument(
        "--by",
        choices=("patient", "site"),
        default="patient",
        help="'site': instead of --folds, leave out one site of the manifest's column 'site' at a time",
    )
    parser.add_argument("--frozen", action="store_true", help="fit only a head, on features computed once")
    parser.add_argument("--jobs", type=int, help="folds trained in parallel (default: one per GPU)")
    parser.add_argument(
        "--against", type=Path, metavar="DIR", help="the --output_dir of another model on the same folds, to compare"
    )
    parser.add_argument("--output_dir", type=Path, default=Path("outputs/crossval"))


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    if args.jobs is not None and args.jobs < 1:
        raise UserError(f"--jobs must be at least 1, not {args.jobs}")
    if args.folds < 3 and not args.frozen and args.by == "patient":
        raise UserError(f"--folds must be at least 3, not {args.folds}: one tests, one validates, the others train")
    given = _given(args)
    recipe, films, sides = given.recipe, given.films, list(given.folds.values())
    facts = {"recipe": recipe.to_dict(), "frozen": args.frozen, "pretrained": str(args.pretrained), "by": args.by}
    same_run(args.output_dir, facts, films.labels)
    jobs = min(args.jobs or max(1, torch.cuda.device_count()), len(sides))
    if jobs > 1 and not args.frozen:
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
            list(pool.map(_one_fold, [args] * len(sides), range(len(sides)), [jobs] * len(sides)))
    predict_folds(recipe, given.make_model, films, sides, args.output_dir, frozen=args.frozen)
    spec = given.make_model().spec
    predicted = kept_predictions(args.output_dir, sides, len(spec.classes))
    result = pooled(
        spec,
        films.labels,
        films.patients,
        [fold.test for fold in sides],
        predicted,
        against=kept_predictions(args.against, sides, len(spec.classes)) if args.against else None,
        seed=recipe.seed,
    )
    for name, fold in zip(given.folds, result["folds"], strict=True):
        fold["name"] = name
    taken = sum(len(fold.test) for fold in sides)
    result = {
        "data": str(args.data_dir),
        "recipe": recipe.to_dict(),
        "frozen": args.frozen,
        "by": args.by,
        "films_without_patient": given.without_patient,
        "excluded": [f"{len(films) - taken} films are marked as test"] if taken < len(films) else [],
        "against": str(args.against) if args.against else None,
        **result,
    }
    write_json(args.output_dir / "crossval.json", result)
    words = in_words(result["comparison"], recipe.model_type, str(args.against)) if args.against else None
    write_page(
        "ai_for_sudan.evaluation",
        args.output_dir / "crossval.html",
        title=f"Cross-validation of {recipe.model_type}",
        classes=spec.classes,
        figures=FIGURES,
        comparison=words,
        patients=patients_in_words(taken, result["pooled"]["patients"], given.without_patient),
        r=result,
    )
    for text in result["excluded"]:
        print(f"left out: {text}")
    print(patients_in_words(taken, result["pooled"]["patients"], given.without_patient))
    _print(result, words)
    print(f"{args.output_dir / 'crossval.html'}\n{DISCLAIMER}")
    return 0


@dataclass(frozen=True)
class _Given:
    recipe: Recipe
    make_model: Callable[[], Architecture]
    films: LabelledFilms
    folds: dict[str, Fold]
    without_patient: int


def _given(args: argparse.Namespace) -> _Given:
    """What the options ask for."""
    recipe = Recipe.given(args.recipe, vars(args))
    if args.frozen and recipe.masks is not None:
        raise UserError(f"--frozen uses the lungs that the finder finds, not those of {recipe.masks}; leave one out")
    manifest = manifest_of(args)
    finder = None if recipe.lungs == "whole" else load_finder()

    def make_model() -> Architecture:
        return create(
            recipe.model_type,
            manifest.classes,
            positive=manifest.positive,
            task=manifest.task,
            pretrained=args.pretrained,
            finder=finder,
        )

    decoded_films = decoded(args, manifest, make_model().spec.input_size)
    verify(decoded_films, allow_overlap=True)
    manifest = decoded_films.manifest
    truth = labels(manifest)
    if args.by == "site":
        sites = np.array([film.facts.get("site", "") for film in manifest.films])
        taking_part = [i for i, film in enumerate(manifest.films) if film.split != "test"]
        strata = truth if truth.ndim == 1 else truth[:, manifest.classes.index(manifest.positive)]
        sides = folds_of_sites(sites, taking_part, groups(manifest), strata, recipe.seed)
    else:
        parts = folds(manifest, args.folds, recipe.seed, args.output_dir / "folds.json")
        sides = {str(number): fold for number, fold in enumerate(folds_of_parts(parts), start=1)}

    fitted_on = sorted({int(row) for fold in sides.values() for row in (*fold.train, *fold.validation)})
    lungs = drawn_lungs(recipe, manifest, fitted_on)
    # Trained on so that a site predicts nothing; folds by patient are measured on the films as they occur.
    films = LabelledFilms.of(manifest, decoded_films.pixels, sites if args.by == "site" else None, lungs)
    return _Given(recipe, make_model, films, sides, without_patient(manifest))


def _one_fold(args: argparse.Namespace, number: int, jobs: int) -> None:
    """In a process of its own: one fold, on its share of the machine."""
    if torch.cuda.is_available():
        torch.cuda.set_device(number % torch.cuda.device_count())
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // jobs))
    given = _given(args)
    sides = list(given.folds.values())
    predict_folds(given.recipe, given.make_model, given.films, sides, args.output_dir, only=[number])


def _print(result: dict[str, Any], comparison: str | None) -> None:
    pooled = result["pooled"]
    print("\n".join(statuses_in_words(result["statuses"], pooled["positive"])))
    point = pooled["operating_points"]["0.5"]
    print(f"{'':<14}{'mean':>8}{'SD':>8}   pooled, 95 % by patient ({pooled['positive']} at 0.5)")
    for name in FIGURES:
        values = "".join(
            f"{'-' if (v := result[of][name]) is None else format(v, '.4f'):>8}" for of in ("mean", "spread")
        )
        print(f"{name:<14}{values}   {interval(point[name], 4)}")
    if "accuracy" in pooled:
        print(f"accuracy over all classes: {interval(pooled['accuracy'], 4)}")
    for group in ("classes", "findings"):
        for name, found in pooled.get(group, {}).items():
            print(f"{name:<20}AUROC {interval(found['auroc'], 4)}  ({found['films']} films)")
    for fold in result["folds"] if result["by"] == "site" else ():
        at = fold["operating_points"]["0.5"]
        print(
            f"without {fold['name']:<16}AUROC {interval(at['auroc'])}  specificity {interval(at['specificity'])}  "
            f"ECE {interval(at['ece'])}  ({fold['films']} films)"
        )
    if comparison:
        print(comparison)
