"""`ai-for-sudan explaincheck`: test whether the heatmaps mean anything."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ai_for_sudan.cli import DISCLAIMER
from ai_for_sudan.cli.data import add_data_options, decoded, manifest_of
from ai_for_sudan.datasets import Manifest, labels, patients
from ai_for_sudan.datasets.named import masks_in, named_like
from ai_for_sudan.datasets.regions import load_boxes, load_masks
from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation import attribution
from ai_for_sudan.evaluation.attribution import GRID
from ai_for_sudan.evaluation.explaincheck import examples, figure, verdicts
from ai_for_sudan.evaluation.readings import chosen_films
from ai_for_sudan.evaluation.standing import Measured
from ai_for_sudan.evaluation.standing import verdicts as standing_verdicts
from ai_for_sudan.evaluation.subject import load_model
from ai_for_sudan.explanation import GradCAM, checks
from ai_for_sudan.files import write_json
from ai_for_sudan.models import Architecture, as_batch, logits, probabilities
from ai_for_sudan.pages import interval, statuses_in_words, write_page
from ai_for_sudan.reading import Reader
from ai_for_sudan.statistics import positive_truth

#: films from which the head with random labels learns
LEARNED = 400


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_data_options(parser)
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--checkpoint", type=Path, help="written by train.py")
    model.add_argument(
        "--reader",
        help="a shipped reader or a reader file: where its evidence comes from on all films, by boxes and lungs",
    )
    parser.add_argument("--layer", help="name of a module with a feature map (default: the last feature map)")
    parser.add_argument("--split", type=Path, metavar="split.json", help="explain films that this run held out")
    parser.add_argument("--films", type=int, default=32, help="explain at most this many (default: %(default)s)")
    parser.add_argument(
        "--random_labels",
        type=Path,
        metavar="CHECKPOINT",
        help="a model trained on permuted labels (default: only a last layer is trained that way here)",
    )
    parser.add_argument(
        "--masks", type=Path, metavar="FOLDER", help="PNGs named like the films; anything not black is inside"
    )
    parser.add_argument(
        "--boxes",
        type=Path,
        metavar="CSV",
        help="file,boxes (x y w h in shares of the film, ';' between boxes) or file,x,y,width,height in pixels "
        "(default: the column 'boxes' of --data_dir)",
    )
    parser.add_argument("--output_dir", type=Path, default=Path("outputs/explaincheck"))
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    return _of_reader(args) if args.reader else _of_checkpoint(args)


def _of_reader(args: argparse.Namespace) -> int:
    """The standing checks, which need no weights."""
    reader = Reader.open(args.reader)
    manifest = manifest_of(args, reader.card.positive)
    boxes = load_boxes(manifest.films, GRID, args.boxes)
    measured, excluded = Measured.by(reader, manifest, reader.card.operating_point())
    found = measured.evidence(boxes, args.masks, cache_dir=args.cache_dir)
    facts = {
        "reader": reader.card.title,
        "class": reader.card.positive,
        "data": str(args.data_dir),
        "films": len(measured.rows),
        "called": int((measured.probability[measured.rows] >= measured.point.suspected_from).sum()),
        "excluded": excluded,
        "statuses": measured.statuses(),
        "evidence": found,
        "verdicts": standing_verdicts(found),
    }
    return _report(args, facts, f"Where {reader.card.title} takes its evidence", examples=[], figure="")


def _of_checkpoint(args: argparse.Namespace) -> int:
    if args.checkpoint.suffix == ".onnx":
        raise UserError(f"{args.checkpoint} is a reader file, whose weights cannot be randomised; give its checkpoint")
    if args.films < 2:
        raise UserError(f"--films must be at least 2, not {args.films}")
    if args.masks and args.boxes:
        raise UserError("--masks and --boxes exclude each other; run it twice, each time with its own --output_dir")
    model, _ = load_model(args.checkpoint)
    positive = model.spec.positive_index
    of_data = decoded(args, manifest_of(args, model.spec.positive), model.spec.input_size)
    manifest, pixels = of_data.manifest, np.asarray(of_data.pixels)
    candidates = chosen_films(args.split, manifest, args.seed, LEARNED)
    score = probabilities(logits(model, pixels[candidates]), model.spec.task)[:, positive].numpy()
    called = candidates[score >= 0.5]
    explained = _explained(args, manifest, called)
    if len(explained) < 2:
        raise UserError(
            f"the model calls {len(called)} of {len(candidates)} films {model.spec.positive}, and {len(explained)} of "
            "them can be explained here; at least 2 are needed"
        )
    films = _films(model, pixels[explained])
    layer = GradCAM(model, args.layer).layer
    print(f"{len(explained)} films called {model.spec.positive}; Grad-CAM at {layer}")

    own = checks.attribution(model, films, positive, layer)
    rows = checks.cascade(model, films, positive, layer, seed=args.seed)
    for row in rows:
        print(f"  weights randomised down to {row['stage']:<16} rank correlation {interval(row['spearman'], 2)}")
    learned = _labels_at_random(args, model, manifest, pixels, candidates)
    other, known = learned if learned else (None, None)
    random_maps = checks.attribution(other, films, positive, layer) if other is not None else None
    displaced = checks.stability(model, films, positive, layer)
    regions = _regions(args, manifest, explained, model.spec.input_size)
    facts: dict[str, Any] = {
        "model": f"{model.spec.name} ({args.checkpoint.name})",
        "class": model.spec.positive,
        "layer": layer,
        "data": f"{args.data_dir}{f', held out by {args.split}' if args.split else ''}",
        "films": len(explained),
        "files": [manifest.films[i].file for i in explained],
        "seed": args.seed,
        "cascade": rows,
        "random_labels": (
            {**checks.similarity(own, random_maps).facts(), "label_accuracy": known}
            if random_maps is not None
            else None
        ),
        **_order(model, pixels[explained], films, own, patients(manifest)[explained], args.seed),
        "stability": displaced.facts(),
        "regions": _inside(own.numpy(), regions, patients(manifest)[explained]) if regions else None,
    }
    facts["verdicts"] = verdicts(facts)
    return _report(
        args,
        facts,
        f"Do the heatmaps of {model.spec.name} mean anything?",
        figure=figure(facts),
        examples=examples(facts["files"][:6], pixels[explained[:6]], own, random_maps),
    )


def _report(args: argparse.Namespace, facts: dict[str, Any], title: str, **shown: Any) -> int:
    write_json(args.output_dir / "explaincheck.json", facts)
    page = args.output_dir / "explaincheck.html"
    write_page("ai_for_sudan.evaluation", page, title=title, facts=facts, **shown)
    if "statuses" in facts:
        print("\n".join(statuses_in_words(facts["statuses"], facts["class"])))
    for verdict in facts["verdicts"]:
        word = {None: "not measured", True: "passed", False: "FAILED"}[verdict["passed"]]
        print(f"{verdict['check']:<50}{word:<14}{verdict['found']}")
    print(f"{page}\n{DISCLAIMER}")
    return 1 if any(verdict["passed"] is False for verdict in facts["verdicts"]) else 0


def _films(model: Architecture, pixels: np.ndarray) -> Tensor:
    return as_batch(pixels, next(model.parameters()).device)


def _order(
    model: Architecture, pixels: np.ndarray, films: Tensor, own: Tensor, whose: np.ndarray, seed: int
) -> dict[str, Any]:
    """Deletion and insertion inside the lungs that the model found, or in the whole film where it finds none."""
    side, view = pixels.shape[1], model.view
    regions = np.ones(pixels.shape, bool)
    if view is not None:
        with torch.inference_mode():
            lungs = [attribution.at_side(one, side) for one in (view.find(films)[:, 0] > 0.5).cpu().numpy()]
        regions = np.stack([one if one.mean() > attribution.FOUND else np.ones_like(one) for one in lungs])

    def predict(changed: np.ndarray) -> np.ndarray:
        return probabilities(logits(model, changed), model.spec.task)[:, model.spec.positive_index].numpy()

    found = attribution.deletion_insertion(predict, np.asarray(pixels), own.numpy(), regions, whose, seed=seed)
    return {"inside": "the film" if view is None else "the lungs", **found}


def _inside(own: np.ndarray, regions: list[np.ndarray], whose: np.ndarray) -> dict[str, Any] | None:
    """Maps against the regions that people drew; ``None`` where they drew those of fewer than two patients."""
    drawn = np.array([number for number, region in enumerate(regions) if region.size], int)
    if len(np.unique(whose[drawn])) < 2:
        return None
    found = attribution.against_regions(own[drawn], np.stack([regions[i] for i in drawn]), whose[drawn])
    return {**found, "without_region": len(regions) - len(drawn)}


def _explained(args: argparse.Namespace, manifest: Manifest, called: np.ndarray) -> np.ndarray:
    """Films with a region first, where regions are given."""
    if args.masks:
        masks = masks_in(args.masks)
        there = np.array([named_like(manifest.films[i].file, masks) is not None for i in called], bool)
        called = np.concatenate([called[there], called[~there]]) if len(called) else called
    elif args.boxes or any(film.facts.get("boxes") for film in manifest.films):
        drawn = load_boxes([manifest.films[i] for i in called], GRID, args.boxes) if len(called) else []
        there = np.array([region.size > 0 for region in drawn], bool)
        called = np.concatenate([called[there], called[~there]]) if len(called) else called
    return called[: args.films]


def _labels_at_random(
    args: argparse.Namespace, model: Architecture, manifest: Manifest, pixels: np.ndarray, rows: np.ndarray
) -> tuple[Architecture, float | None] | None:
    """A model of random labels, and its accuracy on them; ``None`` where the films have one label only."""
    if args.random_labels:
        return load_model(args.random_labels, model.spec.name)[0], None
    truth = labels(manifest)[rows]
    name = model.spec.positive
    if name not in manifest.classes:
        raise UserError(f"{args.data_dir} has no class '{name}', which the model predicts")
    positive = positive_truth(truth, manifest.classes.index(name))
    labelled = ~np.isnan(positive)
    if len(np.unique(positive[labelled])) < 2:
        return None
    return checks.random_label_head(
        model, _films(model, pixels[rows[labelled]]), positive[labelled].astype(int), seed=args.seed
    )


def _regions(args: argparse.Namespace, manifest: Manifest, rows: np.ndarray, size: int) -> list[np.ndarray] | None:
    films = [manifest.films[i] for i in rows]
    if args.masks:
        return load_masks(args.masks, films, size)
    if args.boxes or any(film.facts.get("boxes") for film in films):
        return load_boxes(films, GRID, args.boxes)
    return None
