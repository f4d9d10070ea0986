"""`ai-for-sudan stress`: a reader on disturbed films."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.audit import truth_of
from ai_for_sudan.cli.data import add_data_options, manifest_of
from ai_for_sudan.datasets import Manifest, load_pixels, split_manifest
from ai_for_sudan.disturbances import STRESS_KINDS
from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation.stress import SEVERITIES, stress
from ai_for_sudan.files import write_json
from ai_for_sudan.pages import figures, interval, write_page
from ai_for_sudan.reading import Reader


def configure(parser: argparse.ArgumentParser) -> None:
    add_data_options(parser)
    parser.add_argument("--reader", default="mobilenet_v2", help="a shipped reader or a reader file")
    parser.add_argument("--operating_point", help="which threshold of the card (default: the card's)")
    parser.add_argument("--split", type=Path, metavar="split.json", help="measure on the films that this run held out")
    parser.add_argument("--films", type=int, default=400, help="at most so many, drawn by the seed")
    parser.add_argument("--kinds", nargs="+", choices=STRESS_KINDS, default=list(STRESS_KINDS))
    parser.add_argument("--output_dir", type=Path, default=Path("outputs/stress"))
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> int:
    reader = Reader.open(args.reader)
    manifest = manifest_of(args)
    sick = truth_of(manifest, reader.card)
    chosen = chosen_films(args.split, manifest, args.seed, args.films)
    unlabelled = chosen[np.isnan(sick[chosen])]
    chosen = chosen[~np.isnan(sick[chosen])]
    truth = sick[chosen].astype(int)
    if len(np.unique(truth)) < 2:
        raise UserError(f"{args.data_dir}: the {len(chosen)} films to measure on are of one class; both are needed")
    pixels = load_pixels(manifest, cache_dir=args.cache_dir)[chosen]
    excluded = [f"{manifest.films[i].file} was left out: no label" for i in unlabelled]
    point = reader.card.operating_point(args.operating_point).name
    print(f"{'kind':<13}{'severity':>8}{'AUROC':>26}{'sensitivity':>26}{'refused':>9}{'uncertain':>10}{'missed':>8}")
    rows = stress(
        reader, pixels, truth, tuple(args.kinds), operating_point=args.operating_point, seed=args.seed, then=_print
    )
    facts = {"reader": reader.card.title, "data": str(args.data_dir), "films": len(chosen), "operating_point": point}
    write_json(args.output_dir / "stress.json", {**facts, "seed": args.seed, "excluded": excluded, "rows": rows})
    write_page(
        "ai_for_sudan.evaluation",
        "stress.html",
        args.output_dir / "stress.html",
        title=f"{reader.card.title} on disturbed films",
        reader=reader.card.title,
        films=len(chosen),
        excluded=excluded,
        data=str(args.data_dir),
        point=point,
        rows=rows,
        figure=_figure(rows, args.kinds),
    )
    for text in excluded:
        print(text)
    print(f"{args.output_dir / 'stress.html'}\n{DISCLAIMER}")
    return 0


def chosen_films(split: Path | None, manifest: Manifest, seed: int, most: int) -> np.ndarray:
    """At most so many film numbers, drawn by the seed: of what a training run held out, or of all.

    Raises:
        UserError: no such split, or one that fits other films.
    """
    if split is None:
        rows = np.arange(len(manifest.films))
    else:
        if not split.is_file():
            raise UserError(f"there is no split at {split}; expected the split.json of a training run")
        try:
            saved = json.loads(split.read_text(encoding="utf-8"))
            fraction, of = float(saved["fraction"]), int(saved["seed"])
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{split} is no split.json of a training run ({error})") from error
        rows = np.array(split_manifest(manifest, fraction=fraction, seed=of, path=split).validation)
    return np.sort(np.random.default_rng(seed).permutation(rows)[:most])


def _print(row: dict[str, Any]) -> None:
    print(
        f"{row['kind']:<13}{row['severity']:>8}{interval(row['auroc']):>26}{interval(row['sensitivity']):>26}"
        f"{row['refused']:>9.1%}{row['uncertain']:>10.1%}{row['missed_unseen']:>8.1%}",
        flush=True,
    )


def _figure(rows: list[dict[str, Any]], kinds: list[str]) -> Any:
    """Small multiples: one panel a kind."""
    from markupsafe import Markup

    columns = 4
    made, axes = figures.figure(-(-len(kinds) // columns), columns, width=2.7, height=2.2)
    flat = list(np.atleast_1d(axes).flat)
    for panel, kind in zip(flat, kinds, strict=False):
        own = [rows[0], *(row for row in rows if row["kind"] == kind)]
        x = [0, *SEVERITIES]
        for name, colour in (("auroc", figures.GREEN), ("sensitivity", figures.RED), ("specificity", figures.GREY)):
            panel.plot(x, [row[name][0] for row in own], "o-", ms=3, color=colour, label=name)
        panel.plot(x, [row["refused"] for row in own], ":", color="black", label="refused")
        panel.set(title=kind, ylim=(-0.03, 1.03), xticks=x)
    flat[0].legend(frameon=False, fontsize=7)
    for panel in flat[len(kinds) :]:
        panel.set_visible(False)
    return Markup(figures.svg(made))  # our own drawing
