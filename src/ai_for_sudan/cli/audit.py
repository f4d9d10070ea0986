"""`ai-for-sudan audit`: a reader for each group of patients."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.data import add_data_options, manifest_of
from ai_for_sudan.contract.names import DEFAULT_READER
from ai_for_sudan.datasets import patients
from ai_for_sudan.datasets.regions import load_boxes
from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation.attribution import GRID
from ai_for_sudan.evaluation.audit import COLUMNS, audit, groups_of
from ai_for_sudan.evaluation.readings import readings_of, truth_of, without_truth
from ai_for_sudan.evaluation.report import WORST
from ai_for_sudan.evaluation.standing import Measured
from ai_for_sudan.evaluation.standing import in_words as in_words_of_evidence
from ai_for_sudan.files import write_json
from ai_for_sudan.pages import interval, statuses_in_words, write_page
from ai_for_sudan.reading import Reader
from ai_for_sudan.statistics import Calls, as_json, compare, status_table
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
    truth = truth_of(manifest, reader.card)
    boxes = load_boxes(manifest.films, GRID, args.boxes)
    readings, excluded = readings_of(reader, manifest, keep_maps=True)
    if other is not None:
        truth_of(manifest, other.card)
        others, more = readings_of(other, manifest)
        excluded += [text for text in more if text not in excluded]
        readings = [
            r if o.probability is not None else replace(r, probability=None)
            for r, o in zip(readings, others, strict=True)
        ]
    excluded += without_truth(manifest, truth, reader.card, np.arange(len(truth)))
    rows = np.array([i for i, r in enumerate(readings) if r.probability is not None and not np.isnan(truth[i])], int)
    if not len(rows) or len(np.unique(truth[rows])) < 2:
        raise UserError(
            f"{args.data_dir}: {len(rows)} films with a label could be read; films of both classes are needed"
        )
    probability = np.array([readings[i].probability for i in rows])
    columns = {
        name: groups_of(name, [manifest.films[i].facts.get(name, "") for i in rows])
        for name in args.columns
        if any(manifest.films[i].facts.get(name) for i in rows)
    }
    has_evidence = any(one.size for one in boxes) or args.lungs or any(readings[i].lungs is not None for i in rows)
    if not columns and not has_evidence:
        raise UserError(f"{args.data_dir} has none of the columns {', '.join(args.columns)}, so there are no groups")
    patient_ids = patients(manifest)[rows]
    found = audit(truth[rows].astype(int), probability, point.suspected_from, columns, patient_ids)
    result = as_json(found)
    words = None
    if other is not None:
        theirs = np.array([others[i].probability for i in rows])
        cut = other.card.operating_point(args.operating_point).suspected_from
        result["comparison"] = compare(
            truth[rows].astype(int), Calls(probability, point.suspected_from), Calls(theirs, cut), patient_ids
        )
        words = in_words(result["comparison"], reader.card.title, other.card.title)
    table = as_json(status_table(truth, np.array([r.status for r in readings], object), patients(manifest)))
    result = {"statuses": table, **result}
    measured = Measured(reader, manifest, rows, readings, truth, point.suspected_from)
    result["evidence"] = measured.evidence(boxes, args.lungs, cache_dir=args.cache_dir)
    refused = float(np.mean([readings[i].status == "refused" for i in rows]))
    facts = {
        "reader": reader.card.title,
        "data": str(args.data_dir),
        "threshold": point.suspected_from,
        "refused": refused,
    }
    wrong = np.flatnonzero((probability >= point.suspected_from) != (truth[rows] == 1))
    worst = wrong[np.argsort(-np.abs(probability[wrong] - point.suspected_from), kind="stable")][:WORST]
    result["mistakes"] = [
        {
            "file": manifest.films[rows[i]].file,
            "kind": "missed" if truth[rows[i]] else "false alarm",
            "probability": float(probability[i]),
        }
        for i in worst
    ]
    write_json(args.output_dir / "audit.json", {**facts, "excluded": excluded, **result})
    write_page(
        "ai_for_sudan.evaluation",
        "audit.html",
        args.output_dir / "audit.html",
        title=f"How {reader.card.title} does in each group",
        reader=reader.card.title,
        positive=reader.card.positive,
        point=point,
        data=str(args.data_dir),
        threshold=point.suspected_from,
        result=result,
        comparison=words,
        excluded=[
            f"The reader's gate refused {refused:.1%} of these films; they are measured nevertheless.",
            *excluded,
        ],
    )
    print("\n".join(statuses_in_words(table, reader.card.positive)))
    print(f"all {len(rows)} films ({len(excluded)} left out): AUROC {interval(found.all.auroc)}")
    for row in found.groups:
        print(f"{row.column:<9}{row.group:<18}{row.films:>6}  AUROC {interval(row.auroc)}  {row.note}")
    for one in found.confounding:
        if one.confounds:
            print(f"WARNING: {one.column} is linked with the label (Cramer's V {one.cramers_v:.2f})")
    for line in in_words_of_evidence(result["evidence"]):
        print(line)
    if words:
        print(words)
    print(f"{args.output_dir / 'audit.html'}\n{DISCLAIMER}")
    return 0
