"""`ai-for-sudan monitor`: watch the readings of a site; exit code 1 is an alarm, so that cron can tell."""

from __future__ import annotations

import argparse
from pathlib import Path

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.contract.reference import Reference
from ai_for_sudan.errors import UserError
from ai_for_sudan.files import plain_json, write_json
from ai_for_sudan.pages import write_page
from ai_for_sudan.reading.reader import find_reader
from ai_for_sudan.sites.figures import monitor_figure
from ai_for_sudan.sites.log import read_log
from ai_for_sudan.sites.monitor import in_words, monitor, power_in_words
from ai_for_sudan.sites.readerfile import ReaderFile

#: lines left out that are printed; the report names all
SHOWN = 10


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "logs",
        nargs="+",
        type=Path,
        help="JSON lines of `read --output` (with --log, drift of the films is tested too), or of the phone app",
    )
    parser.add_argument("--output_dir", type=Path, default=Path("outputs/monitor"))
    parser.add_argument(
        "--name", metavar="READER", help="name and version of the reader (default: of the last reading)"
    )
    parser.add_argument(
        "--baseline_weeks", type=int, default=4, help="how many of the site's first weeks to compare with"
    )
    parser.add_argument(
        "--against",
        metavar="READER",
        help="compare with the films that this reader (file or shipped) was made on, as its card holds them",
    )
    parser.add_argument(
        "--false_alarms", type=float, default=0.05, help="accepted chance of any false alarm within a year"
    )
    parser.add_argument(
        "--agreement", type=float, default=0.8, help="alarm when agreement is shown to be below this share"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    entries, left_out = read_log(args.logs)
    reference = None
    if args.against:
        path = find_reader(args.against)
        reference = Reference.from_card(ReaderFile.load(path).card.facts)
        if reference is None:
            raise UserError(f"the card of {path} holds no summary of its own films; leave out --against")
    result = monitor(
        entries,
        baseline_weeks=args.baseline_weeks,
        reference=reference,
        false_alarms=args.false_alarms,
        agreement=args.agreement,
        reader=args.name,
    )
    result["left_out"] = [*({"line": one.line, "reason": one.reason} for one in left_out), *result["left_out"]]
    result = plain_json(result)
    words, power = in_words(result), power_in_words(result["detectable"]) if result["detectable"] else []
    write_json(args.output_dir / "monitor.json", result)
    write_page(
        "ai_for_sudan.sites",
        args.output_dir / "monitor.html",
        title=f"{result['reader']}, week by week",
        r=result,
        words=words,
        power=power,
        figure=monitor_figure(result),
    )
    print(f"{result['readings']} readings of {result['reader']}; {len(result['left_out'])} lines left out")
    for one in result["left_out"][:SHOWN]:
        print(f"  {one['line']}: {one['reason']}")
    if len(result["left_out"]) > SHOWN:
        print(f"  and {len(result['left_out']) - SHOWN} more, all named in the report")
    for note in result["notes"]:
        print(note)
    print(words)
    for sentence in power:
        print(f"  {sentence}")
    print(f"{args.output_dir / 'monitor.html'} and monitor.json hold the details")
    print(DISCLAIMER)
    return 1 if result["alarm"] else 0
