"""`ai-for-sudan inference`: the predicted class of films, its probability, and where the model looked."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.films import common_parent, once, picture_path, save_png
from ai_for_sudan.errors import UnreadableFilm, UserError
from ai_for_sudan.radiographs import FILM_SUFFIXES, RefusedByHeader, read_radiograph
from ai_for_sudan.reading import Reader, Reading
from ai_for_sudan.reading.words import STATUS_WORDS

#: an --output that ends so is one picture; any other is a folder
PICTURES = (".png", ".jpg", ".jpeg", ".webp")


def configure(parser: argparse.ArgumentParser) -> None:
    add_film_options(parser)
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("outputs/inference"),
        help="the film with its heatmap: a .png for one film, a folder for several (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a film on standard output")


def add_film_options(parser: argparse.ArgumentParser) -> None:
    """The options by which `inference` and `gradcam` are told what to look at, and with what."""
    parser.add_argument("--image", nargs="+", required=True, metavar="FILM", help="files, folders and patterns")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        required=True,
        help="best_model.pth, quantized_model.pth, a .safetensors file or a reader file (.onnx)",
    )
    parser.add_argument("--model_type", help="the architecture that it should hold")


def run(args: argparse.Namespace) -> int:
    films, place = films_and_place(args.image, args.output, "overlay")
    read = _opened(args.checkpoint, args.model_type)
    counts: Counter[str] = Counter()
    for film in films:
        reading = read(film)
        line = reading.to_dict() | {"confidence": _confidence(reading), "overlay": None}
        if reading.pixels is not None and reading.heatmap is not None:
            path = place(film)
            save_png(reading.overlay(legend=True), path)
            line["overlay"] = str(path)
        if args.json:
            print(json.dumps(line, ensure_ascii=False), flush=True)
        else:
            _print(line, first=not counts)
        counts[reading.status] += 1
    if not args.json:
        if failed := counts["failed"]:
            print(f"{failed} of {len(films)} films could not be read")
        print(DISCLAIMER)
    return 1 if counts["failed"] else 0


def films_and_place(given: list[str], output: Path, kind: str) -> tuple[list[Path], Callable[[Path], Path]]:
    """The films, and where the picture of each goes: ``output`` itself for one film, else a file below it.

    Raises:
        UserError: no films, several films for one picture, or the picture would replace the film.
    """
    single = output.suffix.lower() in PICTURES and not output.is_dir()
    films = list(once(given, below=None if single else output))
    if not films:
        raise UserError(f"no films were found in {', '.join(given)}; expected {', '.join(FILM_SUFFIXES)}")
    if single:
        if output.suffix.lower() != ".png":
            raise UserError(f"--output {output}: pictures are written as PNG; give a name that ends in .png")
        if len(films) > 1:
            raise UserError(f"--output {output} is one file for {len(films)} films; give a folder")
        if output.resolve() == films[0].resolve():
            raise UserError(f"--output {output} would replace the film; give another name")
        return films, lambda film: output
    if output.exists() and not output.is_dir():
        raise UserError(f"--output {output} is no folder and does not end in .png")
    parent = common_parent(given)
    return films, lambda film: picture_path(output, parent, film, kind)


def _opened(path: Path, expect: str | None) -> Callable[[Path], Reading]:
    """How to read one film; a reader file needs no PyTorch."""
    if path.suffix != ".onnx":
        return _by_checkpoint(path, expect)
    reader = Reader.open(path)
    held = reader.card.architecture
    if expect is not None and held != expect:
        raise UserError(f"{path} holds a {held}, not a {expect}; call with --model_type {held}")
    return reader.read


def _by_checkpoint(path: Path, expect: str | None) -> Callable[[Path], Reading]:
    """A checkpoint knows no gate and no abstention: every film that can be decoded gets a class."""
    from ai_for_sudan.datasets import squash
    from ai_for_sudan.datasets.film import large_enough
    from ai_for_sudan.evaluation.subject import open_subject

    subject = open_subject(path, expect)

    def read(film: Path) -> Reading:
        started = time.perf_counter()

        def reading(status: str, codes: tuple[str, ...] = (), reasons: tuple[str, ...] = (), **more: Any) -> Reading:
            facts: dict[str, Any] = {"label": None, "probability": None, "probabilities": {}, **more}
            return Reading(
                file=str(film),
                status=status,
                operating_point="own",
                threshold=subject.threshold,
                codes=codes,
                reasons=reasons,
                reader=subject.name,
                elapsed_ms=(time.perf_counter() - started) * 1e3,
                **facts,
            )

        try:
            decoded = read_radiograph(film)
            large_enough(decoded.pixels)
        except RefusedByHeader as error:
            codes, reasons = zip(*error.refusals, strict=True)
            return reading("refused", codes, reasons)
        except UnreadableFilm as error:
            return reading("failed", (error.code,), (error.reason,))
        pixels = squash(decoded.pixels, subject.input_size)
        values = subject.predict(pixels[None])[0]
        if not np.isfinite(values).all():
            raise UserError(f"{path} answers NaN to {film}: its weights are damaged; train it again")
        probabilities = dict(zip(subject.classes, values.tolist(), strict=True))
        probability = probabilities[subject.positive]
        refusals = tuple(zip(*decoded.refusals, strict=True)) or ((), ())
        seen = "suspected" if probability >= subject.threshold else "not_seen"
        return reading(
            "refused" if decoded.refusals else seen,
            *refusals,
            label=_label(subject.task, probabilities, subject.positive, subject.threshold),
            probability=probability,
            probabilities=probabilities,
            warnings=decoded.warnings,
            heatmap=subject.heatmap(pixels),
            heatmap_reference=subject.reference,
            radiograph=decoded,
        )

    return read


def _label(task: str, probabilities: dict[str, float], positive: str, threshold: float) -> str:
    """As :attr:`Reading.label`: the class, at the model's own operating point where there are two."""
    if task == "multilabel":
        return "|".join(name for name, value in probabilities.items() if value >= threshold)
    if len(probabilities) == 2:
        other = next(name for name in probabilities if name != positive)
        return positive if probabilities[positive] >= threshold else other
    return max(probabilities, key=lambda name: probabilities[name])


def _confidence(reading: Reading) -> float | None:
    """The probability of the predicted class; of findings, that of the reported one."""
    if reading.label is None:
        return None
    value = reading.probabilities.get(reading.label, reading.probability)
    return None if value is None else round(value, 6)


def _print(line: dict[str, Any], *, first: bool) -> None:
    if first:
        print(f"{'predicted':<14}{'confidence':>10}  film")
    label = line["label"] if line["status"] not in ("refused", "failed") else line["status"]
    confidence = f"{line['confidence']:.3f}" if line["confidence"] is not None else ""
    notes = [*line["reasons"], *line.get("warnings", [])]
    if line["status"] == "uncertain":
        notes.insert(0, STATUS_WORDS["uncertain"])
    print(f"{label or 'no finding':<14}{confidence:>10}  {line['file']}")
    for note in notes:
        print(f"{'':26}{note}")
    if line["overlay"]:
        print(f"{'':26}-> {line['overlay']}")
