"""`ai-for-sudan train`: verify the films, split by patient, train, quantise."""

from __future__ import annotations

import argparse
import logging
import platform
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import fields
from pathlib import Path

import torch

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.data import add_data_options, decoded, manifest_of
from ai_for_sudan.datasets import Manifest, decode, sites_of, split_manifest, verify
from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation.file_table import file_table
from ai_for_sudan.files import alone
from ai_for_sudan.lungs import load_finder
from ai_for_sudan.models import Architecture, CheckpointState, ModelSpec, SplitRecord, create, load_checkpoint, names
from ai_for_sudan.models.checkpoint import start_from
from ai_for_sudan.models.mobilenet_v2 import imagenet_file
from ai_for_sudan.models.quantised import quantise, save_quantised
from ai_for_sudan.radiographs import content_hash
from ai_for_sudan.training import LabelledFilms, Recipe, best_path, fit
from ai_for_sudan.training.companions import Companions
from ai_for_sudan.training.examples import drawn_lungs
from ai_for_sudan.training.processes import Processes, processes
from ai_for_sudan.version import __version__

LUNGS_HELP = (
    "auto (default): the network sees the lungs that the shipped finder finds; whole: the whole film; or lungs that "
    "people drew: a folder of PNGs named like the films (white is lung), or a CSV with the columns film and mask"
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
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
    parser.add_argument("--recipe", metavar="FILE.toml", help="a recipe; the flags below change single values")
    parser.add_argument("--output_dir", default="outputs", type=Path, help="where checkpoints and curves are written")
    parser.add_argument("--resume", action="store_true", help="continue after the last complete epoch in --output_dir")
    parser.add_argument("--validation", type=float, default=0.15, help="share held out where there is no val folder")
    parser.add_argument(
        "--sites",
        choices=("balance", "ignore"),
        default="balance",
        help="with a column 'site': the same share of every class at each (default), or films as they occur",
    )
    parser.add_argument("--allow_overlap", action="store_true", help="train even though a patient is on both sides")
    group = parser.add_argument_group("recipe")
    for field in fields(Recipe):
        if field.name not in ("version", "model_type"):
            default = getattr(Recipe(), field.name)
            text = LUNGS_HELP if field.name == "lungs" else f"default {default!r}"
            group.add_argument(f"--{field.name}", type=type(default), help=text)


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    # DDP's reducer and torch's compiler log at import; a user reads only what concerns the films.
    logging.getLogger("torch.distributed").setLevel(logging.ERROR)
    with processes() as group:
        return _train(args, group)


def _train(args: argparse.Namespace, group: Processes) -> int:
    recipe = Recipe.given(args.recipe, vars(args))
    manifest = manifest_of(args)
    companions = _companions(recipe, manifest)
    say = print if group.first else (lambda *_: None)
    torch.manual_seed(recipe.seed)
    model = create(  # first, because missing weights should cost nobody the time that verifying takes
        recipe.model_type,
        manifest.classes,
        positive=manifest.positive,
        task=manifest.task,
        pretrained=args.pretrained,
        finder=None if recipe.lungs == "whole" else load_finder(),
        abnormal=companions is not None and companions.know_other_diseases,
    )
    if recipe.initial:
        start_from(model, recipe.initial)
    folder = group.share(_folder(args.output_dir, model.spec) if group.first else None)
    if folder != args.output_dir:
        say(f"{args.output_dir} holds another architecture, which is kept; this {recipe.model_type} goes to {folder}")
    with _alone(folder) if group.first else nullcontext():
        return _train_in(folder, args, group, recipe, manifest, model, companions)


def _train_in(
    folder: Path,
    args: argparse.Namespace,
    group: Processes,
    recipe: Recipe,
    manifest: Manifest,
    model: Architecture,
    companions: Companions | None,
) -> int:
    say = print if group.first else (lambda *_: None)
    _given_sides(args, manifest)  # a table that cannot be trained on costs nobody the time of decoding
    if group.first:  # one process decodes, the others find the cache
        verify(decoded(args, manifest, model.spec.input_size), allow_overlap=args.allow_overlap)
    group.wait()
    films = decode(manifest, size=model.spec.input_size, cache_dir=args.cache_dir, skip_unreadable=args.skip_unreadable)
    manifest = films.manifest
    train, validation, split = _sides(args, manifest, recipe.seed, folder, group)
    say(
        f"{len(manifest.films)} films, classes {', '.join(manifest.classes)} (reported: {manifest.positive}); "
        f"{len(train)} to train on, {len(validation)} to validate on, split {split.grouped_by}"
    )
    sites = sites_of(manifest) if args.sites == "balance" else None
    if sites is not None:
        say(f"{len(set(sites))} sites, each trained on with the same share of every class")
    lungs = drawn_lungs(recipe, manifest, sorted({*train, *validation}))
    if lungs is not None:
        say(f"{recipe.masks}: lungs as people drew them; the reader that is exported finds them itself")
    labelled = LabelledFilms.of(manifest, films.pixels, sites, lungs)
    held_out = labelled.take(validation)
    say(f"{recipe.model_type}: {sum(p.numel() for p in model.parameters()):,} parameters")
    fitted = fit(
        recipe,
        model,
        labelled.take(train),
        held_out,
        folder,
        state=CheckpointState(
            split=split,
            data=str(args.data_dir),
            version=__version__,
            software={"Python": platform.python_version(), "PyTorch": str(torch.__version__)},
            command=args.typed,
            initial_weights=_initial_weights(args.pretrained, recipe.seed),
        ),
        resume=args.resume,
        group=group,
        companions=companions,
    )
    if group.first:
        point = fitted.state.operating_point
        print(
            f"{fitted.checkpoint}: not seen below {point['not_seen_below']:.4f}, suspected from "
            f"{point['suspected_from']:.4f} ({point['reason']})"
        )
        _quantise(fitted.checkpoint, held_out)
        if folder != args.output_dir:
            print(
                f"measure it: python evaluate.py --data_dir {args.data_dir} --checkpoint {fitted.checkpoint} "
                f"--model_type {recipe.model_type}"
            )
        print(DISCLAIMER)
    return 0


def _quantise(checkpoint: Path, held_out: LabelledFilms) -> None:
    """Write ``quantized_model.pth`` beside the checkpoint and print what both files do with the validation films."""
    model, state = load_checkpoint(checkpoint)
    small = checkpoint.with_name("quantized_model.pth")
    save_quantised(small, quantise(model), state)
    print("the validation films, read with each file:")
    print(file_table([checkpoint, small], held_out.pixels, held_out.labels))


def _folder(output_dir: Path, spec: ModelSpec) -> Path:
    """Where the run goes: a folder that holds another architecture is kept, and the run goes beside it.

    Raises:
        UserError: what is there is of other classes, or not a checkpoint of this project; it is not replaced.
    """
    there = best_path(output_dir)
    if not there.exists():
        return output_dir
    try:
        held = load_checkpoint(there)[0].spec
    except UserError as error:
        raise UserError(f"{error}; it is not replaced: give another --output_dir") from error
    if held.name != spec.name and output_dir.name != spec.name:
        return _folder(output_dir / spec.name, spec)
    if held != spec:
        raise UserError(
            f"{there} holds a {held.name} that reports {held.positive} of {', '.join(held.classes)}, this run "
            f"{spec.positive} of {', '.join(spec.classes)}; it is not replaced: give another --output_dir"
        )
    return output_dir


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder for this run; one that stays empty is removed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror or error}") from error
    try:
        with alone(folder):
            yield
    finally:
        with suppress(OSError):
            if [path.name for path in folder.iterdir()] == [".lock"]:
                (folder / ".lock").unlink()
                folder.rmdir()


def _initial_weights(pretrained: bool | str, seed: int) -> dict[str, str]:
    if not pretrained:
        return {"name": f"random, seed {seed}"}
    file = imagenet_file() if isinstance(pretrained, bool) else Path(pretrained)
    name = "ImageNet, as published by torchvision" if isinstance(pretrained, bool) else file.name
    return {"name": name, "sha256": content_hash(file)}


def _companions(recipe: Recipe, manifest: Manifest) -> Companions | None:
    if not recipe.companions:
        return None
    if recipe.lungs == "whole" or manifest.task != "exclusive" or len(manifest.classes) != 2:
        raise UserError("companions teach about lungs: they need --lungs auto and two classes that exclude each other")
    return Companions.load(Path(recipe.companions), manifest.classes, manifest.positive, ModelSpec.input_size)


def _given_sides(args: argparse.Namespace, manifest: Manifest) -> tuple[list[int], list[int]] | None:
    """Return the films to train on and to validate on, where the data says which; None where it says nothing.

    Raises:
        UserError: nothing is left to train on, or some films are on no side.
    """
    sides = [film.split for film in manifest.films]
    if "val" not in sides:
        return None
    train = [i for i, side in enumerate(sides) if side == "train"]
    validation = [i for i, side in enumerate(sides) if side == "val"]
    if not train:
        raise UserError(f"{args.data_dir}: there are films to validate on but none to train on")
    if without := sides.count(None):
        raise UserError(
            f"{args.data_dir}: {without} films have no split though others are marked val; mark them, or leave "
            "the column out"
        )
    return train, validation


def _sides(
    args: argparse.Namespace, manifest: Manifest, seed: int, folder: Path, group: Processes
) -> tuple[list[int], list[int], SplitRecord]:
    """Which films train and which validate: as the data says, else split by patient and saved beside the run."""
    given = _given_sides(args, manifest)
    if given is not None:
        return *given, SplitRecord("as given by the data")
    path = folder / "split.json"
    # The first process writes the file, which the other machines may not see.
    split = group.share(
        split_manifest(manifest, fraction=args.validation, seed=seed, path=path) if group.first else None
    )
    if split.grouped_by == "image" and group.first:
        print(
            "no patient is known, so the split is by image: films of one patient may lie on both sides and the "
            "validation figures may be too good; give --patient_rule or a patient column"
        )
    record = SplitRecord(f"by {split.grouped_by}", split.identity, path.name, len(split.train), len(split.validation))
    return split.train, split.validation, record
