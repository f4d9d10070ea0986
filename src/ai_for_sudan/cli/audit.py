"""`ai-for-sudan audit`: a reader for each group of patients."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.data import add_data_options, manifest_of
from ai_for_sudan.contract.names import DEFAULT_READER
from ai_for_sudan.datasets import Film, patients
from ai_for_sudan.datasets.regions import load_boxes
from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation.attribution import GRID
from ai_for_sudan.evaluation.audit import COLUMNS, audit, groups_of
from ai_for_sudan.evaluation.readings import without_truth
from ai_for_sudan.evaluation.report import WORST
from ai_for_sudan.evaluation.standing import Measured
from ai_for_sudan.evaluation.standing import in_words as in_words_of_evidence
from ai_for_sudan.files import write_json
from ai_for_sudan.pages import interval, statuses_in_words, write_page
from ai_for_sudan.reading import Reader
from ai_for_sudan.statistics import Calls, as_json, compare
from ai_for_sudan.statistics.comparison import in_words


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_data_options(parser)
    parser.add_argument("--reader", default=DEFAULT_READER, help="a shipped reader or a reader file")
    parser.add_argument("--operating_point", help="which of the card's (default: the card's)")
    parser.add_argument("--columns", nargs="+", default=list(COLUMNS), help="of the manifest (default: %(default)s)")
    parser.add_argument("--against", metavar="READER", help="another reader to compare with on the same films")
    parser.add_argument(
        "--lungs",
        type=Path,
        metavar="MASK_DIR",
        help="lungs as PNGs named like the films (not black is lung), in addition to those that the reader finds",
    )
    parser.add_argument(
        "--boxes", type=Path, metavar="CSV", help="file,boxes or file,x,y,width,height (default: the column 'boxes')"
    )
    parser.add_argument("--output_dir", type=Path, default=Path("outputs/audit"))


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    reader = Reader.open(args.reader)
    point = reader.card.operating_point(args.operating_point)
    other = Reader.open(args.against) if args.against else None
    manifest = manifest_of(args, reader.card.positive)
    boxes = load_boxes(manifest.films, GRID, args.boxes)
    measured, excluded = Measured.by(reader, manifest, point)
    theirs = np.zeros(0)
    if other is not None:
        of_other, more = Measured.by(other, manifest, other.card.operating_point(args.operating_point))
        excluded += [text for text in more if text not in excluded]
        measured = replace(measured, rows=np.intersect1d(measured.rows, of_other.rows))
        theirs = of_other.probability[measured.rows]
    rows = measured.rows
    excluded += without_truth(manifest, measured.truth, reader.card, np.arange(len(measured.truth)))
    truth, probability = measured.truth[rows].astype(int), measured.probability[rows]
    if len(np.unique(truth)) < 2:
        raise UserError(
            f"{args.data_dir}: {len(rows)} films with a label could be read; films of both classes are needed"
        )
    films = [manifest.films[i] for i in rows]
    columns = {
        name: groups_of(name, [film.facts.get(name, "") for film in films])
        for name in args.columns
        if any(film.facts.get(name) for film in films)
    }
    has_lungs = any(measured.readings[i].lungs is not None for i in rows)
    if not columns and not (any(one.size for one in boxes) or args.lungs or has_lungs):
        raise UserError(f"{args.data_dir} has none of the columns {', '.join(args.columns)}, so there are no groups")
    patient_ids = patients(manifest)[rows]
    found = audit(truth, probability, point.suspected_from, columns, patient_ids)
    result = {"statuses": measured.statuses(), **as_json(found)}
    words = None
    if other is not None:
        cut = other.card.operating_point(args.operating_point).suspected_from
        ours = Calls(probability, point.suspected_from)
        result["comparison"] = compare(truth, ours, Calls(theirs, cut), patient_ids)
        words = in_words(result["comparison"], reader.card.title, other.card.title)
    result["evidence"] = measured.evidence(boxes, args.lungs, cache_dir=args.cache_dir)
    result["mistakes"] = _mistakes(films, truth, probability, point.suspected_from)
    facts = {
        "reader": reader.card.title,
        "data": str(args.data_dir),
        "threshold": point.suspected_from,
        "refused": float(np.mean([measured.readings[i].status == "refused" for i in rows])),
    }
    write_json(args.output_dir / "audit.json", {**facts, "excluded": excluded, **result})
    refused = f"The reader's gate refused {facts['refused']:.1%} of these films; they are measured nevertheless."
    write_page(
        "ai_for_sudan.evaluation",
        args.output_dir / "audit.html",
        title=f"How {reader.card.title} does in each group",
        **{**facts, "excluded": [refused, *excluded]},
        positive=reader.card.positive,
        point=point,
        result=result,
        comparison=words,
    )
    print("\n".join(statuses_in_words(result["statuses"], reader.card.positive)))
    print(f"all {len(rows)} films ({len(excluded)} left out): AUROC {interval(found.all.auroc)}")
    for row in found.groups:
        print(f"{row.column:<9}{row.group:<18}{row.films:>6}  AUROC {interval(row.auroc)}  {row.note}")
    for one in found.confounding:
        if one.confounds:
            print(f"WARNING: {one.column} is linked with the label (Cramer's V {one.cramers_v:.2f})")
    print("\n".join([*in_words_of_evidence(result["evidence"]), *([words] if words else [])]))
    print(f"{args.output_dir / 'audit.html'}\n{DISCLAIMER}")
    return 0


def _mistakes(
    films: Sequence[Film], truth: np.ndarray, probability: np.ndarray, threshold: float
) -> list[dict[str, Any]]:
    """The films that were called wrongly, the furthest from the threshold first."""
    wrong = np.flatnonzero((probability >= threshold) != (truth == 1))
    worst = wrong[np.argsort(-np.abs(probability[wrong] - threshold), kind="stable")][:WORST]
    return [
        {
            "file": films[i].file,
            "kind": "missed" if truth[i] else "false alarm",
            "probability": float(probability[i]),
        }
        for i in worst
    ]
