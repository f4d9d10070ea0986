"""`ai-for-sudan export`: the reader file of a checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.data import add_data_options, decoded, manifest_of
from ai_for_sudan.contract.ages import age_years
from ai_for_sudan.contract.card import Population
from ai_for_sudan.datasets import Film, Manifest, saved_split, sites_of
from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation.file_table import file_table
from ai_for_sudan.export import ExportOptions, GatePictures, Pictures, export_reader
from ai_for_sudan.models import CheckpointState, load_checkpoint, names, save_checkpoint
from ai_for_sudan.pages import statuses_in_words
from ai_for_sudan.training import LabelledFilms


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_data_options(parser)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--model_type", choices=names(), help="the architecture that it should contain")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.onnx")
    parser.add_argument("--name", help="of the reader (default: the file's name)")
    parser.add_argument("--int8", action="store_true", help="quantise; refused where the loss is too large")
    parser.add_argument(
        "--float_convolutions",
        type=int,
        help="how many stay float with --int8 (default: the fewest that keep the loss within limits)",
    )
    parser.add_argument("--bulk", action="store_true", help="also write FILE.bulk.onnx, for many films at network size")
    parser.add_argument("--safetensors", type=Path, metavar="FILE", help="also save the checkpoint without pickles")
    parser.add_argument("--torchscript", type=Path, metavar="FILE.pt")
    parser.add_argument("--pt2", type=Path, metavar="FILE.pt2")
    parser.add_argument(
        "--not_chest",
        type=Path,
        metavar="DIR",
        help="pictures that are not chest films, for the gate; lateral films in a folder 'lateral' inside",
    )
    parser.add_argument("--other_chest", type=Path, metavar="DIR", help="good films of another site, for the gate")
    parser.add_argument(
        "--healthy",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="films of healthy people of other hospitals, a folder each: few false alarms are promised there as well",
    )
    parser.add_argument("--operating_point", default="balanced", choices=("screening", "balanced", "rule-in"))
    parser.add_argument("--data_name", default="", help="what the card calls the training data")
    parser.add_argument("--licence", default="", help="of the training data")
    parser.add_argument("--population", metavar="TEXT", help="whom the reader is made for, in words (default: unknown)")
    parser.add_argument(
        "--ages",
        nargs=2,
        type=float,
        metavar=("FROM", "TO"),
        help="years of age that it is made for (default: those of the manifest's column 'age', or unknown)",
    )
    parser.add_argument("--reference_standard", default="", help="who or what said which films are positive")
    parser.add_argument(
        "--force", action="store_true", help="export it even though it predicts the label without the lungs"
    )
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    model, state = load_checkpoint(args.checkpoint, args.model_type)
    spec = model.spec
    films = decoded(args, manifest_of(args, spec.positive), spec.input_size)
    manifest = films.manifest
    if tuple(manifest.classes) != spec.classes:
        raise UserError(
            f"{args.data_dir} has the classes {', '.join(manifest.classes)}, the checkpoint {', '.join(spec.classes)}"
        )
    train, validation = _sides(args, manifest, state)
    labelled = LabelledFilms.of(manifest, films.pixels, sites_of(manifest))
    to_fit, to_choose = (labelled.take(side) for side in (train, validation))
    options = ExportOptions(
        name=args.name or args.output.stem,
        training={
            "data": args.data_name or str(args.data_dir.name),
            **{key: value for key in ("licence", "reference_standard") if (value := getattr(args, key))},
            "films": len(to_fit),
            "patients": len(np.unique(to_fit.patients)),
            "validation_films": len(to_choose),
            "validation_patients": len(np.unique(to_choose.patients)),
        },
        population=_population(args, [manifest.films[row] for row in train]),
        operating_point=args.operating_point,
        int8=args.int8,
        float_convolutions=args.float_convolutions,
        bulk=args.bulk,
        torchscript=args.torchscript,
        pt2=args.pt2,
        force=args.force,
        seed=args.seed,
        command=args.typed,
    )
    pictures = GatePictures(
        *(Pictures.below(folder, spec.input_size) if folder else None for folder in (args.other_chest, args.not_chest))
    )
    healthy = {_name(folder): Pictures.below(folder, spec.input_size) for folder in args.healthy}
    card = export_reader(model, state, to_fit, to_choose, args.output, options, pictures=pictures, healthy=healthy)
    files = [args.checkpoint, args.output]
    if args.safetensors:
        files.append(args.safetensors.with_suffix(".safetensors"))
        save_checkpoint(files[-1], model, state)
    print("the validation films, read with each file:")
    print(file_table(files, to_choose.pixels, to_choose.labels))
    for name, point in card["operating_points"].items():
        print(f"{name:<10} {point['reason']}")
        print(f"  not seen below {point['not_seen_below']:.3f}, suspected from {point['suspected_from']:.3f}")
        for films, table in point["measured"].items():
            print(f"  {films}: {statuses_in_words(table, card['positive'])[-1]}")
    print(f"calibration: {card['calibration']['ece']}")
    print(DISCLAIMER)
    return 0


def _name(folder: Path) -> str:
    """Name a set of films by its folder; ``films`` is no name, that of the folder above is."""
    full = folder.resolve()
    return full.parent.name if full.name == "films" else full.name


def _population(args: argparse.Namespace, films: list[Film]) -> Population:
    """Whom the reader is made for, by the options and by the columns ``age``, ``site`` and ``view`` of its films."""

    def said(column: str) -> tuple[str, ...] | None:
        return tuple(sorted({value for film in films if (value := film.facts.get(column))})) or None

    years = [age for film in films if (age := _years(film.facts.get("age", ""))) is not None]
    found = (float(int(min(years))), float(int(max(years)))) if len(years) == len(films) else None
    ages = tuple(args.ages) if args.ages else found
    return Population(age_years=ages, text=args.population, sites=said("site"), views=said("view"))


def _years(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return age_years(text)


def _sides(args: argparse.Namespace, manifest: Manifest, state: CheckpointState) -> tuple[list[int], list[int]]:
    """The run's own split: nothing may be chosen on films that were trained on."""
    sides = [film.split for film in manifest.films]
    if "val" in sides:
        return [i for i, s in enumerate(sides) if s == "train"], [i for i, s in enumerate(sides) if s == "val"]
    path = args.checkpoint.parent.parent / (state.split.path or "split.json")
    again = saved_split(path, manifest)
    if state.split.identity not in (None, again.identity):
        raise UserError(f"{path} is not the split that the checkpoint was trained with, or the films have changed")
    return again.train, again.validation
