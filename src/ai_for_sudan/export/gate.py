"""Fitting the gate: what is not a readable frontal chest film."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from ai_for_sudan import lungs
from ai_for_sudan.contract.codes import advice_of, kind_of, text_of
from ai_for_sudan.disturbances import STRESS_KINDS, augment, perturb, warp
from ai_for_sudan.disturbances.geometry import affine
from ai_for_sudan.disturbances.sharpness import gaussian
from ai_for_sudan.errors import UserError
from ai_for_sudan.export.familiarity import CODE, Familiarity, fit_familiarity, left_over, limit_of
from ai_for_sudan.export.inputs import Films, GatePictures
from ai_for_sudan.export.network import Gate, ReaderNetwork
from ai_for_sudan.models import as_batch, as_pixels

#: in the order of the scores; ``blank`` is fixed, the others are fitted
CODES = (
    "blank",
    "not_chest",
    "lateral",
    "upside_down",
    "sideways",
    "negative",
    "several_films",
    "part_of_chest",
    "small_chest",
    "white_side",
)
FITTED = CODES[1:]
#: of good films, at most this share may be refused by the limits that are chosen
GOOD_REFUSED = 0.005
#: of cross-validation
PARTS = 5


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
class FittedGate:
    """
    Attributes:
        facts: what the card says of gate and familiarity.
    """

    gate: Gate
    familiarity: Familiarity
    facts: dict[str, Any]


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


def fit_gate(
    network: ReaderNetwork,
    train: Films,
    validation: Films,
    pictures: GatePictures,
    *,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> FittedGate:
    """Fit rules for each reason, and choose limits that few good films exceed.

    The rules are fitted together, as one multinomial regression, so that each tells its pattern from the others too:
    the reason that is given must be the true one. A reason may have several patterns (a film on its left side or its
    right); its score is the probability of the likeliest one against that of a good film, and 0 where another reason
    is likelier: several fired at once on what a rule had not seen, and the strictest of them was given.

    Every figure in the card is from films that neither rule nor limits saw: the pictures are divided in five parts,
    rules and limits are fitted on four and measured on the fifth, in turn; what is shipped is then fitted on all.

    Args:
        train: good films that may be fitted on.
        validation: good films of other patients, for the limits.
        pictures: good films of another site, and what is not a chest film; divided by :func:`source`.
        seed: of the drawn disturbances and the parts.
    """
    generator = torch.Generator().manual_seed(seed)
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(train))[:600]
    chest, chest_part = train.pixels[chosen], parts_of(train.patients[chosen], seed)
    chosen = random.permutation(len(validation))[:300]
    held_out, held_out_part = validation.pixels[chosen], parts_of(validation.patients[chosen], seed)

    def sample(
        films: np.ndarray, part: np.ndarray, changes: list[Callable[[Tensor], Tensor]], *, apart: bool = False
    ) -> Sample:
        """Each film under each change; ``apart``: each change makes a pattern."""
        found = [_ask(network, films, change) for change in changes]
        features, embedding, blank = (np.concatenate(values) for values in zip(*found, strict=True))
        pattern = np.repeat(np.arange(len(changes)) * apart, len(films))
        return Sample(features, embedding, blank, np.tile(part, len(changes)), pattern, len(films))

    same: Callable[[Tensor], Tensor] = lambda films: films  # noqa: E731 (named for the lists below)
    phone = _by_kind("phone_photo", generator)
    any_kind = _any_kind(generator)
    small = _small(generator, 0.5, 0.7)
    say("gate: predicting good films")
    good = {
        "clean": sample(chest, chest_part, [same]),
        "perturbed": sample(chest, chest_part, [any_kind]),
        "phone photo": sample(chest, chest_part, [phone]),
        "small in the frame": sample(chest[:300], chest_part[:300], [small]),
    }
    limits_on = {
        "clean": sample(held_out, held_out_part, [same]),
        "perturbed": sample(held_out, held_out_part, [any_kind]),
        "phone photo": sample(held_out, held_out_part, [phone]),
        "small in the frame": sample(held_out, held_out_part, [small]),
    }
    if pictures.other_chest is not None:
        part = parts_of([source(path) for path in pictures.other_chest.paths], seed)
        good["another site"] = sample(pictures.other_chest.pixels, part, [same, phone])
    say("gate: predicting rotated films and other pictures")
    fewer, part = chest[:200], chest_part[:200]
    mild = _mild(generator)
    bad = {
        "upside_down": sample(fewer, part, [lambda f: f.rot90(2, (2, 3)), lambda f: mild(f).rot90(2, (2, 3))]),
        "sideways": sample(
            fewer, part, [lambda f: mild(f).rot90(1, (2, 3)), lambda f: mild(f).rot90(3, (2, 3))], apart=True
        ),
        "negative": sample(fewer, part, [lambda f: 1 - f, lambda f: 1 - mild(f)]),
        "several_films": sample(fewer, part, [_beside(3), _beside(2), lambda f: _beside(3)(_beside(2)(f))], apart=True),
        "part_of_chest": sample(
            fewer,
            part,
            [
                *(_cut(side, generator) for side in ((-1, 0), (1, 0), (0, -1), (0, 1))),
                *(_out_of_frame(side, generator) for side in ((-1, 0), (1, 0), (0, -1), (0, 1))),
                _lung_bases(generator),
            ],
            apart=True,
        ),
        "small_chest": sample(fewer, part, [_small(generator, 0.25, 0.45)]),
    }
    if network.model.view is not None:
        white = _white_side(network.model.view.find, generator)
        bad["white_side"] = sample(fewer, part, [white, *[lambda f: white(mild(f))] * 3])
    if pictures.not_chest is not None:
        paths = pictures.not_chest.paths
        sources = np.array([source(path) for path in paths])
        is_lateral = np.array(["lateral" in Path(path).parent.name for path in paths])
        for code, rows in (("not_chest", ~is_lateral), ("lateral", is_lateral)):
            if rows.any():
                bad[code] = sample(pictures.not_chest.pixels[rows], parts_of(sources[rows], seed), [same, *[mild] * 5])
    gate, facts = _fit(good, limits_on, bad, say)
    familiarity, shares = _familiarity(good, limits_on, bad, say)
    facts["figures"]["unfamiliar"] = shares
    # What the lungs' map says needs no fitting.
    found_by_lungs = lungs.CODES if network.model.view is not None else ()
    facts["scores"] += [_score_facts(code, 0.5) for code in (*found_by_lungs, CODE)]
    return FittedGate(gate, familiarity, facts)


def _score_facts(code: str, limit: float) -> dict[str, Any]:
    return {
        "code": code,
        "limit": limit,
        "reason": text_of(code),
        "advice": advice_of(code),
        "status": kind_of(code),
    }


def _familiarity(
    good: dict[str, Sample], held_out: dict[str, Sample], bad: dict[str, Sample], say: Callable[[str], None]
) -> tuple[Familiarity, dict[str, float]]:
    """Fitted, with the share that is called unfamiliar of each kind: of held-out films by limits without their part,
    of other pictures as they are, none of which it was fitted on."""
    known = np.concatenate([one.embedding for one in good.values()])
    fitted = fit_familiarity(known, np.concatenate([one.embedding for one in held_out.values()]))
    left = {name: left_over(fitted, one.embedding) for name, one in held_out.items()}
    pool, part = np.concatenate(list(left.values())), np.concatenate([one.part for one in held_out.values()])
    limit_without = np.array([limit_of(pool[part != number]) for number in range(PARTS)])
    shares = {name: float((left[name] > limit_without[one.part]).mean()) for name, one in held_out.items()}
    for name, one in bad.items():
        shares[name] = float((left_over(fitted, one.embedding[: one.pictures]) > fitted.limit).mean())
    for name, share in shares.items():
        say(f"gate: unfamiliar are {share:6.1%} of {name}")
    return fitted, shares


def _fit(
    good: dict[str, Sample], held_out: dict[str, Sample], bad: dict[str, Sample], say: Callable[[str], None]
) -> tuple[Gate, dict[str, Any]]:
    codes = [code for code in FITTED if code in bad]
    names = list(good)
    all_good = np.concatenate([good[name].features for name in names])
    part_of_good = np.concatenate([good[name].part for name in names])
    mean, spread = all_good.mean(0), all_good.std(0) + 1e-3
    say(f"gate: fitting the rules of {len(codes)} reasons on {len(all_good)} good films")
    # Scores of films that the rules did not see, for the figures and the limits.
    unseen_good = np.zeros((len(all_good), len(codes)))
    unseen_bad = {code: np.zeros((len(bad[code].part), len(codes))) for code in codes}
    for part in range(PARTS):
        others = [_patterns(bad[code], bad[code].part != part) for code in codes]
        without = _rules(all_good[part_of_good != part], others, mean, spread)
        unseen_good[part_of_good == part] = without(all_good[part_of_good == part])
        for code in codes:
            rows = bad[code].part == part
            unseen_bad[code][rows] = without(bad[code].features[rows])
    rules = _rules(all_good, [_patterns(bad[code]) for code in codes], mean, spread)
    held = {name: rules(one.features) for name, one in held_out.items()}
    pool = np.concatenate([unseen_good, *held.values()])
    limits = _limits(pool)
    part_of_pool = np.concatenate([part_of_good, *(one.part for one in held_out.values())])
    limits_without = np.stack([_limits(pool[part_of_pool != part]) for part in range(PARTS)])
    refused_good = {
        name: float(_refused(scores, held_out[name].blank, limits_without[held_out[name].part]).mean())
        for name, scores in held.items()
    }
    if "another site" in good:  # the last of the good films
        there = good["another site"]
        scores = unseen_good[-len(there.part) :]
        refused_good["another site"] = float(_refused(scores, there.blank, limits_without[there.part]).mean())
    refused_bad = {
        # Of pictures the first copy only, as it is: the changed copies are there to fit on.
        kind: float(_refused(unseen_bad[kind], one.blank, limits)[: one.pictures].mean())
        for kind, one in bad.items()
    }
    gate = Gate(torch.from_numpy(rules.weight).float(), torch.from_numpy(rules.bias).float(), rules.patterns)
    order = ["blank", *codes]
    facts = {
        "scores": [_score_facts(code, limit) for code, limit in zip(order, [0.5, *limits.tolist()], strict=True)],
        "method": "one multinomial regression on features of the network, the film's thumbnail and its contrast",
        "fitted_on": {
            "good": {n: len(s.part) for n, s in good.items()},
            "bad": {n: len(s.part) for n, s in bad.items()},
        },
        "figures": {
            "text": (
                "shares refused, of films and pictures that neither rules nor limits saw (five parts in turn; films of "
                "one patient and pictures of one source in one part)"
            ),
            "good_refused": refused_good,
            "bad_refused": refused_bad,
        },
    }
    for name, share in {**refused_good, **refused_bad}.items():
        say(f"gate: refuses {share:6.1%} of {name}")
    return gate, facts


@dataclass(frozen=True)
class _Rules:
    """
    Attributes:
        weight: ``(R, F)``, of features as they are.
        bias: ``(R,)``.
        patterns: of each reason, the number of its rules, which stand beside each other.
    """

    weight: np.ndarray
    bias: np.ndarray
    patterns: tuple[int, ...]

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """``(N, F)`` -> scores in 0..1 ``(N, G)``, as :class:`Gate` computes them."""
        starts = np.cumsum([0, *self.patterns[:-1]])
        reasons = np.maximum.reduceat(features @ self.weight.T + self.bias, starts, axis=1)
        scores: np.ndarray = expit(reasons) * (reasons >= reasons.max(axis=1, keepdims=True))
        return scores


def _patterns(sample: Sample, rows: np.ndarray | None = None) -> list[np.ndarray]:
    """The features ``(N, F)`` of each pattern, of all rows or of those that are named."""
    chosen = np.ones(len(sample.part), bool) if rows is None else rows
    return [sample.features[chosen & (sample.pattern == number)] for number in range(sample.pattern.max() + 1)]


def _rules(good: np.ndarray, bad: list[list[np.ndarray]], mean: np.ndarray, spread: np.ndarray) -> _Rules:
    """One for each pattern ``(N, F)`` of each reason: its log-odds against a good film."""
    patterns = [pattern for reason in bad for pattern in reason]
    features = (np.concatenate([good, *patterns]) - mean) / spread
    kinds = np.repeat(np.arange(1 + len(patterns)), [len(good), *map(len, patterns)])
    fitted = LogisticRegression(C=0.1, class_weight="balanced", max_iter=600).fit(features.clip(-8, 8), kinds)
    weight, bias = (fitted.coef_[1:] - fitted.coef_[0]) / spread, fitted.intercept_[1:] - fitted.intercept_[0]
    return _Rules(weight, bias - weight @ mean, tuple(len(reason) for reason in bad))


def _limits(scores: np.ndarray) -> np.ndarray:
    """One limit a rule, ``(G,)``: together they refuse ``GOOD_REFUSED`` of the good films' scores ``(N, G)``.

    All rules give the same share each, and that share is as large as the whole allows.
    """
    low, high = 0.0, GOOD_REFUSED
    for _ in range(30):
        share = (low + high) / 2
        limits = np.quantile(scores, 1 - share, axis=0)
        low, high = (share, high) if (scores > limits).any(1).mean() <= GOOD_REFUSED else (low, share)
    return np.quantile(scores, 1 - low, axis=0).clip(0.02, 0.999)


def _refused(scores: np.ndarray, blank: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """``(N, G)``, ``(N,)`` and limits ``(G,)`` or of each film ``(N, G)`` -> ``(N,)``."""
    return (scores > limits).any(1) | (blank > 0.5)


def _ask(
    network: ReaderNetwork, films: np.ndarray, change: Callable[[Tensor], Tensor]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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


def _by_kind(kind: str, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    def change(films: Tensor) -> Tensor:
        return perturb(films, kind, torch.rand(len(films), generator=generator) * 4 + 0.5, generator)

    return change


def _any_kind(generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    def change(films: Tensor) -> Tensor:
        result = films.clone()
        kinds = torch.randint(len(STRESS_KINDS), (len(films),), generator=generator)
        severity = torch.rand(len(films), generator=generator) * 4 + 0.5
        for number, kind in enumerate(STRESS_KINDS):
            chosen = kinds == number
            if chosen.any():
                result[chosen] = perturb(films[chosen], kind, severity[chosen], generator)
        return result

    return change


def _beside(axis: int) -> Callable[[Tensor], Tensor]:
    """Each film and the next one of the batch on one picture, squashed: side by side (3) or one above the other (2)."""

    def change(films: Tensor) -> Tensor:
        both = torch.cat([films, films.roll(1, 0)], axis)
        return F.interpolate(both, size=films.shape[-2:], mode="bilinear", antialias=True)

    return change


def _cut(side: tuple[int, int], generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    """Films that lack 35 to 60 % on one side (across, down), squashed."""

    def change(films: Tensor) -> Tensor:
        gone = torch.rand(len(films), generator=generator) * 0.25 + 0.35
        return _framed(films, side, 1 - gone, gone)

    return change


def _out_of_frame(side: tuple[int, int], generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    """Films of which 35 to 60 % lies outside the frame on one side (across, down)."""

    def change(films: Tensor) -> Tensor:
        gone = torch.rand(len(films), generator=generator) * 0.25 + 0.35
        return _framed(films, side, torch.ones_like(gone), 2 * gone)

    return change


def _lung_bases(generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    """The lowest 25 to 45 % of films, squashed: an abdomen, with the bases of the lungs."""

    def change(films: Tensor) -> Tensor:
        left = torch.rand(len(films), generator=generator) * 0.2 + 0.25
        return _framed(films, (0, 1), left, 1 - left)

    return change


def _small(generator: torch.Generator, least: float, most: float) -> Callable[[Tensor], Tensor]:
    """Films of small children: from the least to the most share of the frame's side, dark around, half of them in a
    round field."""

    def change(films: Tensor) -> Tensor:
        scale = 1 / (torch.rand(len(films), generator=generator) * (most - least) + least)
        dark = torch.rand(len(films), generator=generator) * 0.08
        result = warp(films, affine(films, scale_x=scale, scale_y=scale), dark[:, None, None, None].expand_as(films))
        across = torch.linspace(-1, 1, films.shape[-1])
        radius = (across[None, :] ** 2 + across[:, None] ** 2).sqrt()
        is_round = torch.rand(len(films), generator=generator) < 0.5
        outside = (radius > 1.12 / scale[:, None, None]) & is_round[:, None, None]
        return torch.where(outside[:, None], dark[:, None, None, None], result)

    return change


def _white_side(find: Callable[[Tensor], Tensor], generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    """Films with one lung white, from its base up to 50 to 100 % of its height, as an effusion or a lung without air.

    Args:
        find: films -> probability of lung.
    """

    def change(films: Tensor) -> Tensor:
        height, width = films.shape[-2:]
        is_lung = F.interpolate(find(films), size=(height, width), mode="bilinear") > 0.5
        places = torch.linspace(0, 1, width)
        is_left = torch.rand(len(films), generator=generator)[:, None, None, None] < 0.5
        is_lung = is_lung & ((places < 0.5) == is_left)
        rows = is_lung.any(3).float()  # (B, 1, H)
        down = torch.arange(height)
        base = (rows * down).amax(2)
        top = height - (rows * (height - down)).amax(2)
        share = torch.rand(len(films), 1, generator=generator) * 0.5 + 0.5
        is_lung = is_lung & (down > (base - share * (base - top))[:, :, None])[..., None]
        soft = gaussian(is_lung.to(films.dtype), torch.rand(len(films), generator=generator) * 3 + 1)
        grey = torch.rand(len(films), 1, 1, 1, generator=generator) * 0.3 + 0.65
        texture = torch.rand(len(films), 1, 1, 1, generator=generator) * 0.3
        white = grey + texture * (films - films.mean(dim=(2, 3), keepdim=True))
        return films * (1 - soft) + white.clamp(0, 1) * soft

    return change


def _framed(films: Tensor, side: tuple[int, int], scale: Tensor, shift: Tensor) -> Tensor:
    """Scaled and shifted along the sides that are named."""
    across, down = side
    one = torch.ones_like(scale)
    matrix = affine(
        films,
        scale_x=scale if across else one,
        scale_y=scale if down else one,
        shift_x=across * shift,
        shift_y=down * shift,
    )
    return warp(films, matrix)


def _mild(generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    return lambda films: augment(films, generator, 0.35)
