"""Fitting the gate: what is no readable frontal chest film."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from ai_for_sudan import lungs
from ai_for_sudan.contract.codes import advice_of, kind_of, text_of
from ai_for_sudan.deployment.familiarity import CODE, Familiarity, fit_familiarity, left_over, limit_of
from ai_for_sudan.deployment.films import Films, GatePictures
from ai_for_sudan.deployment.network import Gate, ReaderNetwork
from ai_for_sudan.disturbances import STRESS_KINDS, augment, perturb, warp
from ai_for_sudan.disturbances.geometry import affine
from ai_for_sudan.errors import UserError
from ai_for_sudan.models import as_batch, as_pixels

#: in the order of the scores; ``blank`` is fixed, the others are fitted
CODES = ("blank", "not_chest", "lateral", "upside_down", "sideways", "negative", "several_films", "part_of_chest")
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
        pictures: how many there were before they were changed; the first so many rows are under the first change.
    """

    features: np.ndarray
    embedding: np.ndarray
    blank: np.ndarray
    part: np.ndarray
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
    """Fit one logistic rule for each reason, and choose limits that refuse few good films.

    Every figure in the card is from films that neither rule nor limits saw: the pictures are divided in five parts,
    rules and limits are fitted on four and asked of the fifth, in turn; what is shipped is then fitted on all.

    Args:
        train: good films that may be fitted on.
        validation: good films of other patients, for the limits.
        pictures: good films of another site, and what is no chest film; divided by :func:`source`.
        seed: of the drawn disturbances and the parts.
    """
    generator = torch.Generator().manual_seed(seed)
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(train))[:600]
    chest, chest_part = train.pixels[chosen], parts_of(train.patients[chosen], seed)
    chosen = random.permutation(len(validation))[:300]
    held_out, held_out_part = validation.pixels[chosen], parts_of(validation.patients[chosen], seed)

    def sample(films: np.ndarray, part: np.ndarray, changes: list[Callable[[Tensor], Tensor]]) -> Sample:
        """Each film under each change."""
        found = [_ask(network, films, change) for change in changes]
        features, embedding, blank = (np.concatenate(values) for values in zip(*found, strict=True))
        return Sample(features, embedding, blank, np.tile(part, len(changes)), len(films))

    same: Callable[[Tensor], Tensor] = lambda films: films  # noqa: E731 (named for the lists below)
    phone = _by_kind("phone_photo", generator)
    any_kind = _any_kind(generator)
    say("gate: asking the network about good films")
    good = {
        "clean": sample(chest, chest_part, [same]),
        "perturbed": sample(chest, chest_part, [any_kind]),
        "phone photo": sample(chest, chest_part, [phone]),
    }
    limits_on = {
        "clean": sample(held_out, held_out_part, [same]),
        "perturbed": sample(held_out, held_out_part, [any_kind]),
        "phone photo": sample(held_out, held_out_part, [phone]),
    }
    if pictures.other_chest is not None:
        part = parts_of([source(path) for path in pictures.other_chest.paths], seed)
        good["another site"] = sample(pictures.other_chest.pixels, part, [same, phone])
    say("gate: asking the network about rotated films and other pictures")
    fewer, part = chest[:200], chest_part[:200]
    mild = _mild(generator)
    bad = {
        "upside_down": sample(fewer, part, [lambda f: f.rot90(2, (2, 3)), lambda f: mild(f).rot90(2, (2, 3))]),
        "sideways": sample(fewer, part, [lambda f: mild(f).rot90(1, (2, 3)), lambda f: mild(f).rot90(3, (2, 3))]),
        "negative": sample(fewer, part, [lambda f: 1 - f, lambda f: 1 - mild(f)]),
        "several_films": sample(fewer, part, [_beside(3), _beside(2), lambda f: _beside(3)(_beside(2)(f))]),
        "part_of_chest": sample(fewer, part, [_half(side, generator) for side in ((-1, 0), (1, 0), (0, -1), (0, 1))]),
    }
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
    say(f"gate: fitting {len(codes)} rules on {len(all_good)} good films")
    # Scores of films that the rule did not see, for the figures and the limits.
    unseen_good = {code: np.zeros(len(all_good)) for code in codes}
    unseen_bad: dict[str, np.ndarray] = {kind: np.zeros((len(bad[kind].part), len(codes))) for kind in bad}
    rules = {}
    for number, code in enumerate(codes):
        for part in range(PARTS):
            rule = _rule(all_good[part_of_good != part], bad[code].features[bad[code].part != part], mean, spread)
            unseen_good[code][part_of_good == part] = _score(rule, all_good[part_of_good == part], mean, spread)
            for kind, one in bad.items():
                rows = one.part == part
                unseen_bad[kind][rows, number] = _score(rule, one.features[rows], mean, spread)
        rules[code] = _rule(all_good, bad[code].features, mean, spread)
    held = {name: _all_scores(rules, codes, one.features, mean, spread) for name, one in held_out.items()}
    pool = np.concatenate([np.stack([unseen_good[code] for code in codes], 1), *held.values()])
    limits = _limits(pool)
    part_of_pool = np.concatenate([part_of_good, *(one.part for one in held_out.values())])
    limits_without = np.stack([_limits(pool[part_of_pool != part]) for part in range(PARTS)])
    refused_good = {
        name: float(_refused(scores, held_out[name].blank, limits_without[held_out[name].part]).mean())
        for name, scores in held.items()
    }
    if "another site" in good:  # the last of the good films
        there = good["another site"]
        scores = np.stack([unseen_good[code][-len(there.part) :] for code in codes], 1)
        refused_good["another site"] = float(_refused(scores, there.blank, limits_without[there.part]).mean())
    refused_bad = {
        # Of pictures the first copy only, as it is: the changed copies are there to fit on.
        kind: float(_refused(unseen_bad[kind], one.blank, limits)[: one.pictures].mean())
        for kind, one in bad.items()
    }
    weight = np.stack([rules[code].coef_[0] / spread for code in codes])
    bias = np.stack([rules[code].intercept_[0] - (rules[code].coef_[0] * mean / spread).sum() for code in codes])
    gate = Gate(torch.from_numpy(weight).float(), torch.from_numpy(bias).float())
    order = ["blank", *codes]
    facts = {
        "scores": [_score_facts(code, limit) for code, limit in zip(order, [0.5, *limits.tolist()], strict=True)],
        "method": "logistic rules on features of the network, the film's thumbnail and its contrast",
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


def _rule(good: np.ndarray, bad: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> LogisticRegression:
    features = (np.concatenate([good, bad]) - mean) / spread
    labels = np.r_[np.zeros(len(good)), np.ones(len(bad))]
    return LogisticRegression(C=0.003, class_weight="balanced", max_iter=400).fit(features.clip(-8, 8), labels)


def _score(rule: LogisticRegression, features: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    if not len(features):  # of fewer sources than parts, some parts hold none
        return np.zeros(0)
    return rule.predict_proba((features - mean) / spread)[:, 1]


def _all_scores(
    rules: dict[str, LogisticRegression], codes: list[str], features: np.ndarray, mean: np.ndarray, spread: np.ndarray
) -> np.ndarray:
    return np.stack([_score(rules[code], features, mean, spread) for code in codes], 1)


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


def _half(side: tuple[int, int], generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    """Films that lack 45 to 60 % on one side (across, down): cut off and squashed, or moved out of the frame."""
    across, down = side

    def change(films: Tensor) -> Tensor:
        gone = torch.rand(len(films), generator=generator) * 0.15 + 0.45
        is_cut = torch.rand(len(films), generator=generator) < 0.5
        scale = torch.where(is_cut, 1 - gone, torch.ones_like(gone))
        shift = torch.where(is_cut, gone, 2 * gone)
        matrix = affine(
            films,
            scale_x=scale if across else 1.0,
            scale_y=scale if down else 1.0,
            shift_x=across * shift,
            shift_y=down * shift,
        )
        return warp(films, matrix)

    return change


def _mild(generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    return lambda films: augment(films, generator, 0.35)
