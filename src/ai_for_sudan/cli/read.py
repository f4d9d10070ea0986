"""`ai-for-sudan read`: films in, readings out, on a machine without PyTorch."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.inputs import common_parent, no_films, once, picture_path, save_png
from ai_for_sudan.cli.interrupts import uninterrupted
from ai_for_sudan.cli.targets import PAGE, check_apart, check_folder, check_target
from ai_for_sudan.errors import UserError, printable
from ai_for_sudan.pages import share
from ai_for_sudan.radiographs import Skipped, find_films, prepare
from ai_for_sudan.reading import Reader
from ai_for_sudan.reading.reader import find_reader
from ai_for_sudan.reading.words import STATUS_WORDS, URGENCY

DEFAULT_READER = "mobilenet_v2"
#: more than this, or than the machine has cores, only costs memory
MOST_THREADS = 64

#: takes a reading's line, and what the page needs of it
Collect = Callable[[dict[str, Any]], None]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("films", nargs="+", help="files, folders and patterns")
    parser.add_argument(
        "--reader", default=DEFAULT_READER, help="a shipped reader or a reader file (default: %(default)s)"
    )
    parser.add_argument("--operating-point", metavar="NAME", help="which threshold of the card (default: the card's)")
    parser.add_argument("--json", action="store_true", help="print one JSON object per line on standard output")
    parser.add_argument(
        "--output",
        metavar="FILE.jsonl",
        type=Path,
        help="append the JSON lines to a file; films that it already holds, unchanged, are not read again",
    )
    parser.add_argument("--csv", metavar="FILE", type=Path, help="write the readings as CSV")
    parser.add_argument("--overlays", metavar="DIR", type=Path, help="save each film with its heatmap")
    parser.add_argument("--report", metavar="FILE.html", type=Path, help="write a page with every film and heatmap")
    parser.add_argument("--threads", type=int, metavar="N", help="films read in parallel (default: one per core)")
    parser.add_argument(
        "--log", action="store_true", help="add date, site and a summary for `monitor` to the JSON lines"
    )
    parser.add_argument("--site", default="", help="name of the site for --log")
    parser.add_argument("--engine", choices=("local", "ray"), default="local", help="where the films are read")
    parser.add_argument("--address", help="of a Ray cluster (default: one on this machine)")


def run(args: argparse.Namespace) -> int:
    _check(args)
    films = list(itertools.islice(once(args.films, below=args.overlays), 2))
    if not films:
        raise no_films(args.films)
    prepare(films[0])
    # One film may use all the threads; several are read side by side, each by one.
    reader = Reader.open(args.reader, threads=args.threads or 1 if len(films) == 1 else 1)
    point = reader.card.operating_point(args.operating_point)
    counts: Counter[str] = Counter()
    earlier: Counter[str] = Counter()
    unsaved = 0
    interrupted = False
    with contextlib.ExitStack() as at_end:
        collectors = _collectors(args, reader, at_end)
        skipped = Skipped()
        given = once(args.films, below=args.overlays, skipped=skipped)
        if args.output:
            from ai_for_sudan.files import alone
            from ai_for_sudan.reading.journal import Journal

            at_end.enter_context(alone(args.output))
            journal = Journal(args.output, reader.card.title, point.name)
            for line in journal.kept():
                for collect in collectors:
                    collect({"line": line, "row": line | {"film": None, "overlay": None}})
            given = _unread(given, journal, earlier)
            at_end.enter_context(journal)
            collectors.append(lambda row: journal.add(row["line"]))
        rows = _rows(args, reader, given, alone=len(films) == 1)
        try:
            for row in rows:
                line = row["line"]
                with uninterrupted():  # a film is in all of what is kept, or in none of it
                    for collect in collectors:
                        collect(row)
                    first = not counts
                    counts[line["status"]] += 1
                if args.json:
                    print(json.dumps(line), flush=True)
                else:
                    _print(line, first=first)
                if problem := row.get("problem"):
                    unsaved += 1
                    print(f"{printable(line['file'])}: no overlay was saved: {printable(problem)}", file=sys.stderr)
        except KeyboardInterrupt:
            interrupted = True
            rows.close()
    if skipped.counts:
        print(skipped, file=sys.stderr)
    if not args.json:
        _summary(counts, earlier)
    if interrupted:
        raise KeyboardInterrupt
    return 1 if counts["failed"] or earlier["failed"] or unsaved else 0


def _check(args: argparse.Namespace) -> None:
    """Raises ``UserError`` for what cannot be done, or would destroy something."""
    if args.threads is not None:
        from ai_for_sudan.processes import cores

        most = max(MOST_THREADS, cores())
        if not 1 <= args.threads <= most:
            raise UserError(f"--threads must be 1 to {most}, not {args.threads}")
    if args.engine == "ray" and (args.overlays or args.report):
        raise UserError("--engine ray writes only JSON lines and CSV; make overlays and reports on one machine")
    check_apart({"--output": args.output, "--csv": args.csv, "--report": args.report, "--overlays": args.overlays})
    if args.csv:
        from ai_for_sudan.reading.table import BEGINNING

        check_target("--csv", args.csv, (BEGINNING,), args.films)
    if args.report:
        check_target("--report", args.report, PAGE, args.films)
    if args.output:
        check_target("--output", args.output, (b"",), args.films)  # its every line is looked at later
    if args.overlays:
        check_folder("--overlays", args.overlays, args.films)


def _unread(films: Iterator[Path], journal: Any, earlier: Counter[str]) -> Iterator[Path]:
    """The films that an earlier run did not read; counts the others."""
    for film in films:
        if outcome := journal.outcome(film):
            earlier[outcome] += 1
        else:
            yield film


def _rows(
    args: argparse.Namespace, reader: Reader, files: Iterator[Path], *, alone: bool
) -> Generator[dict[str, Any], None, None]:
    """Of each film ``line``, its JSON line; ``row``, what the report needs; ``problem``, why it has no overlay."""
    more = {"log": args.log, "site": args.site}
    parent = common_parent(args.films)
    if args.engine == "ray":
        from ai_for_sudan.reading.cluster import read_on_cluster

        lines = read_on_cluster(
            find_reader(args.reader),
            files,
            operating_point=args.operating_point,
            address=args.address,
            identify=args.output is not None,
            **more,
        )
        yield from ({"line": line} for line in lines)
        return

    if args.output:
        from ai_for_sudan.reading.journal import identity

    def read(file: Path) -> dict[str, Any]:
        # Before it is read: if it changes in between, the next run reads it once more.
        known = identity(file) if args.output else {}
        reading = reader.read(file, operating_point=args.operating_point)
        row: dict[str, Any] = {"line": reading.to_dict(**more) | known}
        if args.overlays and reading.pixels is not None:
            try:
                save_png(reading.overlay(), picture_path(args.overlays, parent, reading.file))
            except (UserError, OSError) as error:  # one picture that cannot be kept stops no batch
                row["problem"] = str(error)
        if args.report:
            from ai_for_sudan.reading.report import row_of

            row["row"] = row_of(reading)
        return row

    if alone:  # no pool of threads, no bar, and none of their imports
        yield from map(read, files)
        return
    from ai_for_sudan.processes import in_parallel

    rows = in_parallel(read, files, threads=args.threads)
    if sys.stderr.isatty():
        from tqdm import tqdm

        total = sum(1 for _ in find_films(args.films))
        rows = iter(tqdm(rows, desc="reading", unit="film", total=total, leave=False))
    yield from rows


def _collectors(args: argparse.Namespace, reader: Reader, at_end: contextlib.ExitStack) -> list[Collect]:
    """What takes the rows; what they make is finished and put in place when ``at_end`` closes, Ctrl-C or not."""
    collectors: list[Collect] = []
    if args.csv:
        from ai_for_sudan.files import replacing
        from ai_for_sudan.reading.table import Table

        temporary = at_end.enter_context(replacing(args.csv))
        table = Table(at_end.enter_context(temporary.open("w", newline="", encoding="utf-8")))
        collectors.append(lambda row: table.add(row["line"]))
    if args.report:
        from ai_for_sudan.reading.report import Report

        report = Report(reader.card)
        at_end.enter_context(_written(report, args.report))
        collectors.append(lambda row: report.add(row["row"]))
    return collectors


@contextlib.contextmanager
def _written(report: Any, path: Path) -> Iterator[None]:
    yield
    report.write(path)


def _print(line: dict[str, Any], *, first: bool) -> None:
    if first:
        print(f"{'status':<12}{'probability':>11}  film")
    # Of a film that was refused the number says nothing, and would be read as a verdict.
    said = line["status"] not in ("refused", "failed")
    probability = share(line["probability"], 3) if said else ""
    notes = printable("; ".join([*line["reasons"], *line["warnings"]]))
    print(f"{line['status']:<12}{probability:>11}  {printable(line['file'])}" + (f"\n{'':25}{notes}" if notes else ""))


def _summary(counts: Counter[str], earlier: Counter[str]) -> None:
    print()
    for status in URGENCY:
        if counts[status]:
            print(f"{counts[status]:>6}  {STATUS_WORDS[status]}")
    if before := earlier.total():
        failed = f", {earlier['failed']} of which could not be read" if earlier["failed"] else ""
        print(f"{before:>6}  read by an earlier run{failed}")
    print(DISCLAIMER)
