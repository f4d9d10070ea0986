"""The picture of a DICOM film is what its header asks for: in Python, in the app, and for dcmtk, which judges both.

``EVERY_HEADER=2000 pytest tests/radiographs/test_every_header.py`` draws more films than the few of an ordinary run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from every_header import draw, films
from PIL import Image

from ai_for_sudan.radiographs import read_radiograph

COUNT = int(os.environ.get("EVERY_HEADER", "48"))
#: grey levels
APART = 2
#: columns on either side that padding may fill: what dcmtk shows of them is not black
PADDED = 4


@pytest.fixture(scope="module")
def drawn(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Path, dict[str, Any]]:
    """The films that were drawn, and what was drawn for each."""
    folder = tmp_path_factory.mktemp("headers")
    chests, found = films(samples), {}
    for number in range(COUNT):
        content, kind = draw(number, chests)
        (path := folder / f"{number:05}.dcm").write_bytes(content)
        found[path] = kind
    return found


def stretched(picture: np.ndarray) -> np.ndarray:
    inside = picture[:, PADDED:-PADDED].astype(float)
    return (inside - inside.min()) / max(1.0, float(np.ptp(inside))) * 255


def by_dcmtk(path: Path, kind: dict[str, Any], picture: Path) -> np.ndarray | None:
    """What dcmtk shows, ``(H, W)``; None where its version does not do what the standard says (docs/security.md)."""
    if kind["table"] == "voi short" or (kind["window"] == "exact" and not kind["table"].startswith("voi")):
        return None
    if kind["table"].startswith("voi"):
        asked = ["+Wl", "1"]
    elif kind["window"] in ("narrow", "wide", "several", "one", "sigmoid"):
        asked = ["+Wi", "1"]
    else:
        asked = ["+Wm"]
    if kind["rescale"] == "fraction" and asked != ["+Wm"]:  # it keeps whole numbers after the rescale
        return None
    done = subprocess.run(["dcmj2pnm", "+opw", *asked, path, picture], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return np.asarray(Image.open(picture)).astype(float)


def test_dcmtk_shows_the_same_picture(drawn: dict[Path, dict[str, Any]], tmp_path: Path) -> None:
    if shutil.which("dcmj2pnm") is None:
        pytest.skip("dcmtk is not installed")
    compared, apart = 0, []
    for path, kind in drawn.items():
        theirs = by_dcmtk(path, kind, tmp_path / "picture.pgm")
        if theirs is None:
            continue
        film = read_radiograph(path)
        inverse = kind["photometric"].upper() in ("MONOCHROME1", "MONOCHROME2 INVERSE")
        if "header_contradicts_pixels" in dict(film.warnings) and inverse:
            theirs = -theirs
        worst = np.abs(stretched(theirs) - stretched(film.pixels)).max()
        compared += 1
        if worst > APART:
            apart.append(f"{path.name}: {worst:.0f} {kind}")
    assert not apart, "\n".join(apart)
    assert compared > COUNT / 2


def test_the_app_shows_the_same_picture_with_the_same_warnings(root: Path, drawn: dict[Path, dict[str, Any]]) -> None:
    app = root / "app"
    if shutil.which("npx") is None or not (app / "node_modules").is_dir():
        pytest.skip("the app's packages are not installed; run: npm ci --prefix app")
    folder = next(iter(drawn)).parent
    done = subprocess.run(
        ["npx", "vitest", "run", "--config", "vitest.parity.config.ts", "headers.test"],
        cwd=app,
        env={**os.environ, "FILMS": str(folder)},
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    said = {one["file"]: one for one in json.loads((folder / "said.json").read_text())}
    warned = set()
    for path, kind in drawn.items():
        film = read_radiograph(path)
        assert said[path.name].get("warnings") == [text for _, text in film.warnings], kind
        theirs = np.frombuffer(path.with_name(f"{path.name}.app").read_bytes(), dtype=np.uint8)
        assert np.abs(theirs.reshape(film.pixels.shape).astype(int) - film.pixels).max() <= 1, kind
        warned |= {code for code, _ in film.warnings}
    assert {"window_hides", "window_ignored", "rescale_ignored"} <= warned


@pytest.mark.parametrize("number", [54, 215])
def test_bars_of_padding_are_no_contrast_that_a_window_leaves(number: int, samples: Path, tmp_path: Path) -> None:
    """MONOCHROME1 with padding, and a window that lies beside all values."""
    content, kind = draw(number, films(samples))
    assert (kind["photometric"], kind["window"], kind["padding"]) == ("MONOCHROME1", "beside", "range")
    (path := tmp_path / "film.dcm").write_bytes(content)
    film = read_radiograph(path)
    assert "window_hides" in [code for code, _ in film.warnings]
    assert film.pixels.std() > 40
