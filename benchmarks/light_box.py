"""Measures how the phone app reads photos of films on a light box, in Chromium, from the photo to the status.

    make app && python benchmarks/light_box.py

Draws the scenes of ``tests/light_box.py`` (300, or as many as are named) with the synthetic films of ``samples/``, or
with those of a folder, and says for each kind of scene how many films were found (every corner within 2 % of the film's
diagonal) and how many had the status that the film itself has. It ends with an error below 95 % and 97 %.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from ai_for_sudan import Reader

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from light_box import write_scenes  # noqa: E402


def main() -> int:
    """Draw the scenes and have the app read them; the exit status is that of the test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=Path, default=ROOT / "samples", help="folder of chest films")
    parser.add_argument("--scenes", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--reader", type=Path, default=ROOT / "readers" / "mobilenet_v2.onnx")
    parser.add_argument("--site", type=Path, default=ROOT / "src" / "ai_for_sudan" / "app" / "static")
    args = parser.parse_args()
    reader = Reader.open(args.reader)
    paths = sorted(path for path in args.films.rglob("*") if path.suffix in (".png", ".jpg", ".jpeg"))
    # As many films as scenes, taken evenly from the folder.
    paths = [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, args.scenes).astype(int))]
    films = [np.asarray(Image.open(path).convert("L")) for path in paths]
    statuses = [reader.read(film).status for film in films]
    with tempfile.TemporaryDirectory() as folder:
        write_scenes(Path(folder), films, statuses, args.scenes, args.seed)
        paths_of_test = {"LIGHT_BOX": folder, "SITE": str(args.site.resolve()), "PYTHON": sys.executable}
        command = ["npx", "vitest", "run", "--config", "vitest.browser.config.ts", "tests/browser/light_box.test.ts"]
        return subprocess.run(command, cwd=ROOT / "app", env={**os.environ, **paths_of_test}).returncode


if __name__ == "__main__":
    sys.exit(main())
