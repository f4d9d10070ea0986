"""Photos of chest films on a light box or against the sky, drawn by a seeded generator that knows the film's corners.

A pinhole camera looks at a plane, up to 35 degrees askew. On the plane lie the box and one or two films, which let a
part of its light through; in front of it may be a hand or the reflection of a window. Then come exposure, noise, blur
and JPEG.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

Array = np.ndarray

#: what each scene shows beside the film; the kinds take turns
KINDS = ("box", "two_films", "hand", "reflection", "wall", "sky")
STEEPEST = 35.0  # degrees between the camera's axis and the normal of the film


@dataclass(frozen=True)
class Scene:
    """A photo and what it was made of."""

    kind: str
    photo: Array  # uint8 [H, W, 3]
    corners: Array  # float [4, 2]: x, y in pixels; top left, top right, bottom right, bottom left of the film


def scene(films: Sequence[Array], index: int, seed: int = 0, longest: int = 1200) -> Scene:
    """Draw scene ``index``: its film is ``films[index % len(films)]``, uint8 ``[H, W]``, bone white.

    The same films, index and seed give the same scene. ``longest`` is the photo's longer side in pixels.
    """
    rng = np.random.default_rng((seed, index))
    kind = KINDS[index % len(KINDS)]
    film = films[index % len(films)]
    other = films[(index + 1) % len(films)]
    width, height = (longest, longest * 3 // 4) if kind == "two_films" else (longest * 3 // 4, longest)
    tall = rng.uniform(0.95, 1.3)  # the film is 1 wide and so high
    to_plane, corners = _camera(rng, width, height, tall, far=kind == "wall")
    x, y = _plane(to_plane, width, height)
    light = _background(rng, kind, x, y, tall, width, height)
    light = light * _transmission(rng, film, x, y, 0.0, tall)
    if kind == "two_films":
        aside = rng.choice([-1, 1]) * (1 + rng.uniform(0.03, 0.15))
        light = light * _transmission(rng, other, x, y, aside, tall)
    if kind == "hand" or (kind == "sky" and rng.random() < 0.7):
        light = _hand(rng, light, x, y, tall)
    light = light * rng.uniform(0.9, 1.25)
    if kind == "reflection":
        light = light + _window(rng, width, height)
    return Scene(kind, _photographed(rng, light), corners)


def write_scenes(
    folder: Path, films: Sequence[Array], statuses: Sequence[str], count: int, seed: int = 0, longest: int = 1200
) -> None:
    """Write ``count`` scenes as ``NNN.jpg``, and ``scenes.json`` with what is known of each.

    ``statuses`` are those of the films themselves.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = []
    for index in range(count):
        drawn = scene(films, index, seed, longest)
        name = f"{index:03}.jpg"
        quality = int(np.random.default_rng((seed, index, 1)).integers(70, 93))
        Image.fromarray(drawn.photo).save(folder / name, quality=quality)
        height, width, _ = drawn.photo.shape
        known.append(
            {
                "name": name,
                "kind": drawn.kind,
                "corners": drawn.corners.round(2).tolist(),
                "size": [width, height],
                "status": statuses[index % len(films)],
            }
        )
    (folder / "scenes.json").write_text(json.dumps(known))


def _camera(rng: np.random.Generator, width: int, height: int, tall: float, far: bool) -> tuple[Array, Array]:
    """The map from photo to plane, ``[3, 3]``, and the film's corners in the photo."""
    tilt = np.radians(rng.uniform(0, STEEPEST))
    towards = rng.uniform(0, 2 * np.pi)
    axis = np.array([np.cos(towards), np.sin(towards), 0.0])
    cross = np.array([[0, 0, axis[1]], [0, 0, -axis[0]], [-axis[1], axis[0], 0]])
    lean = np.eye(3) + np.sin(tilt) * cross + (1 - np.cos(tilt)) * cross @ cross
    roll = np.radians(rng.normal(0, 5))
    turn = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    rotation = turn @ lean
    focal = rng.uniform(0.85, 1.2) * max(width, height)
    share = rng.uniform(0.35, 0.5) if far else rng.uniform(0.5, 0.85)  # of the photo's side, that the film takes
    distance = focal * max(1 / width, tall / height) / share
    # The plane's origin is the film's middle.
    to_photo = np.column_stack([rotation[:, 0], rotation[:, 1], [0, 0, distance]])
    to_photo = np.diag([focal, focal, 1.0]) @ to_photo
    half = np.array([[-0.5, -tall / 2], [0.5, -tall / 2], [0.5, tall / 2], [-0.5, tall / 2]])
    seen = np.column_stack([half, np.ones(4)]) @ to_photo.T
    points = seen[:, :2] / seen[:, 2:]
    # Somewhere in the photo, wholly inside it.
    low, high = points.min(0), points.max(0)
    slack = np.array([width, height]) * 0.96 - (high - low)
    if (slack < 0).any():
        return _camera(rng, width, height, tall, far)
    place = np.array([width, height]) * 0.02 + slack * rng.uniform(0.25, 0.75, 2) - low
    shift = np.eye(3)
    shift[:2, 2] = place
    return np.linalg.inv(shift @ to_photo), points + place


def _plane(to_plane: Array, width: int, height: int) -> tuple[Array, Array]:
    v, u = np.mgrid[0:height, 0:width].astype(np.float32)
    rows = to_plane.astype(np.float32)
    depth = rows[2, 0] * u + rows[2, 1] * v + rows[2, 2]
    x = (rows[0, 0] * u + rows[0, 1] * v + rows[0, 2]) / depth
    y = (rows[1, 0] * u + rows[1, 1] * v + rows[1, 2]) / depth
    return x, y


def _background(rng: np.random.Generator, kind: str, x: Array, y: Array, tall: float, width: int, height: int) -> Array:
    """What the film lies on, in grey levels: the sky, or a box with its frame on a wall."""
    cloudy = _smooth(rng, width, height, 5)
    if kind == "sky":
        sky = rng.uniform(185, 235) + cloudy * rng.uniform(3, 14) + np.linspace(15, -15, height)[:, None]
        horizon = height * rng.uniform(0.8, 1.2) + 40 * _smooth(rng, width, height, 9)
        return np.where(np.arange(height)[:, None] > horizon, rng.uniform(30, 90) + 12 * cloudy, sky)
    wall = (rng.uniform(90, 150) if kind == "wall" else rng.uniform(15, 110)) + cloudy * rng.uniform(2, 12)
    left, right = 0.5 + rng.uniform(0.06, 0.5, 2)
    if kind == "two_films":
        left, right = left + 0.6, right + 0.6
    above, below = tall / 2 + rng.uniform(0.05, 0.4, 2)
    depth = np.minimum(np.minimum(x + left, right - x), np.minimum(y + above, below - y))
    rim = 1 - rng.uniform(0.05, 0.25) * np.exp(-np.clip(depth, 0, None) / 0.12)
    box = rng.uniform(205, 245) * rim + 2 * cloudy
    frame = rng.uniform(0.03, 0.1)
    around = np.where(depth > -frame, rng.uniform(10, 70), wall)
    return np.where(depth > 0, box, around)


def _transmission(rng: np.random.Generator, film: Array, x: Array, y: Array, aside: float, tall: float) -> Array:
    """The share of light that a film lets through, 1 beside it; its edge is dark, clear, or part of the picture."""
    edge = rng.choice([0.0, 0.0, rng.uniform(0.01, 0.04)])
    clear = rng.random() < 0.25
    u, v = x - aside + 0.5, y / tall + 0.5
    inner_u, inner_v = (u - edge) / (1 - 2 * edge), (v - edge) / (1 - 2 * edge)
    rows, columns = film.shape
    column = np.clip(inner_u * columns - 0.5, 0, columns - 1.001)
    row = np.clip(inner_v * rows - 0.5, 0, rows - 1.001)
    a, b = row.astype(int), column.astype(int)
    r, c = row - a, column - b
    grey = film.astype(np.float32)
    seen = (grey[a, b] * (1 - c) + grey[a, b + 1] * c) * (1 - r) + (
        grey[a + 1, b] * (1 - c) + grey[a + 1, b + 1] * c
    ) * r
    rim = (inner_u < 0) | (inner_u > 1) | (inner_v < 0) | (inner_v > 1)
    seen = np.where(rim, 235.0 if clear else 8.0, seen)
    low, high = rng.uniform(0.02, 0.08), rng.uniform(0.7, 0.86)
    inside = (u > 0) & (u < 1) & (v > 0) & (v < 1)
    return np.where(inside, low + (high - low) * seen / 255, 1.0)


def _hand(rng: np.random.Generator, light: Array, x: Array, y: Array, tall: float) -> Array:
    """Fingers that hold the film at one of its sides; they hide a fifth of its width at most."""
    side = int(rng.integers(4))
    along = rng.uniform(-0.4, 0.4)
    out, across = [(-x, y / tall), (x, y / tall), (-y / tall, x), (y / tall, x)][side]
    covered = np.zeros(light.shape, bool)
    for finger in range(int(rng.integers(1, 4))):
        reach = 0.5 - rng.uniform(0.04, 0.16)
        middle, thick = along + 0.085 * finger, rng.uniform(0.028, 0.04)
        tip = np.hypot(out - reach - thick, across - middle) < thick
        covered |= tip | ((out > reach + thick) & (np.abs(across - middle) < thick))
    covered |= (out > 0.62) & (np.abs(across - along - 0.08) < 0.22)
    shade = rng.uniform(45, 130) * (1 + 0.1 * np.sin(across * 90))
    return np.where(covered, shade, light)


def _window(rng: np.random.Generator, width: int, height: int) -> Array:
    """Light of a window that the film's surface throws back, with a soft edge and a crossbar."""
    pane = np.zeros((height, width), np.float32)
    w, h = int(width * rng.uniform(0.15, 0.35)), int(height * rng.uniform(0.15, 0.3))
    left, top = int(rng.uniform(0, width - w)), int(rng.uniform(0, height - h))
    pane[top : top + h, left : left + w] = 1
    pane[top + h // 2 - h // 40 : top + h // 2 + h // 40, left : left + w] = 0
    picture = Image.fromarray((pane * 255).astype(np.uint8)).rotate(rng.uniform(-20, 20))
    soft = picture.filter(ImageFilter.GaussianBlur(rng.uniform(2, 10)))
    return np.asarray(soft, np.float32) / 255 * rng.uniform(15, 50)


def _photographed(rng: np.random.Generator, light: Array) -> Array:
    height, width = light.shape
    u, v = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    light = light.astype(np.float32) * (1 - np.float32(rng.uniform(0, 0.15)) * (u**2 + v**2) / 2)
    noise = rng.standard_normal((height, width), np.float32) * np.float32(rng.uniform(1, 4))
    tint = np.array([rng.uniform(0.97, 1.03), 1.0, rng.uniform(0.95, 1.06)], np.float32)
    seen = np.clip((light + noise)[..., None] * tint, 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(seen).filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2))))


def _smooth(rng: np.random.Generator, width: int, height: int, cells: int) -> Array:
    """Noise of standard deviation about 1 that changes slowly."""
    coarse = Image.fromarray(rng.normal(0, 1, (cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))
