"""`ai-for-sudan evaluate`: every figure of a model on films that it was not trained on, with intervals."""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.data import add_data_options, decoded, manifest_of, patients_in_words
from ai_for_sudan.contract.provenance import films_sha256
from ai_for_sudan.datasets import Split, labels, patients, saved_split, verify, without_patient
from ai_for_sudan.datasets.manifest import Manifest
from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation.metrics import Metrics, measure
from ai_for_sudan.evaluation.report import write_report
from ai_for_sudan.evaluation.subject import Judged, Subject, open_subject
from ai_for_sudan.files import replacing, write_json
from ai_for_sudan.pages import interval, statuses_in_words
from ai_for_sudan.reading.table import cell
from ai_for_sudan.statistics import as_json, positive_truth, status_table

TRAINED_ON = "These are the films that the model was trained on: the figures are too good."
CHOSEN_ON = "{} of this model were chosen on these very films: the figures are slightly too good."
ALL_FILMS = "All films were measured. If the model was trained on any of them, the figures are too good."
UNKNOWN_SIDE = f"The data names no test or val films and the run's split is not of these films. {ALL_FILMS}"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_data_options(parser)
    parser.add_argument(
        "--checkpoint", type=Path, required=True, help="best_model.pth, quantized_model.pth or a reader file"
    )
    parser.add_argument("--model_type", help="the architecture that it should contain")
    parser.add_argument(
        "--split",
        choices=("auto", "train", "val", "test", "all"),
        default="auto",
        help="which films: the data's test or val folder, else the validation side of the run's own split",
    )
    parser.add_argument(
        "--output_dir", type=Path, help="for metrics.json and report.html (default: evaluation/ beside the run)"
    )
    parser.add_argument("--rounds", type=int, default=1000, help="of the bootstrap")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print metrics.json")


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    if args.rounds < 100:
        raise UserError(f"--rounds must be at least 100 for a 95 % interval, not {args.rounds}")
    subject = open_subject(args.checkpoint, args.model_type)
    if subject.task == "multilabel" and args.label_columns is None:
        args.label_columns = list(subject.classes)
    manifest = _with_classes(manifest_of(args, subject.positive), subject)
    if args.skip_unreadable:  # the run's split is of the films that could be read
        manifest = decoded(args, manifest, subject.input_size).manifest
    side = _side(args, manifest, subject)
    part = replace(manifest, films=tuple(manifest.films[i] for i in side.rows))
    measured = decoded(args, part, subject.input_size)
    if subject.task == "exclusive":  # a finding may be missing here: its figures are left out
        verify(measured, allow_overlap=True)
    pixels = np.asarray(measured.pixels)
    truth, patient_ids = labels(part), patients(part)
    judged = subject.judge(part, pixels)
    read = np.flatnonzero(np.isfinite(judged.probabilities).all(1))
    if not len(read):
        raise UserError("the probabilities are no numbers (NaN), or no film could be read: nothing can be measured")
    index = subject.classes.index(subject.positive)
    table = as_json(status_table(positive_truth(truth, index), judged.statuses, patient_ids))
    metrics = measure(
        truth[read],
        judged.probabilities[read],
        patient_ids[read],
        subject.classes,
        subject.positive,
        subject.task,
        threshold=subject.threshold,
        rounds=args.rounds,
        seed=args.seed,
    )
    said = patients_in_words(len(part.films), metrics.patients, without_patient(part))
    warnings = [*side.warnings, *_of_the_same_films(subject, side, pixels)]
    if metrics.left_out:
        warnings.append(f"Not measured, because these films are not of both classes: {', '.join(metrics.left_out)}.")
    record = {
        "model": subject.name,
        "data": args.data_dir.name,
        "side": side.name,
        "warnings": warnings,
        "point": {"not_seen_below": subject.point.not_seen_below, "suspected_from": subject.point.suspected_from},
        "statuses": table,
        **metrics.to_dict(),
        "films_without_patient": without_patient(part),
        "films_of_patients": said,
    }
    folder = args.output_dir or _run_folder(args.checkpoint) / "evaluation"
    write_json(folder / "metrics.json", record)
    files = [_below(args.data_dir, film.file) for film in part.films]
    films = f"{said} ({side.name})"
    _write_predictions(folder / "predictions.csv", part, files, patient_ids, judged, index)
    write_report(
        folder / "report.html", subject, metrics, truth[read], judged.probabilities[read], pixels[read],
        [files[i] for i in read], title=f"Evaluation of {subject.name}", films=films, warnings=warnings, statuses=table,
    )  # fmt: skip
    if args.json:
        print(json.dumps(record))
        return 0
    print(f"{subject.name}: {films}")
    for warning in warnings:
        print(f"WARNING: {warning}")
    print("\n".join(statuses_in_words(table, subject.positive)))
    _print(metrics)
    print("\n".join(str(folder / name) for name in ("metrics.json", "predictions.csv", "report.html")))
    print(DISCLAIMER)
    return 0


@dataclass(frozen=True)
class _Side:
    """Film numbers to measure on, what they are called, and what must be said of them."""

    rows: list[int]
    name: str
    warnings: list[str] = field(default_factory=list)


def _with_classes(manifest: Manifest, subject: Subject) -> Manifest:
    """The manifest's class numbers as the model has them.

    Raises:
        UserError: other classes.
    """
    if set(manifest.classes) != set(subject.classes) or manifest.task != subject.task:
        raise UserError(
            f"{manifest.source} has the classes {', '.join(manifest.classes)}, the model was trained on "
            f"{', '.join(subject.classes)}; give the folders or labels the same names"
        )
    order = [manifest.classes.index(name) for name in subject.classes]
    if manifest.task == "multilabel":
        films = tuple(replace(f, label=tuple(f.label[i] for i in order)) for f in manifest.films)  # type: ignore[index]
    else:
        films = tuple(replace(f, label=order.index(f.label)) for f in manifest.films)  # type: ignore[arg-type]
    return replace(manifest, films=films, classes=subject.classes, positive=subject.positive)


def _side(args: argparse.Namespace, manifest: Manifest, subject: Subject) -> _Side:
    sides = [film.split for film in manifest.films]
    everything = list(range(len(sides)))
    wanted = args.split
    if wanted == "all":
        return _Side(everything, "all films", [ALL_FILMS])
    if wanted == "auto":
        wanted = next((side for side in ("test", "val") if side in sides), None)
    if wanted is not None and wanted in sides:
        chosen = [i for i, side in enumerate(sides) if side == wanted]
        return _Side(chosen, f"the data's {wanted} films", [TRAINED_ON] if wanted == "train" else [])
    path = _run_folder(args.checkpoint) / str((subject.state.get("split") or {}).get("path") or "split.json")
    split = _split_of_the_run(path, manifest, subject) if args.split != "test" else None
    if split is not None:
        if args.split == "train":
            return _Side(split.train, f"the training side of {path.name}", [TRAINED_ON])
        return _Side(split.validation, f"the validation side of {path.name}")
    if args.split != "auto":
        raise UserError(
            f"{args.data_dir} has no '{args.split}' films and {path} is not a split of them; give --split all"
        )
    return _Side(everything, "all films", [UNKNOWN_SIDE])


def _of_the_same_films(subject: Subject, side: _Side, pixels: np.ndarray) -> list[str]:
    """Say where these very films chose the epoch, the cut-offs or the calibration, or were trained on."""
    split, provenance = (subject.state.get(key) or {} for key in ("split", "provenance"))
    if provenance and TRAINED_ON not in side.warnings:
        identity = films_sha256(pixels)
        used = {one["role"] for one in provenance["data"] if one["identity"] == identity}
        if "training" in used:
            return [TRAINED_ON]
        if "validation" in used:
            return [CHOSEN_ON.format("Epoch, calibration and cut-offs")]
    validated = side.name.startswith("the validation side") or (
        side.name == "the data's val films" and split.get("grouped_by") == "as given by the data"
    )
    if not validated:
        return []
    return [CHOSEN_ON.format("Epoch, calibration and cut-offs" if provenance else "Epoch and cut-offs")]


def _write_predictions(
    path: Path, part: Manifest, files: list[str], patient_ids: np.ndarray, judged: Judged, positive: int
) -> None:
    """Write one row a film: what is true of it, and what was said."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("film", "patient", "label", "probability", "status", "reasons"))
        for number, film in enumerate(part.films):
            probability = judged.probabilities[number, positive]
            known = film.patient if film.patient is not None else ""
            rows.writerow(
                cell(value)
                for value in (
                    files[number],
                    str(patient_ids[number]) if known else "",
                    _label(part, film.label),
                    "" if np.isnan(probability) else round(float(probability), 6),
                    judged.statuses[number],
                    judged.reasons[number],
                )
            )


def _label(part: Manifest, label: Any) -> str:
    """The class of a film, or its findings with ``|`` between them; empty where nobody knows."""
    if isinstance(label, int):
        return part.classes[label] if label >= 0 else ""
    return "|".join(name for name, value in zip(part.classes, label, strict=True) if value == 1)


def _split_of_the_run(path: Path, manifest: Manifest, subject: Subject) -> Split | None:
    """The split by which the checkpoint was trained, if it is one of these films."""
    identity = (subject.state.get("split") or {}).get("identity")
    if not identity:
        return None
    try:
        split = saved_split(path, manifest)
    except UserError:  # of other films, or no split at all
        return None
    return split if split.identity == identity else None


def _below(data: Path, file: str) -> str:
    """A film's name as the dataset has it: where the data lies on this machine is nobody's business."""
    folder = data if data.is_dir() else data.parent
    return Path(file).relative_to(folder).as_posix() if Path(file).is_relative_to(folder) else Path(file).name


def _run_folder(checkpoint: Path) -> Path:
    return checkpoint.parent.parent if checkpoint.parent.name == "checkpoints" else checkpoint.parent


def _print(metrics: Metrics) -> None:
    points = metrics.operating_points
    header = "".join(f"{f'at {name}':>12}{point.threshold:>7.3f}{'':6}" for name, point in points.items())
    print(f"{'':<20}{header}")
    for key in ("auroc", "accuracy", "recall", "specificity", "precision", "f1", "average_precision", "brier", "ece"):
        print(f"{key:<20}" + "".join(f"{interval(getattr(point, key)):>25}" for point in points.values()))
    for name, point in points.items():
        table = point.confusion
        print(
            f"at {name}: {table.true_positive} found, {table.false_negative} missed, "
            f"{table.false_positive} false alarms, {table.true_negative} correctly cleared"
        )
    print(f"{'loss':<20}{interval(metrics.loss):>25}")
    each = metrics.classes or metrics.findings or {}
    if metrics.accuracy:
        print(f"accuracy over {len(each)} classes: {interval(metrics.accuracy)}")
        print(np.array(metrics.confusion_matrix))
    if metrics.macro:
        print("mean over classes: " + ", ".join(f"{key} {interval(value)}" for key, value in metrics.macro.items()))
    for name, figures in each.items():
        print(f"{name:<20}AUROC {interval(figures.auroc)}  ({figures.films} films)")
