"""`ai-for-sudan inference`: predicted class, confidence and heatmap of films, from a checkpoint or a reader file."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.pictures import Films, add_picture_options, save_picture


def configure(parser: argparse.ArgumentParser) -> None:
    add_picture_options(parser, "the film with its heatmap", "outputs/gradcam_inference.png")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(args: argparse.Namespace) -> int:
    from ai_for_sudan.datasets.cache import squash
    from ai_for_sudan.evaluation.subject import open_subject
    from ai_for_sudan.reading.overlay import draw

    subject = open_subject(args.checkpoint, args.model_type)
    films = Films(args.image)
    for path, pixels in films:
        small = squash(pixels, subject.input_size)
        probabilities = subject.answer(small[None])[0]
        index = subject.classes.index(subject.positive)
        called = _called(subject, probabilities, index)
        place = films.place(args.output, path)
        save_picture(draw(pixels, subject.heatmap(small), subject.reference, legend=True), place)
        line: dict[str, Any] = {
            "file": str(path),
            "predicted_class": called,
            "confidence": _confidence(subject, probabilities, called),
            "probabilities": {name: round(float(p), 6) for name, p in zip(subject.classes, probabilities, strict=True)},
            "threshold": subject.threshold,
            "overlay": str(place),
        }
        if args.json:
            print(json.dumps(line), flush=True)
        else:
            confidence = line["confidence"]
            print(f"{path}: {called or 'no finding'} (confidence {confidence:.3f}); heatmap: {place}", flush=True)
    if args.json:
        for name, error in films.failed:
            print(json.dumps({"file": name, "predicted_class": None, "code": error.code, "reason": error.reason}))
    else:
        print(f"The class is {subject.positive} at a probability of {subject.threshold:.3f} or more. {DISCLAIMER}")
    return 1 if films.failed else 0


def _called(subject: Any, probabilities: Any, index: int) -> str:
    """The class, at the model's own operating point where there are two."""
    if subject.task == "multilabel":
        found = [n for n, p in zip(subject.classes, probabilities, strict=True) if p >= subject.threshold]
        return "|".join(found)
    if len(subject.classes) == 2:
        return str(subject.classes[index if probabilities[index] >= subject.threshold else 1 - index])
    return str(subject.classes[int(probabilities.argmax())])


def _confidence(subject: Any, probabilities: Any, called: str) -> float:
    """The probability of what was called; for findings that of the most probable one."""
    if called in subject.classes:
        return round(float(probabilities[subject.classes.index(called)]), 6)
    return round(float(probabilities.max()), 6)
