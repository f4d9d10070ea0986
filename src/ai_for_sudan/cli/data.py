"""The options that name the films, for every command of the training side."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ai_for_sudan.datasets import Decoded, decode, load_manifest
from ai_for_sudan.datasets.cache import listing
from ai_for_sudan.datasets.manifest import Manifest


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where films, labels and patients are."""
    parser.add_argument(
        "--data_dir", required=True, type=Path, help="a folder of class folders, a CSV manifest or a MedMNIST .npz"
    )
    parser.add_argument(
        "--patient_rule",
        metavar="RULE",
        help="how a file name identifies the patient: 'kermany', or 'regex:PATTERN' with one group",
    )
    parser.add_argument("--label_rule", metavar="RULE", help="how a file name identifies the class: 'kermany3'")
    parser.add_argument("--label_columns", nargs="+", metavar="COLUMN", help="findings of a multi-label CSV")
    parser.add_argument("--positive", metavar="CLASS", help="the class that a reading reports (default: pneumonia)")
    parser.add_argument(
        "--skip_unreadable", action="store_true", help="leave out films that cannot be decoded; they are named"
    )
    parser.add_argument(
        "--cache_dir", type=Path, help="where decoded films are cached (default: in the user's cache folder)"
    )


def decoded(args: argparse.Namespace, manifest: Manifest, size: int) -> Decoded:
    """Decode the films at ``size`` a side; those that are left out are named on standard error.

    Raises:
        UserError: films cannot be decoded, and ``--skip_unreadable`` was not given.
    """
    films = decode(manifest, size=size, cache_dir=args.cache_dir, skip_unreadable=args.skip_unreadable)
    if films.left_out:
        title = f"{len(films.left_out)} of {len(manifest.films)} films cannot be read and are left out"
        print(listing(title, [f"{file}: {reason}" for file, reason in films.left_out]), file=sys.stderr)
    return films


def manifest_of(args: argparse.Namespace, positive: str | None = None) -> Manifest:
    """Read what films the options name; ``positive`` is reported unless ``--positive`` says otherwise."""
    return load_manifest(
        args.data_dir,
        positive=args.positive or positive,
        patient_rule=args.patient_rule,
        label_rule=args.label_rule,
        label_columns=args.label_columns,
    )


def patients_in_words(films: int, patients: int, without: int) -> str:
    """How many films are of how many patients, and what follows where that is not known."""
    if not without:
        return f"{films} films of {patients} patients"
    whose = "whose patients are unknown" if without >= films else f"of which {without} are of unknown patients"
    return (
        f"{films} films, {whose}: each counts as a patient of its own, so the same patient may be on both sides and "
        "intervals are too narrow; give a patient column, or --patient_rule"
    )
