"""Measures how far a reading moves when a film is made smaller: the figure behind ``low_resolution``.

    python benchmarks/small_films.py [--films FOLDER ...] [--each 30]

Every film is read as it is and reduced by Pillow's antialiased bilinear filter to 1/2, 1/4 and 1/8 of its size, and to
fixed shorter sides. Said of each size, against the film as it is: the median and the 95th percentile of the change of
probability, and how many statuses changed. Below 128 pixels a film is refused, which counts as a change of status only.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from ai_for_sudan import Reader

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
SHARES = (2, 4, 8)
SIDES = (320, 256, 224, 192, 160, 128)


def main() -> int:
    """Print a table for each folder of films."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    folders = [DATA / "chest_xray_train", DATA / "adult_site", ROOT / "samples"]
    parser.add_argument("--films", type=Path, nargs="+", default=folders)
    parser.add_argument("--each", type=int, default=30, help="films of each folder, taken evenly")
    parser.add_argument("--reader", type=Path, default=ROOT / "readers" / "mobilenet_v2.onnx")
    args = parser.parse_args()
    reader = Reader.open(args.reader)
    for folder in args.films:
        paths = sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".jpg", ".jpeg"))
        paths = [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, args.each).astype(int))]
        films = [np.asarray(Image.open(path).convert("L")) for path in paths]
        print(f"{folder.name}: {len(films)} films, shorter side {min(min(film.shape) for film in films)} and more")
        whole = [reader.read(film) for film in films]
        for share in SHARES:
            compare(reader, films, whole, f"1/{share}", lambda film, share=share: min(film.shape) // share)
        for side in SIDES:
            compare(reader, films, whole, f"{side} px", lambda film, side=side: side)
    return 0


def compare(reader: Reader, films: list, whole: list, name: str, side_of: object) -> None:
    """Print how readings of smaller copies differ; films that are no larger are left out."""
    moved, changed, count = [], 0, 0
    for film, before in zip(films, whole, strict=True):
        side = side_of(film)  # type: ignore[operator]
        if side >= min(film.shape):
            continue
        scale = side / min(film.shape)
        size = (round(film.shape[1] * scale), round(film.shape[0] * scale))
        after = reader.read(np.asarray(Image.fromarray(film).resize(size, Image.Resampling.BILINEAR)))
        count += 1
        changed += after.status != before.status
        if before.probability is not None and after.probability is not None:
            moved.append(abs(after.probability - before.probability))
    if moved:
        median, most = np.percentile(moved, [50, 95])
        print(f"  {name:>7}: median {median:.3f}, 95 % below {most:.3f}; {changed} of {count} statuses changed")
    elif count:
        print(f"  {name:>7}: refused; {changed} of {count} statuses changed")


if __name__ == "__main__":
    sys.exit(main())
