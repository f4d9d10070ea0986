"""`ai-for-sudan read`: films in, readings out, on a machine without PyTorch."""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO, Any

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.films import common_parent, once, picture_path, save_png
from ai_for_sudan.contract.names import READING_KEYS
from ai_for_sudan.errors import UserError
from ai_for_sudan.radiographs import FILM_SUFFIXES, find_films
from ai_for_sudan.reading import Reader, Reading
from ai_for_sudan.reading.reader import find_reader
from ai_for_sudan.reading.words import STATUS_WORDS, URGENCY

DEFAULT_READER = "mobilenet_v2"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("films", nargs="+", help="files, folders and patterns")
    parser.add_argument(
        "--reader", default=DEFAULT_READER, help="a shipped reader or a reader file (default: %(default)s)"
    )
    parser.add_argument("--operating-point", metavar="NAME", help="which threshold of the card (default: the card's)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line on standard output")
    parser.add_argument(
        "--output",
        metavar="FILE.jsonl",
        type=Path,
        help="append the JSON lines to a file; films that it answers already are not read again",
    )
    parser.add_argument("--csv", metavar="FILE", type=Path, help="write the readings as CSV")
    parser.add_argument("--overlays", metavar="DIR", type=Path, help="save each film with its heatmap")
    parser.add_argument("--report", metavar="FILE.html", type=Path, help="write a page with every film and heatmap")
    parser.add_argument("--threads", type=int, metavar="N", help="films read side by side (default: one a core)")
    parser.add_argument(
        "--log", action="store_true", help="add date, site and a summary for `monitor` to the JSON lines"
    )
    parser.add_argument("--site", default="", help="name of the site for --log")
    parser.add_argument("--engine", choices=("local", "ray"), default="local", help="where films are read")
    parser.add_argument("--address", help="of a Ray cluster (default: one on this machine)")


def run(args: argparse.Namespace) -> int:
    if args.threads is not None and args.threads < 1:
        raise UserError(f"--threads must be at least 1, not {args.threads}")
    if args.engine == "ray" and (args.overlays or args.report):
        raise UserError("--engine ray writes JSON lines and CSV; make overlays and reports on one machine")
    films = list(itertools.islice(once(args.films, below=args.overlays), 2))
    if not films:
        raise UserError(f"no films were found in {', '.join(args.films)}; expected {', '.join(FILM_SUFFIXES)}")
    # One film may use all the threads; several are read side by side, each by one.
    reader = Reader.open(args.reader, threads=args.threads or 1 if len(films) == 1 else 1)
    reader.card.operating_point(args.operating_point)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name may hold what the terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    counts: Counter[str] = Counter()
    interrupted = False
    with contextlib.ExitStack() as open_files:
        collectors = _collectors(args, reader, open_files)
        answered = _answered(args, reader, collectors)
        output = open_files.enter_context(_appending(args.output)) if args.output else None
        rows = _rows(args, reader, once(args.films, below=args.overlays, but=answered), alone=len(films) == 1)
        try:
            for row in rows:
                line = json.dumps(row["line"])
                if output:
                    output.write(line + "\n")
                    output.flush()
                if args.json:
                    print(line, flush=True)
                else:
                    _print(row["line"], first=not counts)
                counts[row["line"]["status"]] += 1
                for collect in collectors:
                    collect(row)
        except KeyboardInterrupt:
            interrupted = True
            rows.close()
        for collect in collectors:
            collect.finish()
    if not args.json:
        _summary(counts, len(answered))
    if interrupted:
        raise KeyboardInterrupt
    return 1 if counts["failed"] else 0


def _rows(
    args: argparse.Namespace, reader: Reader, files: Iterator[Path], *, alone: bool
) -> Generator[dict[str, Any], None, None]:
    """``{"line": the JSON line, "row": what the report needs}`` of each film."""
    more = {"log": args.log, "site": args.site}
    parent = common_parent(args.films)
    if args.engine == "ray":
        from ai_for_sudan.reading.cluster import read_on_cluster

        lines = read_on_cluster(
            find_reader(args.reader), files, operating_point=args.operating_point, address=args.address, **more
        )
        yield from ({"line": line} for line in lines)
        return

    def then(reading: Reading) -> dict[str, Any]:
        row: dict[str, Any] = {"line": reading.to_dict(**more)}
        if args.overlays and reading.pixels is not None:
            save_png(reading.overlay(), picture_path(args.overlays, parent, reading.file))
        if args.report:
            from ai_for_sudan.reading.report import row_of

            row["row"] = row_of(reading)
        return row

    if alone:  # no pool of threads, no bar, and none of their imports
        yield from (then(reader.read(file, operating_point=args.operating_point)) for file in files)
        return
    from ai_for_sudan.processes import in_parallel

    readings = in_parallel(
        lambda file: then(reader.read(file, operating_point=args.operating_point)), files, threads=args.threads
    )
    if sys.stderr.isatty():
        from tqdm import tqdm

        total = sum(1 for _ in find_films(args.films))
        readings = iter(tqdm(readings, desc="reading", unit="film", total=total, leave=False))
    yield from readings


@contextlib.contextmanager
def _appending(path: Path) -> Iterator[IO[str]]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        yield file


def _answered(args: argparse.Namespace, reader: Reader, collectors: list[Collector]) -> set[str]:
    """The files that an earlier run answered; a line that a power cut left half-written is cut off.

    Raises:
        UserError: the file holds something else, or readings by another reader or at another operating point.
    """
    path: Path | None = args.output
    done: set[str] = set()
    if path is None or not path.is_file():
        return done
    mine = (reader.card.title, reader.card.operating_point(args.operating_point).name)
    kept = 0
    with path.open("rb") as file:
        for raw in file:
            if not raw.endswith(b"\n"):
                break
            try:
                line = json.loads(raw)
                found = (line["reader"], line["operating_point"])
                done.add(line["file"])
            except (ValueError, KeyError, TypeError) as error:
                raise UserError(f"{path} is no file of readings; give another --output") from error
            if found != mine:
                raise UserError(
                    f"{path} holds readings by {found[0]} at '{found[1]}', these would be by {mine[0]} at '{mine[1]}'; "
                    "give another --output"
                )
            for collect in collectors:
                collect({"line": line, "row": line | {"film": None, "overlay": None}})
            kept += len(raw)
    if kept < path.stat().st_size:
        os.truncate(path, kept)
    return done


class _Csv:
    COLUMNS = tuple(key for key in READING_KEYS if key != "elapsed_ms")

    def __init__(self, file: IO[str]) -> None:
        import csv

        self._writer = csv.writer(file)
        self._writer.writerow(self.COLUMNS)

    def __call__(self, row: dict[str, Any]) -> None:
        line = row["line"]
        values = ["; ".join(line[c]) if isinstance(line[c], list) else line[c] for c in self.COLUMNS]
        # A name that begins like a formula would be computed by a spreadsheet.
        self._writer.writerow([f"'{v}" if isinstance(v, str) and v[:1] in "=+-@" and v else v for v in values])

    def finish(self) -> None:
        """Nothing is left to do: the file is closed with the others."""


class _Page:
    def __init__(self, path: Path, reader: Reader) -> None:
        from ai_for_sudan.reading.report import Report

        self._path, self._report = path, Report(reader.card)

    def __call__(self, row: dict[str, Any]) -> None:
        self._report.add(row["row"])

    def finish(self) -> None:
        self._report.write(self._path)


Collector = _Csv | _Page


def _collectors(args: argparse.Namespace, reader: Reader, open_files: contextlib.ExitStack) -> list[Collector]:
    collectors: list[Collector] = []
    if args.csv:
        from ai_for_sudan.files import replacing

        temporary = open_files.enter_context(replacing(args.csv))
        collectors.append(
            _Csv(open_files.enter_context(temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace")))
        )
    if args.report:
        collectors.append(_Page(args.report, reader))
    return collectors


def _print(line: dict[str, Any], *, first: bool) -> None:
    if first:
        print(f"{'status':<12}{'probability':>11}  film")
    probability = "" if line["probability"] is None else f"{line['probability']:.3f}"
    notes = "; ".join([*line["reasons"], *line.get("warnings", ())])
    print(f"{line['status']:<12}{probability:>11}  {line['file']}" + (f"\n{'':25}{notes}" if notes else ""))


def _summary(counts: Counter[str], before: int) -> None:
    print()
    for status in URGENCY:
        if counts[status]:
            print(f"{counts[status]:>6}  {STATUS_WORDS[status]}")
    if before:
        print(f"{before:>6}  answered by an earlier run")
    print(DISCLAIMER)
