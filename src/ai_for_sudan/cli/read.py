"""`ai-for-sudan read`: films in, readings out, on a machine without PyTorch."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.inputs import common_parent, no_films, once, picture_path, save_png
from ai_for_sudan.cli.interrupts import uninterrupted
from ai_for_sudan.cli.targets import PAGE, check_apart, check_folder, check_target
from ai_for_sudan.contract.codes import Remark, remark
from ai_for_sudan.contract.names import DEFAULT_READER
from ai_for_sudan.errors import UnreadableFilm, UserError, printable
from ai_for_sudan.pages import share
from ai_for_sudan.radiographs import Skipped, prepare, read_small_film
from ai_for_sudan.reading import Reader
from ai_for_sudan.reading.reader import find_reader
from ai_for_sudan.reading.words import STATUS_WORDS, URGENCY

if TYPE_CHECKING:
    from ai_for_sudan.reading.journal import Journal

#: more than this, or than the machine has cores, only costs memory
MOST_THREADS = 64

#: takes a reading's line, and what the page needs of it
Collect = Callable[[dict[str, Any]], None]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("films", nargs="+", help="files, folders and patterns")
    parser.add_argument(
        "--reader", default=DEFAULT_READER, help="a shipped reader or a reader file (default: %(default)s)"
    )
    parser.add_argument("--operating-point", metavar="NAME", help="which of the card's (default: the card's)")
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
    """Run the command and return its exit code."""
    _check(args)
    skipped = Skipped()
    films = once(args.films, below=args.overlays, skipped=skipped)
    begun = list(itertools.islice(films, 2))
    if not begun:
        raise no_films(args.films)
    prepare(begun[0])
    single = len(begun) == 1
    # One film may use all the threads; several are read side by side, each by one.
    reader = Reader.open(args.reader, threads=args.threads or 1 if single else 1)
    point = reader.card.operating_point(args.operating_point)
    counts: Counter[str] = Counter()
    earlier: Counter[str] = Counter()
    unsaved = 0
    interrupted = False
    with contextlib.ExitStack() as at_end:
        collectors = _collectors(args, reader, at_end)
        journal = _journal(args, reader.card.title, point.name, tuple(collectors), at_end) if args.output else None
        if journal is not None:
            collectors.append(lambda row: journal.add(row["line"]))
        rows = _rows(args, reader, itertools.chain(begun, films), journal, single=single)
        try:
            for row in rows:
                if outcome := row.get("earlier"):
                    earlier[outcome] += 1
                else:
                    line = row["line"]
                    if journal is not None and journal.changed(line):
                        _mark(row, remark("film_changed"))
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
                    print(f"{printable(row['file'])}: no overlay was saved: {printable(problem)}", file=sys.stderr)
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


def _journal(
    args: argparse.Namespace, reader: str, point: str, collectors: tuple[Collect, ...], at_end: contextlib.ExitStack
) -> Journal:
    """Open the file of ``--output`` for this run alone; what it holds already goes to the collectors."""
    from ai_for_sudan.files import alone
    from ai_for_sudan.reading.journal import Journal

    def kept(line: dict[str, Any]) -> None:
        for collect in collectors:
            collect({"line": line, "row": line | {"film": None, "overlay": None}})

    at_end.enter_context(alone(args.output))
    return at_end.enter_context(Journal(args.output, reader, point, kept))


def _rows(
    args: argparse.Namespace, reader: Reader, files: Iterable[Path], journal: Journal | None, *, single: bool
) -> Generator[dict[str, Any], None, None]:
    """What is said of each film.

    Each row holds ``earlier``, how an earlier run read it, or ``line``, its JSON line, and ``row``, what the report
    needs; and ``problem``, why the overlay of ``file`` was not saved.
    """
    read = _ReadOne(args, reader, journal)
    if args.engine == "ray":
        yield from read.on_cluster(files)
    elif single:  # no pool of threads, no bar, and none of their imports
        yield from map(read, files)
    else:
        from ai_for_sudan.processes import in_parallel

        rows = in_parallel(read, files, threads=args.threads)
        if sys.stderr.isatty():
            from tqdm import tqdm

            rows = iter(tqdm(rows, desc="reading", unit="film", leave=False))
        yield from rows


class _ReadOne:
    """Reads one film, which is opened once: its hash and its pixels come from the same bytes."""

    def __init__(self, args: argparse.Namespace, reader: Reader, journal: Journal | None) -> None:
        self._args, self._reader, self._journal = args, reader, journal
        self._parent = common_parent(args.films)
        self._more = {"log": args.log, "site": args.site}

    def __call__(self, file: Path) -> dict[str, Any]:
        args, known = self._args, {}
        row: dict[str, Any] = {"file": str(file)}
        try:
            data = read_small_film(file)
        except UnreadableFilm:  # which the reading then tells
            data = None
        place = picture_path(args.overlays, self._parent, file) if args.overlays else None
        if self._journal is not None:
            from ai_for_sudan.reading.journal import identity

            known = identity(file, data)
            if outcome := self._journal.outcome(known):
                row["earlier"] = outcome
                if outcome == "failed" or place is None or place.exists():
                    return row
        reading = self._reader.read(file if data is None else data, operating_point=args.operating_point)
        reading = replace(reading, file=str(file))
        if place is not None and reading.pixels is not None:
            try:
                save_png(reading.overlay(), place)
            except (UserError, OSError) as error:  # one picture that cannot be kept stops no batch
                row["problem"] = str(error)
        if "earlier" in row:
            return row
        row["line"] = reading.to_dict(**self._more) | known
        if args.report:
            from ai_for_sudan.reading.report import row_of

            row["row"] = row_of(reading)
        return row

    def on_cluster(self, files: Iterable[Path]) -> Iterator[dict[str, Any]]:
        from ai_for_sudan.reading.cluster import read_on_cluster
        from ai_for_sudan.reading.journal import identity

        earlier: list[str] = []

        def unread() -> Iterator[Path]:
            for file in files:
                if self._journal is not None and (outcome := self._journal.outcome(identity(file))):
                    earlier.append(outcome)
                else:
                    yield file

        lines = read_on_cluster(
            find_reader(self._args.reader),
            unread(),
            operating_point=self._args.operating_point,
            address=self._args.address,
            identify=self._journal is not None,
            **self._more,
        )
        yield from ({"line": line} for line in lines)
        yield from ({"earlier": outcome} for outcome in earlier)


def _mark(row: dict[str, Any], warning: Remark) -> None:
    for said in filter(None, (row["line"], row.get("row"))):
        said["warning_codes"] = [*said["warning_codes"], warning.code]
        said["warnings"] = [*said["warnings"], warning.text]


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
