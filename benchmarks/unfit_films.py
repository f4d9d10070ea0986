"""What a reader says of films that are not fit to be read: whether each gets a true reason, or an answer it may get.

Real films of children (Kermany 2018) and adults (Shenzhen), with lungs that people drew, made unfit in ways that occur
in clinics. An outcome is the first reason of a film that is refused or left to a person, and otherwise its status; it
is true where the table below says so of its kind. A film that is cut off may also be answered with the warning that
lung reaches its edge.

    python benchmarks/unfit_films.py DATA [--sites sites.csv] [--reader mobilenet_v2] [--films 24] [--pictures DIR]

DATA holds `chest_xray_train`, `chest_xray_train_lungs` and `shenzhen_lungs`; of the children those are taken that the
table of `recipes/sites.py` holds out; DIR gets the first two films of each kind.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from ai_for_sudan import Reader, Reading
from ai_for_sudan.datasets import squash
from ai_for_sudan.datasets.regions import read_mask
from ai_for_sudan.datasets.table import read_table
from ai_for_sudan.radiographs import read_radiograph

#: of every film, before it is made unfit
SIDE = 512
ANSWERED = {"suspected", "not_seen", "abstained"}
WHITE = {"suspected", "abstained", "one_lung", "unfamiliar", "white_side"}
IN_PART = {"part_of_chest", "lungs_cut_off", "one_lung", "no_lungs"}
AT_EDGE = "answered, lung at its edge"


@dataclass(frozen=True)
class Film:
    """Grey levels ``(SIDE, SIDE)``, those of another film, and the lungs as people drew them, bool."""

    pixels: np.ndarray
    other: np.ndarray
    lungs: np.ndarray


def moved(pixels: np.ndarray, *, down: int = 0, across: int = 0) -> np.ndarray:
    """Moved in its frame, by pixels; black where nothing was."""
    canvas = np.zeros((3 * SIDE, 3 * SIDE), np.uint8)
    canvas[SIDE + down : 2 * SIDE + down, SIDE + across : 2 * SIDE + across] = pixels
    return canvas[SIDE : 2 * SIDE, SIDE : 2 * SIDE]


def bent(pixels: np.ndarray, degrees: float) -> np.ndarray:
    """Rows moved across along one bow, as a bent spine moves a chest."""
    rows = np.linspace(-1, 1, SIDE)
    shifts = np.tan(np.deg2rad(degrees)) * SIDE / 4 * (1 - rows**2)
    return np.stack(
        [np.interp(np.arange(SIDE) - by, np.arange(SIDE), row) for by, row in zip(shifts, pixels, strict=True)]
    ).astype(np.uint8)


def small(pixels: np.ndarray, share: float) -> np.ndarray:
    """A small child in the round field of a larger film."""
    size = int(SIDE * share)
    child = Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR)
    canvas = np.full((SIDE, SIDE), 8, np.uint8)
    start = (SIDE - size) // 2
    canvas[start : start + size, start : start + size] = np.asarray(child)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    return np.where(np.hypot(x, y) < size * 0.56, canvas, 8).astype(np.uint8)


def in_incubator(pixels: np.ndarray) -> np.ndarray:
    """A small child below the round opening of an incubator's lid, with leads of a monitor."""
    film = np.clip(small(pixels, 0.7).astype(np.float32) + 25, 0, 255)
    y, x = np.mgrid[:SIDE, :SIDE]
    rim = abs(np.hypot(x - 0.62 * SIDE, y - 0.3 * SIDE) - 0.16 * SIDE) < 4
    leads = (abs(y - 0.8 * x - 60) < 3) | (abs(y + 0.6 * x - 430) < 3)
    film[rim] = np.clip(film[rim] - 45, 0, 255)
    film[leads] = 235
    return film.astype(np.uint8)


def painted(film: Film, grey: int, share: float) -> np.ndarray:
    """The lung on the film's left in one grey level, from its base up to a share of its height."""
    here = film.lungs.copy()
    here[:, SIDE // 2 :] = False
    rows = np.flatnonzero(here.any(1))
    if len(rows):
        here[: int(rows[-1] - share * (rows[-1] - rows[0]))] = False
    soft = np.asarray(Image.fromarray(np.uint8(here) * 255).filter(ImageFilter.GaussianBlur(6)), np.float32) / 255
    return (film.pixels * (1 - soft) + grey * soft).astype(np.uint8)


def part(left: float = 0.0, top: float = 0.0, right: float = 1.0, bottom: float = 1.0) -> Callable[[Film], np.ndarray]:
    return lambda film: film.pixels[int(top * SIDE) : int(bottom * SIDE), int(left * SIDE) : int(right * SIDE)]


KINDS: dict[str, tuple[set[str], Callable[[Film], np.ndarray]]] = {
    "as it is": (ANSWERED, lambda film: film.pixels),
    "two films side by side": ({"several_films"}, lambda film: np.hstack([film.pixels, film.other])),
    "two films, one above the other": ({"several_films"}, lambda film: np.vstack([film.pixels, film.other])),
    "four films": ({"several_films"}, lambda film: np.tile(np.hstack([film.pixels, film.other]), (2, 1))),
    "rotated by 90 degrees": ({"sideways"}, lambda film: np.rot90(film.pixels)),
    "rotated by 270 degrees": ({"sideways"}, lambda film: np.rot90(film.pixels, 3)),
    "rotated by 180 degrees": ({"upside_down"}, lambda film: np.rot90(film.pixels, 2)),
    "inverted": ({"negative"}, lambda film: 255 - film.pixels),
    "abdomen with lung bases: the lowest 45 %": (IN_PART | {"not_chest", "unfamiliar"}, part(top=0.55)),
    "abdomen with lung bases: the lowest 30 %": (IN_PART | {"not_chest", "unfamiliar"}, part(top=0.7)),
    "left half cut off": (IN_PART, part(left=0.5)),
    "right half cut off": (IN_PART, part(right=0.5)),
    "35 % cut off on the left": (IN_PART | {AT_EDGE}, part(left=0.35)),
    "35 % cut off on the right": (IN_PART | {AT_EDGE}, part(right=0.65)),
    "35 % cut off above": (IN_PART | {AT_EDGE}, part(top=0.35)),
    "35 % cut off below": (IN_PART | {AT_EDGE}, part(bottom=0.65)),
    "moved out of the frame upwards by 40 %": (
        IN_PART | {AT_EDGE},
        lambda film: moved(film.pixels, down=-SIDE * 2 // 5),
    ),
    "moved out of the frame downwards by 40 %": (
        IN_PART | {AT_EDGE},
        lambda film: moved(film.pixels, down=SIDE * 2 // 5),
    ),
    "moved out of the frame sideways by 40 %": (
        IN_PART | {AT_EDGE},
        lambda film: moved(film.pixels, across=SIDE * 2 // 5),
    ),
    "scoliosis: bent by 15 degrees": (ANSWERED | {"unfamiliar"}, lambda film: bent(film.pixels, 15)),
    "scoliosis: bent by 30 degrees": (ANSWERED | {"unfamiliar"}, lambda film: bent(film.pixels, 30)),
    "tilted by 15 degrees": (
        ANSWERED | {"unfamiliar"},
        lambda film: np.asarray(Image.fromarray(film.pixels).rotate(15, Image.Resampling.BILINEAR)),
    ),
    "small child: 60 % of the side": (ANSWERED | {"unfamiliar"}, lambda film: small(film.pixels, 0.6)),
    "small child: 42 % of the side": (ANSWERED | {"unfamiliar"}, lambda film: small(film.pixels, 0.42)),
    "small child in an incubator": (ANSWERED | {"unfamiliar"}, lambda film: in_incubator(film.pixels)),
    "one side all white": (WHITE, lambda film: painted(film, 215, 1.0)),
    "one side white from the base, three quarters": (
        WHITE,
        lambda film: painted(film, 215, 0.75),
    ),
    "one side white from the base, half": (
        WHITE,
        lambda film: painted(film, 215, 0.5),
    ),
    "one lung all black": (ANSWERED | {"one_lung", "unfamiliar"}, lambda film: painted(film, 20, 1.0)),
}


def films(data: Path, sites: Path | None, count: int) -> list[Film]:
    """As many children as adults, spread over their tables."""
    places = []
    rows = read_table(sites, ("file", "split")) if sites else []
    left_out = {Path(row["file"]).name for _, row in rows if row["split"] == "train"}
    for table, of_film, of_mask, column in (
        ("chest_xray_train_lungs/films.csv", "chest_xray_train", "chest_xray_train_lungs", "film"),
        ("shenzhen_lungs/labels.csv", "shenzhen_lungs", "shenzhen_lungs", "file"),
    ):
        named = [row for _, row in read_table(data / table, (column, "mask")) if Path(row[column]).name not in left_out]
        chosen = [named[i] for i in np.linspace(0, len(named) - 1, count).astype(int)]
        places += [(data / of_film / row[column], data / of_mask / row["mask"]) for row in chosen]
    decoded = [read_radiograph(film).pixels for film, _ in places]
    lungs = [squash(read_mask(mask, film.shape), SIDE) > 127 for film, (_, mask) in zip(decoded, places, strict=True)]
    pixels = [squash(film, SIDE) for film in decoded]
    return [Film(one, pixels[number - 1], drawn) for number, (one, drawn) in enumerate(zip(pixels, lungs, strict=True))]


def outcome(reading: Reading) -> str:
    said = reading.remarks[0].code if reading.remarks else reading.status
    at_edge = any(warning.code == "lungs_at_edge" for warning in reading.warnings)
    return AT_EDGE if said in ANSWERED and at_edge else said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--reader", default="mobilenet_v2")
    parser.add_argument("--sites", type=Path)
    parser.add_argument("--films", type=int, default=24, help="children, and as many adults")
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    reader = Reader.open(args.reader)
    given = films(args.data, args.sites, args.films)
    print(f"{reader.card.title}, {len(given)} films of each kind\n\n| film | true | said |\n|---|---|---|")
    for kind, (allowed, change) in KINDS.items():
        if "suspected" in allowed:  # a warning is no reason
            allowed = allowed | {AT_EDGE}
        said: Counter[str] = Counter()
        for number, film in enumerate(given):
            pixels = np.ascontiguousarray(change(film))
            said[outcome(reader.read(pixels))] += 1
            if args.pictures and number in (0, args.films):
                args.pictures.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(args.pictures / f"{kind.replace(' ', '_')}_{number}.png")
        true = sum(count for code, count in said.items() if code in allowed)
        words = ", ".join(f"{code} {count}" for code, count in said.most_common())
        print(f"| {kind} | {true} of {len(given)} | {words} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
