"""`ai-for-sudan read`: films in, readings out, on a machine without PyTorch."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.errors import UserError
from ai_for_sudan.reading import Reader, Reading
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
    reader = Reader.open(args.reader)
    reader.card.operating_point(args.operating_point)
    answered = _answered(args.output)
    files = _todo(args.films, answered)
    counts: Counter[str] = Counter()
    output = args.output.open("a", encoding="utf-8") if args.output else None
    collected = _collectors(args, reader)
    interrupted = False
    try:
        for row in _rows(args, reader, files):
            line = json.dumps(row["line"], ensure_ascii=False)
            if output:
                output.write(line + "\n")
                output.flush()
            if args.json:
                print(line, flush=True)
            else:
                _print(row["line"], first=not counts)
            counts[row["line"]["status"]] += 1
            for collect in collected:
                collect(row)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        if output:
            output.close()
    for collect in collected:
        collect.finish()
    if not counts and not answered:
        raise UserError(f"no films were found in {', '.join(args.films)}")
    if not args.json:
        _summary(counts, len(answered))
    if interrupted:
        raise KeyboardInterrupt
    return 1 if counts["failed"] else 0


def _rows(args: argparse.Namespace, reader: Reader, files: Iterator[Path]) -> Iterator[dict[str, Any]]:
    """``{"line": the JSON line, "row": what the report needs}`` of each film."""
    if args.engine == "ray":
        if args.overlays or args.report:
            raise UserError("--engine ray writes JSON lines and CSV; make overlays and reports on one machine")
        from ai_for_sudan.reading.cluster import read_on_cluster

        lines = read_on_cluster(reader.path, files, operating_point=args.operating_point, address=args.address)
        yield from ({"line": line} for line in lines)
        return
    from ai_for_sudan.reading.batch import read_all

    def then(reading: Reading) -> dict[str, Any]:
        row: dict[str, Any] = {"line": _line(args, reader, reading)}
        if args.overlays and reading.pixels is not None:
            _save_overlay(reading, _overlay_path(args.overlays, args.films, reading.file))
        if args.report:
            from ai_for_sudan.reading.report import row_of

            row["row"] = row_of(reading)
        return row

    first = list(_take(files, 2))
    if len(first) < 2:  # one film: no pool of threads, no bar
        yield from (then(reader.read(file, operating_point=args.operating_point)) for file in first)
        return
    from itertools import chain

    readings = read_all(
        reader, chain(first, files), operating_point=args.operating_point, workers=args.threads, then=then
    )
    if sys.stderr.isatty():
        from tqdm import tqdm

        readings = iter(tqdm(readings, desc="reading", unit="film"))
    yield from readings


def _take(files: Iterator[Path], count: int) -> Iterator[Path]:
    for _ in range(count):
        try:
            yield next(files)
        except StopIteration:
            return


def _line(args: argparse.Namespace, reader: Reader, reading: Reading) -> dict[str, Any]:
    line = reading.to_dict()
    if args.log:
        line["date"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
        line["site"] = args.site
        if reading.embedding is not None:
            line["embedding"] = [round(float(value), 4) for value in reading.embedding]
    return line


def _todo(films: list[str], answered: set[str]) -> Iterator[Path]:
    from ai_for_sudan.radiographs import find_films

    return (path for path in find_films(films) if str(path) not in answered)


def _answered(output: Path | None) -> set[str]:
    """The files that an earlier run answered; a line that a power cut left half-written is cut off."""
    if output is None or not output.exists():
        return set()
    done: set[str] = set()
    kept = 0
    with output.open("rb") as file:
        for raw in file:
            try:
                done.add(json.loads(raw)["file"])
            except (ValueError, KeyError, TypeError) as error:
                if not raw.endswith(b"\n"):
                    break
                raise UserError(f"{output} is no file of readings; give another --output") from error
            if not raw.endswith(b"\n"):
                done.discard(json.loads(raw)["file"])
                break
            kept += len(raw)
    if kept < output.stat().st_size:
        with output.open("rb+") as file:
            file.truncate(kept)
    return done


class _Csv:
    COLUMNS = ("file", "status", "label", "probability", "operating_point", "threshold", "codes", "reasons", "reader")

    def __init__(self, path: Path) -> None:
        import csv

        from ai_for_sudan.files import replacing

        self._replacing = replacing(path)
        self._file = self._replacing.__enter__().open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        self._writer.writerow(self.COLUMNS)

    def __call__(self, row: dict[str, Any]) -> None:
        line = row["line"]
        values = ["; ".join(line[c]) if isinstance(line[c], list) else line[c] for c in self.COLUMNS]
        # A name that begins like a formula would be computed by a spreadsheet.
        self._writer.writerow([f"'{v}" if isinstance(v, str) and v[:1] in "=+-@" and v else v for v in values])

    def finish(self) -> None:
        self._file.close()
        self._replacing.__exit__(None, None, None)


class _Page:
    def __init__(self, path: Path, reader: Reader) -> None:
        from ai_for_sudan.reading.report import Report

        self._path, self._report = path, Report(reader.card)

    def __call__(self, row: dict[str, Any]) -> None:
        self._report.add(row["row"])

    def finish(self) -> None:
        self._report.write(self._path)


def _collectors(args: argparse.Namespace, reader: Reader) -> list[_Csv | _Page]:
    collectors: list[_Csv | _Page] = []
    if args.csv:
        collectors.append(_Csv(args.csv))
    if args.report:
        collectors.append(_Page(args.report, reader))
    return collectors


def _overlay_path(folder: Path, given: list[str], file: str) -> Path:
    """``folder/<path below what was given>.overlay.png``: films of one name in two folders do not meet."""
    path = Path(file)
    for top in given:
        if Path(top).is_dir() and path.is_relative_to(top):
            return folder / path.relative_to(top).with_name(path.name + ".overlay.png")
    return folder / (path.name + ".overlay.png")


def _save_overlay(reading: Reading, path: Path) -> None:
    from ai_for_sudan.files import replacing

    with replacing(path) as temporary:
        reading.overlay().save(temporary, format="PNG")


def _print(line: dict[str, Any], *, first: bool) -> None:
    if first:
        print(f"{'status':<12}{'probability':>11}  film")
    probability = "" if line["probability"] is None else f"{line['probability']:.3f}"
    notes = "; ".join([*line["reasons"], *line.get("warnings", [])])
    print(f"{line['status']:<12}{probability:>11}  {line['file']}" + (f"\n{'':25}{notes}" if notes else ""))


def _summary(counts: Counter[str], before: int) -> None:
    print()
    for status in URGENCY:
        if counts[status]:
            print(f"{counts[status]:>6}  {STATUS_WORDS[status]}")
    if before:
        print(f"{before:>6}  answered by an earlier run")
    print(DISCLAIMER)
