"""`ai-for-sudan card`: what is known of a reader."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.targets import PAGE, check_target
from ai_for_sudan.contract.names import DEFAULT_READER
from ai_for_sudan.errors import UserError
from ai_for_sudan.pages import statuses_in_words
from ai_for_sudan.reading import Card, Reader
from ai_for_sudan.reading.reader import find_reader


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("name", nargs="?", help="a shipped reader or a reader file (default: mobilenet_v2)")
    parser.add_argument("--reader", help="the same, as other commands have it")
    parser.add_argument("--json", action="store_true", help="the whole card as JSON")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write the model card as a page")
    parser.add_argument(
        "--results",
        metavar="FILE.json",
        nargs="+",
        type=Path,
        default=[],
        help="for the page: audit.json, stress.json, explaincheck.json, crossval.json, metrics.json of this reader "
        "(default: those of this reader under outputs/ and beside its file)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    if args.name and args.reader:
        raise UserError(f"two readers were given, {args.name} and {args.reader}; give one")
    reader = args.reader or args.name or DEFAULT_READER
    if args.results and not args.html:
        raise UserError("--results are shown on the page only; add --html FILE")
    card = Reader.open(reader, self_test=False).card
    if args.html:
        check_target("--html", args.html, PAGE, args.results)
        from ai_for_sudan.evaluation.card_html import find_records, load_records, render
        from ai_for_sudan.files import write_text

        given = load_records(args.results)
        found = {k: v for k, v in find_records(card, find_reader(reader)).items() if k not in given}
        for name, (path, _) in found.items():
            print(f"{name}: {path}")
        write_text(args.html, render(card, {name: record for name, (_, record) in found.items()} | given))
        print(args.html)
        try:
            import matplotlib  # noqa: F401
        except ModuleNotFoundError:
            from ai_for_sudan.extras import install_command

            print(f"the page has no plots; for them install: {install_command('site')}", file=sys.stderr)
    elif args.json:
        print(json.dumps(card.facts, ensure_ascii=False, indent=2))
    else:
        print("\n".join(_lines(card)))
    return 0


def _lines(card: Card) -> list[str]:
    facts = card.facts
    training = facts.get("training", {})
    lines = [
        f"{card.name} {card.version}  ({facts.get('architecture')}, {facts.get('precision')})",
        f"  reads          {card.positive}, among {', '.join(card.classes)}",
        f"  made for       {facts.get('intended_use', 'not recorded')}",
        f"  trained on     {training.get('data', 'not recorded')} ({training.get('licence', 'licence not recorded')})",
        f"  films          {training.get('films', '?')} of {training.get('patients', '?')} patients",
        "  operating points",
    ]
    for name, point in facts["operating_points"].items():
        mark = "*" if name == card.default_operating_point else " "
        cuts = f"not seen below {point['not_seen_below']:.3f}, suspected from {point['suspected_from']:.3f}"
        lines.append(f"  {mark} {name:<12} {cuts}")
        for films, table in (point.get("measured") or {}).items():
            lines.append(f"      {films}: {statuses_in_words(table, card.positive)[-1]}")
        lines.append(f"      {point.get('reason', '')}; chosen on {point.get('chosen_on', 'not recorded')}")
    lines.append(
        f"  refuses        {', '.join(score.code for score in card.gate) or 'nothing: this reader has no gate'}"
    )
    for row in facts.get("compression", []):
        lines.append("  " + "  ".join(f"{key} {value}" for key, value in row.items()))
    for one in facts.get("adaptations", []):
        lines.append(f"  changed at     {one.get('site', '?')}: {', '.join(one.get('adopted', [])) or 'not recorded'}")
        lines.append(f"      before: {one.get('verdict', 'not recorded')}")
    return [*lines, DISCLAIMER]
