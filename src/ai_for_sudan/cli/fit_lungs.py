"""`ai-for-sudan fit-lungs`: the lung finder, from films with masks."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ai_for_sudan.training.lung_finder import LungRecipe, fit_finder, load_sources, measure_finder


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--recipe", required=True, type=Path, metavar="FILE.toml", help="sources, and how to fit")
    parser.add_argument(
        "--data_dir", required=True, type=Path, help="the folder that the recipe's paths are relative to"
    )
    parser.add_argument("--output", required=True, type=Path, metavar="FILE.safetensors", help="where it is written")


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from dataclasses import asdict

    from safetensors.torch import save

    from ai_for_sudan.files import replacing

    recipe = LungRecipe.load(args.recipe)
    sources = load_sources(recipe, args.data_dir)
    for each in sources:
        print(f"{each.source.name}: {len(each.films)} films, {int(each.held_out.sum())} of them held out")
    finder = fit_finder(recipe, sources)
    figures = measure_finder(recipe, finder, sources)
    with replacing(args.output) as temporary:
        weights = {key: value.contiguous() for key, value in finder.state_dict().items()}
        metadata = {"recipe": json.dumps(asdict(recipe)), "figures": json.dumps(figures)}
        temporary.write_bytes(save(weights, metadata))
    print(f"{'Dice on held-out films':<28}{'films':>7}{'mean':>8}  95 % interval   5th percentile")
    for name, row in figures.items():
        low, high = row["interval"]
        print(
            f"{name:<28}{row['films']:>7}{row['dice']:>8.4f}  {low:.4f} to {high:.4f}{row['fifth_percentile']:>10.3f}"
        )
    print(f"{args.output}: {sum(p.numel() for p in finder.parameters()):,} parameters")
    return 0
