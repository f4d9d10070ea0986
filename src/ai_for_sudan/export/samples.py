"""Draw the films that a gate is fitted and measured on, and ask the network about each."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ai_for_sudan.errors import UserError
from ai_for_sudan.export import unfit
from ai_for_sudan.export.inputs import GatePictures
from ai_for_sudan.export.network import Gate, ReaderNetwork
from ai_for_sudan.models import as_batch, as_pixels
from ai_for_sudan.training import LabelledFilms

#: of cross-validation
PARTS = 5
SIDES = ((-1, 0), (1, 0), (0, -1), (0, 1))


@dataclass(frozen=True)
class Sample:
    """Films of one kind, each under one change after the other.

    Attributes:
        features: gate input ``(N, F)``.
        embedding: ``(N, D)``.
        blank: the contrast score ``(N,)``.
        part: of cross-validation, ``(N,)``; the same for all films of a patient, however they were changed.
        pattern: ``(N,)``, numbers from 0: rows that look alike, for which there is a rule of their own.
        pictures: how many there were before they were changed; the first so many rows are under the first change.
    """

    features: np.ndarray
    embedding: np.ndarray
    blank: np.ndarray
    part: np.ndarray
    pattern: np.ndarray
    pictures: int


@dataclass(frozen=True)
class Samples:
    """All that a gate is fitted on, by name.

    Attributes:
        good: films that rules are fitted on.
        held_out: good films of other patients, for the limits.
        bad: what must be refused, by the code of its reason.
    """

    good: dict[str, Sample]
    held_out: dict[str, Sample]
    bad: dict[str, Sample]


def source(path: str) -> str:
    """What a picture shares with those it must not be divided from: its folder and its name up to the first number.

    Slices of a scan, films of a patient and figures of a paper are named alike up to there, and look alike.
    """
    name = re.match(r"\D*\d*", Path(path).stem)
    return str(Path(path).parent / (name[0] if name else ""))


def parts_of(sources: Sequence[str] | np.ndarray, seed: int) -> np.ndarray:
    """The part of cross-validation ``(N,)`` of each picture: one for all pictures of a source.

    Raises:
        UserError: all come from one source.
    """
    unique, place = np.unique(np.asarray(sources), return_inverse=True)
    if len(unique) < 2:
        raise UserError(
            f"all {len(place)} pictures for the gate are of one source ({unique[0]}); at least two are needed"
        )
    order: np.ndarray = np.random.default_rng(seed).permutation(len(unique)) % PARTS
    return order[place]


def draw_samples(
    network: ReaderNetwork,
    train: LabelledFilms,
    validation: LabelledFilms,
    pictures: GatePictures,
    *,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> Samples:
    """Draw good films and unfit ones, and what the network says of them.

    Args:
        train: good films that may be fitted on; at most 600 are drawn.
        validation: good films of other patients; at most 300 are drawn.
        pictures: good films of another site, and what is not a chest film; divided by :func:`source`.
        seed: of the drawn films, their changes and the parts.

    Raises:
        UserError: all films or pictures of one kind come from one source.
    """
    generator = torch.Generator().manual_seed(seed)
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(train))[:600]
    chest, chest_part = train.pixels[chosen], parts_of(train.patients[chosen], seed)
    chosen = random.permutation(len(validation))[:300]
    others, others_part = validation.pixels[chosen], parts_of(validation.patients[chosen], seed)

    def sample(films: np.ndarray, part: np.ndarray, changes: list[unfit.Change], *, apart: bool = False) -> Sample:
        """Each film under each change; ``apart``: each change makes a pattern."""
        found = [_ask(network, films, change) for change in changes]
        features, embedding, blank = (np.concatenate(values) for values in zip(*found, strict=True))
        pattern = np.repeat(np.arange(len(changes)) * apart, len(films))
        return Sample(features, embedding, blank, np.tile(part, len(changes)), pattern, len(films))

    same: unfit.Change = lambda films: films  # noqa: E731 (named for the lists below)
    phone = unfit.by_kind("phone_photo", generator)
    changed = {"clean": same, "perturbed": unfit.any_kind(generator), "phone photo": phone}
    small = unfit.small(generator, 0.5, 0.7)
    say("gate: predicting good films")
    good = {name: sample(chest, chest_part, [change]) for name, change in changed.items()}
    good["small in the frame"] = sample(chest[:300], chest_part[:300], [small])
    held_out = {
        name: sample(others, others_part, [change]) for name, change in {**changed, "small in the frame": small}.items()
    }
    if pictures.other_chest is not None:
        part = parts_of([source(path) for path in pictures.other_chest.paths], seed)
        good["another site"] = sample(pictures.other_chest.pixels, part, [same, phone])
    say("gate: predicting rotated films and other pictures")
    fewer, part = chest[:200], chest_part[:200]
    mild = unfit.mild(generator)
    beside, above = unfit.beside(3), unfit.beside(2)
    part_of_chest = [
        *(unfit.cut(side, generator) for side in SIDES),
        *(unfit.out_of_frame(side, generator) for side in SIDES),
        unfit.lung_bases(generator),
    ]
    bad = {
        "upside_down": sample(fewer, part, [lambda f: f.rot90(2, (2, 3)), lambda f: mild(f).rot90(2, (2, 3))]),
        "sideways": sample(
            fewer, part, [lambda f: mild(f).rot90(1, (2, 3)), lambda f: mild(f).rot90(3, (2, 3))], apart=True
        ),
        "negative": sample(fewer, part, [lambda f: 1 - f, lambda f: 1 - mild(f)]),
        "several_films": sample(fewer, part, [beside, above, lambda f: beside(above(f))], apart=True),
        "part_of_chest": sample(fewer, part, part_of_chest, apart=True),
        "small_chest": sample(fewer, part, [unfit.small(generator, 0.25, 0.45)]),
    }
    if network.model.view is not None:
        white = unfit.white_side(network.model.view.find, generator)
        bad["white_side"] = sample(fewer, part, [white, *[lambda f: white(mild(f))] * 3])
    if pictures.not_chest is not None:
        paths = pictures.not_chest.paths
        sources = np.array([source(path) for path in paths])
        is_lateral = np.array(["lateral" in Path(path).parent.name for path in paths])
        for code, rows in (("not_chest", ~is_lateral), ("lateral", is_lateral)):
            if rows.any():
                bad[code] = sample(pictures.not_chest.pixels[rows], parts_of(sources[rows], seed), [same, *[mild] * 5])
    return Samples(good, held_out, bad)


def _ask(network: ReaderNetwork, films: np.ndarray, change: unfit.Change) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    features, embeddings, blank = [], [], []
    with torch.inference_mode():
        for start in range(0, len(films), 64):
            # As a decoder would hand it over: in 256 grey levels.
            batch = as_batch(as_pixels(change(as_batch(films[start : start + 64]))))
            found, embedding = network.gate_input(batch)
            features.append(found.numpy())
            embeddings.append(embedding.numpy())
            spread = batch.std(dim=(1, 2, 3), unbiased=False)
            blank.append(torch.sigmoid((Gate.BLANK - spread) * 200).numpy())
    return np.concatenate(features).astype(np.float64), np.concatenate(embeddings), np.concatenate(blank)
