"""`ai-for-sudan adapt`: measure a reader at a site, and adapt it where that helps beyond noise."""

from __future__ import annotations

import argparse
import re
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.contract.names import DEFAULT_READER
from ai_for_sudan.errors import UserError
from ai_for_sudan.files import plain_json, write_json
from ai_for_sudan.pages import interval, write_page
from ai_for_sudan.reading.reader import find_reader
from ai_for_sudan.sites import ReaderFile, adapt, read_site, site_manifest
from ai_for_sudan.sites.adapted import write_adapted
from ai_for_sudan.sites.figures import curve_figure, roc_figure
from ai_for_sudan.sites.nuisance import COLUMNS


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--reader", default=DEFAULT_READER, help="a shipped reader or a reader file")
    parser.add_argument(
        "--data_dir", required=True, type=Path, help="local films: class folders, a CSV, or a folder without labels"
    )
    parser.add_argument("--site", required=True, help="the name of the site, as the card will show it")
    parser.add_argument(
        "--promise",
        type=float,
        metavar="RATE",
        help="share of positive films that may be not seen and of negative films that may be suspected here, such as "
        "0.10 (default: what the reader's operating point promises)",
    )
    parser.add_argument("--patient_rule", metavar="RULE", help="'kermany', or 'regex:PATTERN' with one group")
    parser.add_argument("--label_columns", nargs="+", metavar="COLUMN", help="findings of a multi-label CSV")
    parser.add_argument(
        "--nuisance",
        nargs="*",
        default=list(COLUMNS),
        metavar="COLUMN",
        help=f"columns that have nothing to do with the lungs (default: {' '.join(COLUMNS)}, where present)",
    )
    parser.add_argument(
        "--source",
        "--home",
        type=Path,
        metavar="DIR",
        help="films like those the reader was made for: half keep the head from forgetting them, half measure it",
    )
    parser.add_argument("--source_patient_rule", "--home_patient_rule", metavar="RULE", help="as --patient_rule")
    parser.add_argument(
        "--finetune",
        type=Path,
        metavar="CHECKPOINT",
        help="also continue training the network from this checkpoint (PyTorch)",
    )
    parser.add_argument("--finetune_epochs", type=int, default=8)
    parser.add_argument("--output_dir", default=Path("outputs/adapt"), type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="films read in parallel (default: one per core)")


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    if args.threads is not None and args.threads < 1:
        raise UserError(f"--threads must be at least 1, not {args.threads}")
    if args.promise is not None and not 0 < args.promise < 0.5:
        raise UserError(f"--promise must lie between 0 and 0.5, not {args.promise}; 0.10 allows one film in ten")
    path = find_reader(args.reader)
    file = ReaderFile.load(path)
    reader = file.reader()
    manifest = site_manifest(
        args.data_dir, reader.card, patient_rule=args.patient_rule, label_columns=args.label_columns
    )
    films = read_site(reader, manifest, threads=args.threads)
    source = None
    if args.source:
        own = site_manifest(args.source, reader.card, patient_rule=args.source_patient_rule)
        source = read_site(reader, own, threads=args.threads)
    finetuning = None
    if args.finetune:
        from ai_for_sudan.sites.finetuning import FineTuning

        finetuning = FineTuning.of(
            args.finetune, manifest, films, reader.card, args.output_dir / "finetuning",
            epochs=args.finetune_epochs, seed=args.seed,
        )  # fmt: skip
    outcome = adapt(
        films, file, promise=args.promise, columns=tuple(args.nuisance), source=source, finetuning=finetuning,
        seed=args.seed, say=_say,
    )  # fmt: skip
    result: dict[str, Any] = {
        "reader": reader.card.title,
        "site": args.site,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "data": str(args.data_dir),
        "seed": args.seed,
        **outcome.result,
    }
    result["adopted"] = [s["name"] for s in result["steps"] if s["adopted"] and s["name"] != "fine-tuning"]
    target = args.output_dir / f"{path.stem}_{_slug(args.site)}.onnx"
    result["adapted_reader"] = str(target) if outcome.changed else None
    result["decision"] = _decision(result, path)
    if outcome.changed:
        write_adapted(file, target, outcome, result)
    else:
        target.unlink(missing_ok=True)  # of an earlier run: it was not adopted by this one
    result = plain_json(result)
    write_json(args.output_dir / "adapt.json", result)
    write_page(
        "ai_for_sudan.sites",
        args.output_dir / "adapt.html",
        title=f"{reader.card.name} at {args.site}",
        r=result,
        positive=reader.card.positive,
        figure=roc_figure(outcome.labels, outcome.scores, outcome.folds) if outcome.scores else None,
        curve=curve_figure(result["curve"]) if result["curve"] else None,
    )
    _tell(result, args.output_dir)
    return 0


def _decision(result: dict[str, Any], shipped: Path) -> str:
    """May a reader be used here, and which: the one sentence that must be right."""
    if result["adapted_reader"]:
        said = (
            f"{result['verdict_after']} Adopted: {', '.join(result['adopted'])}. The adapted reader is "
            f"{result['adapted_reader']}; {shipped} is unchanged. Measure it on further films before relying on it."
        )
    elif "verdict_after" in result:
        said = f"{result['verdict']} No adapted reader was written: even adapted, it must not be used here."
    else:
        said = f"{result['verdict']} Nothing was adopted: no new reader was written."
    if result["rule"]:
        said += f" {result['rule']}"
    if result.get("finetuned_checkpoint"):
        said += (
            f" Fine-tuning orders the films better still: {result['finetuned_checkpoint']} is its checkpoint; make a "
            f"reader of it with: ai-for-sudan export --checkpoint {result['finetuned_checkpoint']} --data_dir "
            f"{result['data']}"
        )
    return said


def _say(text: str) -> None:
    """What is being done, so that a long run is not silent."""
    print(f"  {text}", file=sys.stderr, flush=True)


def _tell(result: dict[str, Any], folder: Path) -> None:
    films = result["films"]
    print(
        f"{films['read']} films read ({films['labelled']} labelled), {len(films['refused'])} refused, "
        f"{len(films['excluded'])} excluded (all named in the report)"
    )
    print(result["drift"]["words"])
    if result["measured"]:
        print(f"  as shipped  {_experienced(result['measured']['table'])}")
    if result["adapted_reader"]:
        print(f"  adapted     {_experienced(result['final']['table'])}")
    if shift := result["label_shift"]:
        print(
            "Without any label: {:.0%} of the patients seem to be positive here ({:.0%} to {:.0%}), {:.0%} where the "
            "reader was calibrated.".format(*shift["prevalence"], shift["prevalence_before"])
        )
    for text in [*result.get("warnings", []), *result["notes"]]:
        print(text)
    for step in result["steps"]:
        gain = "not measurable" if step["gain"][0] is None else "{:+.3f} ({:+.3f} to {:+.3f})".format(*step["gain"])
        print(f"  {step['name']:<18}{'adopted' if step['adopted'] else 'not adopted':<13}gain {gain}")
    if result.get("source"):
        before, after = (result["source"][name]["auroc"] for name in ("shipped", "adapted"))
        films_there = result["source"]["films"]
        print(f"at the source site ({films_there} films): AUROC {before[0]:.3f} before, {after[0]:.3f} after")
    print(result["decision"])
    print(f"{folder / 'adapt.html'} and adapt.json hold the details")
    print(DISCLAIMER)


def _experienced(table: dict[str, Any]) -> str:
    """What the clinic experiences, in a line."""
    shares = (
        ("missed", "positive", "not_seen"),
        ("false alarms", "negative", "suspected"),
        ("left to a person", "all", "uncertain"),
        ("refused", "all", "refused"),
    )
    return ", ".join(f"{what} {interval(table[of]['shares'][status], 2)}" for what, of, status in shares)


def _slug(site: str) -> str:
    """A site's name as a part of a file name."""
    slug = re.sub(r"[^\w-]+", "_", site).strip("_").lower()
    if not slug:
        raise UserError(f"--site '{site}' contains no letter or digit; give the name of the site")
    return slug
