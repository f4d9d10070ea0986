"""`ai-for-sudan inference`: the predicted class of films, its probability, and where the model looked."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.inputs import add_film_options, films_and_place, save_png
from ai_for_sudan.contract import Judgement
from ai_for_sudan.errors import UnreadableFilm, UserError, printable
from ai_for_sudan.pages import share
from ai_for_sudan.radiographs import read_radiograph
from ai_for_sudan.reading import Reader, Reading
from ai_for_sudan.reading.reading import Terms
from ai_for_sudan.reading.words import said_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_film_options(parser)
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("outputs/inference"),
        help="the film with its heatmap: a .png for one film, a folder for several (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per film on standard output")


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    films, place = films_and_place(args.image, args.output, "overlay")
    positive, read = _opened(args.checkpoint, args.model_type)
    counts: Counter[str] = Counter()
    unsaved = 0
    for film in films:
        reading = read(film)
        line = reading.to_dict() | {"confidence": _confidence(reading), "overlay": None}
        if reading.pixels is not None and reading.heatmap is not None:
            path = place(film)
            try:
                save_png(reading.overlay(legend=True), path)
                line["overlay"] = str(path)
            except (UserError, OSError) as error:  # one picture that cannot be kept stops no batch
                if len(films) == 1:
                    raise
                unsaved += 1
                print(printable(f"{film}: no overlay was saved: {error}"), file=sys.stderr)
        if args.json:
            print(json.dumps(line), flush=True)
        else:
            _print(reading, line, positive, first=not counts)
        counts[reading.status] += 1
    if not args.json:
        if failed := counts["failed"]:
            print(f"{failed} of {len(films)} films could not be read")
        print(DISCLAIMER)
    return 1 if counts["failed"] or unsaved else 0


def _opened(path: Path, expect: str | None) -> tuple[str, Callable[[Path], Reading]]:
    """The positive class, and how to read one film; a reader file needs no PyTorch."""
    if path.suffix != ".onnx":
        return _by_checkpoint(path, expect)
    reader = Reader.open(path)
    held = reader.card.architecture
    if expect is not None and held != expect:
        raise UserError(f"{path} holds a {held}, not a {expect}; give --model_type {held}")
    return reader.card.positive, reader.read


def _by_checkpoint(path: Path, expect: str | None) -> tuple[str, Callable[[Path], Reading]]:
    """A checkpoint knows no gate: every film that can be decoded gets a class."""
    from ai_for_sudan.datasets import squash
    from ai_for_sudan.datasets.film import large_enough
    from ai_for_sudan.evaluation.subject import open_subject

    subject = open_subject(path, expect)
    terms = Terms(
        subject.name,
        replace(subject.point, name="own"),
        subject.classes,
        subject.positive,
        subject.task,
        subject.full_colour,
    )

    def read(film: Path) -> Reading:
        started = time.perf_counter()
        try:
            decoded = read_radiograph(film)
            large_enough(decoded.pixels)
        except UnreadableFilm as error:
            return Reading.unread(terms, str(film), error, (time.perf_counter() - started) * 1e3)
        pixels = squash(decoded.pixels, subject.input_size)
        values = subject.predict(pixels[None])[0]
        if not np.isfinite(values).all():
            raise UserError(f"{path} predicts NaN for {film}: its weights are damaged; train it again")
        probabilities = dict(zip(subject.classes, values.tolist(), strict=True))
        seen = subject.point.status(probabilities[subject.positive])
        return Reading.of(
            terms,
            str(film),
            decoded,
            Judgement("refused" if decoded.refusals else seen, tuple(decoded.refusals)),
            probabilities,
            elapsed_ms=(time.perf_counter() - started) * 1e3,
            heatmap=subject.heatmap(pixels),
        )

    return subject.positive, read


def _confidence(reading: Reading) -> float | None:
    """The probability of the predicted class; of findings, that of the reported one."""
    if reading.label is None:
        return None
    value = reading.probabilities.get(reading.label, reading.probability)
    return None if value is None else round(value, 6)


def _print(reading: Reading, line: dict[str, Any], positive: str, *, first: bool) -> None:
    if first:
        print(f"{'predicted':<14}{'confidence':>10}  film")
    notes = [*line["reasons"], *line["warnings"]]
    if reading.status in ("refused", "failed") or reading.probability is None:
        # Of a film that was refused the numbers say nothing, and would be read as a verdict.
        label, confidence = reading.status, ""
    else:
        label, confidence = reading.label or "no finding", share(line["confidence"], 3)
        # The predicted class may have less than half of the probability: the cut-offs decide, so they stand beside.
        notes.insert(
            0,
            f"{positive} {share(reading.probability, 3)} (not seen below {reading.not_seen_below:.3f}, suspected from "
            f"{reading.suspected_from:.3f})",
        )
    if reading.status == "uncertain":
        notes.insert(0, said_of("uncertain", reading.side))
    print(f"{label:<14}{confidence:>10}  {printable(line['file'])}")
    for note in notes:
        print(f"{'':26}{printable(note)}")
    if line["overlay"]:
        print(f"{'':26}-> {printable(line['overlay'])}")
