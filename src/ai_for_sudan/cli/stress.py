"""`ai-for-sudan stress`: a reader on perturbed films."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.data import add_data_options, decoded, manifest_of
from ai_for_sudan.contract.names import DEFAULT_READER
from ai_for_sudan.datasets import patients
from ai_for_sudan.disturbances import STRESS_KINDS
from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation.readings import chosen_films, truth_of, without_truth
from ai_for_sudan.evaluation.stress import StressRow, figure, stress
from ai_for_sudan.files import write_json
from ai_for_sudan.pages import interval, write_page
from ai_for_sudan.reading import Reader
from ai_for_sudan.statistics import as_json


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_data_options(parser)
    parser.add_argument("--reader", default=DEFAULT_READER, help="a shipped reader or a reader file")
    parser.add_argument("--operating_point", help="which of the card's (default: the card's)")
    parser.add_argument("--split", type=Path, metavar="split.json", help="measure on the films that this run held out")
    parser.add_argument("--films", type=int, default=400, help="at most this many, drawn with the seed")
    parser.add_argument("--kinds", nargs="+", choices=STRESS_KINDS, default=list(STRESS_KINDS))
    parser.add_argument("--output_dir", type=Path, default=Path("outputs/stress"))
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    reader = Reader.open(args.reader)
    films = decoded(args, manifest_of(args, reader.card.positive), reader.card.input.size or 224)
    manifest = films.manifest
    labels = truth_of(manifest, reader.card)
    chosen = chosen_films(args.split, manifest, args.seed, args.films)
    excluded = without_truth(manifest, labels, reader.card, chosen)
    chosen = chosen[~np.isnan(labels[chosen])]
    truth = labels[chosen].astype(int)
    if len(np.unique(truth)) < 2:
        raise UserError(f"{args.data_dir}: the {len(chosen)} films to measure on are all of one class; both are needed")
    pixels = films.pixels[chosen]
    point = reader.card.operating_point(args.operating_point).name
    print(
        f"{'kind':<13}{'severity':>8}{'missed':>9}{'false alarms':>14}{'left':>9}{'refused':>9}"
        f"{'AUROC':>26}{'sensitivity':>26}{'specificity':>26}"
    )
    rows = stress(
        reader,
        pixels,
        truth,
        patients(manifest)[chosen],
        tuple(args.kinds),
        operating_point=args.operating_point,
        seed=args.seed,
        then=_print,
    )  # fmt: skip
    facts = {"reader": reader.card.title, "data": str(args.data_dir), "films": len(chosen), "operating_point": point}
    write_json(
        args.output_dir / "stress.json", {**facts, "seed": args.seed, "excluded": excluded, "rows": as_json(rows)}
    )
    write_page(
        "ai_for_sudan.evaluation",
        args.output_dir / "stress.html",
        title=f"{reader.card.title} on perturbed films",
        reader=reader.card.title,
        films=len(chosen),
        excluded=excluded,
        data=str(args.data_dir),
        point=point,
        rows=rows,
        figure=figure(rows, args.kinds),
    )
    for text in excluded:
        print(text)
    print(f"{args.output_dir / 'stress.html'}\n{DISCLAIMER}")
    return 0


def _print(row: StressRow) -> None:
    table = row.statuses
    print(
        f"{row.kind:<13}{row.severity:>8}{table.missed.value:>9.1%}{table.false_alarms.value:>14.1%}"
        f"{table.left_to_a_person.value:>9.1%}{table.refused.value:>9.1%}"
        f"{interval(row.auroc):>26}{interval(row.sensitivity):>26}{interval(row.specificity):>26}",
        flush=True,
    )
