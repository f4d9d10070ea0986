"""The picture of a DICOM film is what its header asks for: in Python, in the app, and for dcmtk, which judges both.

``EVERY_HEADER=2000 pytest tests/radiographs/test_every_header.py`` draws more films than the few of an ordinary run.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crafted_headers import crafted, unread
from every_header import draw, films
from PIL import Image

from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs import read_radiograph

#: of each crafted film: hashes of the picture here and of dcmtk's, what it was asked for, and the codes of warnings
EXPECTED = json.loads(Path(__file__).with_name("crafted.json").read_text())
COUNT = int(os.environ.get("EVERY_HEADER", "48"))
#: grey levels
APART = 2
#: columns on either side that padding may fill: what dcmtk shows of them is not black
PADDED = 6


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


@pytest.fixture(scope="module")
def by_hand(samples: Path) -> dict[str, bytes]:
    """The films of ``tests/crafted_headers.py`` that are read."""
    return crafted(samples)


def stretched(picture: np.ndarray) -> np.ndarray:
    inside = picture[:, PADDED:-PADDED].astype(float)
    return (inside - inside.min()) / max(1.0, float(np.ptp(inside))) * 255


def by_dcmtk(path: Path, kind: dict[str, Any], hidden: bool, picture: Path) -> np.ndarray | None:
    """What dcmtk shows, ``(H, W)``; None where its version does not do what the standard says (docs/security.md).

    ``hidden`` says that the window hides the film: then it is asked for the full range.
    """
    if kind["table"] == "voi short" or (kind["window"] == "exact" and not kind["table"].startswith("voi")):
        return None
    if kind["rescale"] == "fraction" and not kind["table"].startswith("modality"):
        return None  # it keeps whole numbers after the rescale
    if kind["table"].startswith("voi"):
        asked = ["+Wl", "1"]
    elif kind["window"] in ("narrow", "wide", "several", "one", "sigmoid") and not hidden:
        asked = ["+Wi", "1"]
    else:
        asked = ["+Wm"]
    done = subprocess.run(["dcmj2pnm", "+opw", *asked, path, picture], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return np.asarray(Image.open(picture)).astype(float)


def test_dcmtk_shows_the_same_picture(drawn: dict[Path, dict[str, Any]], tmp_path: Path) -> None:
    if shutil.which("dcmj2pnm") is None:
        pytest.skip("dcmtk is not installed")
    compared, apart = 0, []
    for path, kind in drawn.items():
        film = read_radiograph(path)
        hidden = "window_hides" in dict(film.warnings)
        theirs = by_dcmtk(path, kind, hidden, tmp_path / "picture.pgm")
        if theirs is None:
            continue
        inverse = kind["photometric"].upper() in ("MONOCHROME1", "MONOCHROME2 INVERSE")
        if "header_contradicts_pixels" in dict(film.warnings) and inverse:
            theirs = -theirs
        worst = np.abs(stretched(theirs) - stretched(film.pixels)).max()
        compared += 1
        if worst > APART:
            apart.append(f"{path.name}: {worst:.0f} {kind}")
    assert not apart, "\n".join(apart)
    assert compared > COUNT / 2


def test_crafted_films_show_the_expected_pictures(by_hand: dict[str, bytes]) -> None:
    said = {}
    for name, content in by_hand.items():
        film = read_radiograph(content)
        picture = hashlib.sha256(film.pixels.tobytes()).hexdigest()
        said[name] = {"picture": picture, "warnings": [code for code, _ in film.warnings]}
    assert said == {name: {key: one[key] for key in ("picture", "warnings")} for name, one in EXPECTED["films"].items()}


def test_dcmtk_shows_the_same_pictures_of_crafted_films(by_hand: dict[str, bytes], tmp_path: Path) -> None:
    if shutil.which("dcmj2pnm") is None:
        pytest.skip("dcmtk is not installed")
    version = subprocess.run(["dcmj2pnm", "--version"], capture_output=True, text=True).stdout.split()[2]
    for name, one in EXPECTED["films"].items():
        if one["dcmtk"] is None:  # it does not read this one
            continue
        (path := tmp_path / "film.dcm").write_bytes(by_hand[name])
        subprocess.run(["dcmj2pnm", "-q", "+opw", *one["asked"], path, tmp_path / "film.pgm"], check=True)
        theirs = np.asarray(Image.open(tmp_path / "film.pgm")).astype(float)
        assert np.abs(stretched(theirs) - stretched(read_radiograph(path).pixels)).max() <= APART, name
        if version == EXPECTED["oracle"]:
            assert hashlib.sha256((tmp_path / "film.pgm").read_bytes()).hexdigest() == one["dcmtk"], name


def test_what_no_decoder_reads_has_its_reason(samples: Path) -> None:
    for name, (code, content) in unread(samples).items():
        with pytest.raises(UnreadableFilm) as caught:
            read_radiograph(content)
        assert caught.value.code == code, name
        assert "install" not in caught.value.reason, name


def test_the_app_shows_the_same_picture_with_the_same_warnings(
    root: Path, samples: Path, drawn: dict[Path, dict[str, Any]], by_hand: dict[str, bytes]
) -> None:
    app = root / "app"
    if shutil.which("npx") is None or not (app / "node_modules").is_dir():
        pytest.skip("the app's packages are not installed; run: npm ci --prefix app")
    folder = next(iter(drawn)).parent
    both: dict[Path, object] = {**drawn}
    for name, content in by_hand.items():
        if not name.startswith("jpeg"):  # which Node cannot open; tests/app shows them to a browser
            (path := folder / f"{name}.dcm").write_bytes(content)
            both[path] = name
    reasons = unread(samples)
    for name, (_, content) in reasons.items():
        (folder / f"{name}.dcm").write_bytes(content)
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
    assert {name: said[f"{name}.dcm"]["codes"] for name in reasons if not name.startswith("jpeg,")} == {
        name: [code] for name, (code, _) in reasons.items() if not name.startswith("jpeg,")
    }
    for path, kind in both.items():
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
