"""`ai-for-sudan audit`: a reader for each group of patients."""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.data import add_data_options, manifest_of
from ai_for_sudan.datasets import labels
from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation.audit import COLUMNS, audit, groups_of
from ai_for_sudan.evaluation.report import WORST, interval, render_page
from ai_for_sudan.files import write_json
from ai_for_sudan.reading import Reader, Reading


def configure(parser: argparse.ArgumentParser) -> None:
    add_data_options(parser)
    parser.add_argument("--reader", default="mobilenet_v2", help="a shipped reader or a reader file")
    parser.add_argument("--operating_point", help="which threshold of the card (default: the card's)")
    parser.add_argument("--columns", nargs="+", default=list(COLUMNS), help="of the manifest (default: %(default)s)")
    parser.add_argument("--output_dir", type=Path, default=Path("outputs/audit"))


def run(args: argparse.Namespace) -> int:
    reader = Reader.open(args.reader)
    point = reader.card.operating_point(args.operating_point)
    manifest = manifest_of(args)
    if reader.card.positive not in manifest.classes:
        raise UserError(f"{args.data_dir} has no label '{reader.card.positive}', which the reader tells")
    index = manifest.classes.index(reader.card.positive)
    truth = labels(manifest)
    sick = truth[:, index] if truth.ndim == 2 else (truth == index).astype(float)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        readings = list(pool.map(lambda film: _small(reader.read(film.file)), manifest.films))
    excluded = [
        f"{manifest.films[i].file} was left out: {'; '.join(r.reasons)}"
        for i, r in enumerate(readings)
        if r.probability is None
    ]
    excluded += [f"{manifest.films[i].file} was left out: no label" for i in np.flatnonzero(np.isnan(sick))]
    rows = np.array([i for i, r in enumerate(readings) if r.probability is not None and not np.isnan(sick[i])], int)
    if not len(rows) or len(np.unique(sick[rows])) < 2:
        raise UserError(f"{args.data_dir}: {len(rows)} films with a label could be read; both classes are needed")
    probability = np.array([readings[i].probability for i in rows])
    columns = {
        name: groups_of(name, [manifest.films[i].facts.get(name, "") for i in rows])
        for name in args.columns
        if any(manifest.films[i].facts.get(name) for i in rows)
    }
    if not columns:
        raise UserError(f"{args.data_dir} has none of the columns {', '.join(args.columns)}: there are no groups")
    result = audit(sick[rows].astype(int), probability, point.threshold, columns)
    refused = float(np.mean([readings[i].status == "refused" for i in rows]))
    facts = {"reader": reader.card.title, "data": str(args.data_dir), "threshold": point.threshold, "refused": refused}
    wrong = np.flatnonzero((probability >= point.threshold) != (sick[rows] == 1))
    worst = wrong[np.argsort(-np.abs(probability[wrong] - point.threshold), kind="stable")][:WORST]
    result["mistakes"] = [
        {
            "file": manifest.films[rows[i]].file,
            "kind": "missed" if sick[rows[i]] else "false alarm",
            "probability": float(probability[i]),
        }
        for i in worst
    ]
    write_json(args.output_dir / "audit.json", {**facts, "excluded": excluded, **result})
    render_page(
        "audit.html",
        args.output_dir / "audit.html",
        title=f"Who is served worse by {reader.card.title}?",
        reader=reader.card.title,
        data=str(args.data_dir),
        threshold=point.threshold,
        result=result,
        excluded=[
            f"The reader's gate refused {refused:.1%} of these films; they are measured all the same.",
            *excluded,
        ],
    )
    print(f"all {len(rows)} films ({len(excluded)} left out): AUROC {interval(result['all']['auroc'])}")
    for row in result["groups"]:
        print(f"{row['column']:<9}{row['group']:<18}{row['films']:>6}  AUROC {interval(row['auroc'])}  {row['note']}")
    for one in result["confounding"]:
        if one["confounds"]:
            print(f"WARNING: {one['column']} is linked with the label (Cramer's V {one['cramers_v']:.2f})")
    print(f"{args.output_dir / 'audit.html'}\n{DISCLAIMER}")
    return 0


def _small(reading: Reading) -> Reading:
    """A reading without its film, so that a long list fits in memory."""
    from dataclasses import replace

    return replace(reading, radiograph=None, heatmap=None, embedding=None)
