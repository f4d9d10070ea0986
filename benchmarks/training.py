"""How fast an epoch of MobileNetV2 trains, against the plain loop, both in this run.

The plain loop is what a tutorial shows: ImageFolder, DataLoader, float32, all layers, no augmentation. Ours is the
epoch of the shipped recipe: decoded films from the cache, bfloat16 where the machine has it, channels_last, frozen
first layers, with all of the augmentation. The epoch at full film size is measured, not the faster small-film epochs.

    python benchmarks/training.py --data_dir FOLDER_OF_CLASS_FOLDERS [--films 512]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import transforms
from torchvision.datasets import ImageFolder
from torchvision.models import mobilenet_v2

from ai_for_sudan.models import create
from ai_for_sudan.training import LabelledFilms, Recipe, fit

ROOT = Path(__file__).resolve().parent.parent


def plain(folder: Path, chosen: np.ndarray, batch_size: int) -> float:
    """Films a second of the plain loop, decoding included, as it decodes in every epoch."""
    look = transforms.Compose(
        [
            transforms.Resize((224, 224)),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    films = Subset(ImageFolder(str(folder), transform=look), chosen.tolist())
    loader = DataLoader(films, batch_size=batch_size, shuffle=True, drop_last=True)
    model = mobilenet_v2(weights=None, num_classes=2).train()
    optimizer, criterion = torch.optim.Adam(model.parameters()), nn.CrossEntropyLoss()
    started, count = time.perf_counter(), 0
    for inputs, labels in loader:
        optimizer.zero_grad()
        criterion(model(inputs), labels).backward()
        optimizer.step()
        count += len(labels)
    return count / (time.perf_counter() - started)


def ours(folder: Path, chosen: np.ndarray, recipe: Recipe) -> float:
    """Films a second of an epoch of ``fit``."""
    entries = [ImageFolder(str(folder)).samples[i] for i in chosen]
    pixels = np.stack([np.asarray(Image.open(path).convert("L").resize((224, 224))) for path, _ in entries])
    films = LabelledFilms(pixels, np.array([label for _, label in entries], dtype=np.int64), np.arange(len(entries)))
    few = films.take(range(8))
    with tempfile.TemporaryDirectory() as output:
        fitted = fit(recipe, create("mobilenet_v2", ["a", "b"]), films, few, Path(output), quiet=True)
    return fitted.history[-1]["films_per_second"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--films", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3, help="each loop is measured so often, in turn")
    args = parser.parse_args()
    total = len(ImageFolder(str(args.data_dir)))
    chosen = np.random.default_rng(0).permutation(total)[: args.films]
    shipped = Recipe.load(ROOT / "recipes" / "mobilenet_v2.toml")
    recipe = replace(shipped, epochs=1, small_epochs=0, patience=1)
    every_layer = replace(recipe, frozen_layers=0)
    rates: dict[str, list[float]] = {"plain loop": [], "recipe": [], "recipe, all layers trained": []}
    for _ in range(args.rounds):
        rates["plain loop"].append(plain(args.data_dir, chosen, recipe.batch_size))
        rates["recipe"].append(ours(args.data_dir, chosen, recipe))
        rates["recipe, all layers trained"].append(ours(args.data_dir, chosen, every_layer))
    medians = {name: float(np.median(values)) for name, values in rates.items()}
    for name, rate in medians.items():
        print(f"{name:<28}{rate:7.1f} films/s  {rate / medians['plain loop']:5.2f} times the plain loop")
    print(json.dumps({"threads": torch.get_num_threads(), "films": len(chosen), "films_per_second": rates}))


if __name__ == "__main__":
    main()
