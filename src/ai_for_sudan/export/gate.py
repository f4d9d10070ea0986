"""Fit a gate, which refuses what is no readable frontal chest film, and say how good it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ai_for_sudan import lungs
from ai_for_sudan.contract.codes import advice_of, kind_of, text_of
from ai_for_sudan.export.familiarity import CODE, Familiarity, fit_familiarity, left_over, limit_of
from ai_for_sudan.export.inputs import GatePictures
from ai_for_sudan.export.network import Gate, ReaderNetwork
from ai_for_sudan.export.rules import Rules, fit_rules, limits_of, patterns_of, refused
from ai_for_sudan.export.samples import PARTS, Samples, draw_samples
from ai_for_sudan.training import LabelledFilms

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


@dataclass(frozen=True)
class FittedGate:
    """A gate, the check that a film is like known ones, and what the card says of both (``facts``)."""

    gate: Gate
    familiarity: Familiarity
    facts: dict[str, Any]


def fit_gate(
    network: ReaderNetwork,
    train: LabelledFilms,
    validation: LabelledFilms,
    pictures: GatePictures,
    *,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> FittedGate:
    """Fit rules for each reason, and choose limits that few good films exceed.

    A reason may have several patterns (a film on its left side or its right). Its score is the probability of the
    likeliest one against that of a good film, and 0 where another reason is likelier: on what no rule had seen several
    fired at once, and the strictest of them was given.

    Every figure in the card is from films that neither rule nor limits saw: the pictures are divided in five parts,
    rules and limits are fitted on four and measured on the fifth, in turn; what is shipped is then fitted on all.

    Args: as :func:`ai_for_sudan.export.samples.draw_samples` takes them.
    """
    samples = draw_samples(network, train, validation, pictures, seed=seed, say=say)
    gate, facts = fit_on(samples, say)
    familiarity, facts["figures"]["unfamiliar"] = _familiarity(samples, say)
    # What the lungs' map says needs no fitting.
    found_by_lungs = lungs.CODES if network.model.view is not None else ()
    facts["scores"] += [_score_facts(code, 0.5) for code in (*found_by_lungs, CODE)]
    return FittedGate(gate, familiarity, facts)


def fit_on(samples: Samples, say: Callable[[str], None] = lambda _: None) -> tuple[Gate, dict[str, Any]]:
    """Fit the rules and limits of a gate on drawn films; return it with what the card says of it."""
    codes = [code for code in FITTED if code in samples.bad]
    features = np.concatenate([one.features for one in samples.good.values()])
    mean, spread = features.mean(0), features.std(0) + 1e-3
    say(f"gate: fitting the rules of {len(codes)} reasons on {len(features)} good films")
    rules = fit_rules(features, [patterns_of(samples.bad[code]) for code in codes], mean, spread)
    unseen_good, unseen_bad = _unseen(samples, features, codes, mean, spread)
    held = {name: rules(one.features) for name, one in samples.held_out.items()}
    limits, refused_good = _limits(samples, unseen_good, held)
    refused_bad = {
        # Of pictures the first copy only, as it is: the changed copies are there to fit on.
        kind: float(refused(unseen_bad[kind], one.blank, limits)[: one.pictures].mean())
        for kind, one in samples.bad.items()
    }
    for name, share in {**refused_good, **refused_bad}.items():
        say(f"gate: refuses {share:6.1%} of {name}")
    facts = {
        "scores": [
            _score_facts(code, limit) for code, limit in zip(["blank", *codes], [0.5, *limits.tolist()], strict=True)
        ],
        "method": "one multinomial regression on features of the network, the film's thumbnail and its contrast",
        "fitted_on": {
            "good": {name: len(one.part) for name, one in samples.good.items()},
            "bad": {name: len(one.part) for name, one in samples.bad.items()},
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
    return Gate(torch.from_numpy(rules.weight).float(), torch.from_numpy(rules.bias).float(), rules.patterns), facts


def _unseen(
    samples: Samples, features: np.ndarray, codes: list[str], mean: np.ndarray, spread: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Scores ``(N, G)`` of good films and of each kind of bad ones, by rules that did not see their part."""
    part_of_good = np.concatenate([one.part for one in samples.good.values()])
    good = np.zeros((len(features), len(codes)))
    bad = {code: np.zeros((len(samples.bad[code].part), len(codes))) for code in codes}
    for part in range(PARTS):
        others = [patterns_of(samples.bad[code], samples.bad[code].part != part) for code in codes]
        without: Rules = fit_rules(features[part_of_good != part], others, mean, spread)
        good[part_of_good == part] = without(features[part_of_good == part])
        for code in codes:
            rows = samples.bad[code].part == part
            bad[code][rows] = without(samples.bad[code].features[rows])
    return good, bad


def _limits(samples: Samples, unseen: np.ndarray, held: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, float]]:
    """Limits ``(G,)`` of all good films, and the share that is refused of each kind by limits without their part."""
    pool = np.concatenate([unseen, *held.values()])
    parts = np.concatenate([one.part for one in (*samples.good.values(), *samples.held_out.values())])
    without = np.stack([limits_of(pool[parts != part]) for part in range(PARTS)])
    kinds = [(name, scores, samples.held_out[name]) for name, scores in held.items()]
    if there := samples.good.get("another site"):  # the last of the good films
        kinds.append(("another site", unseen[-len(there.part) :], there))
    shares = {name: float(refused(scores, one.blank, without[one.part]).mean()) for name, scores, one in kinds}
    return limits_of(pool), shares


def _score_facts(code: str, limit: float) -> dict[str, Any]:
    return {
        "code": code,
        "limit": limit,
        "reason": text_of(code),
        "advice": advice_of(code),
        "status": kind_of(code),
    }


def _familiarity(samples: Samples, say: Callable[[str], None]) -> tuple[Familiarity, dict[str, float]]:
    """Fitted, with the share that is called unfamiliar of each kind: of held-out films by limits without their part,
    of other pictures as they are, none of which it was fitted on."""
    held_out = samples.held_out
    known = np.concatenate([one.embedding for one in samples.good.values()])
    fitted = fit_familiarity(known, np.concatenate([one.embedding for one in held_out.values()]))
    left = {name: left_over(fitted, one.embedding) for name, one in held_out.items()}
    pool, part = np.concatenate(list(left.values())), np.concatenate([one.part for one in held_out.values()])
    limit_without = np.array([limit_of(pool[part != number]) for number in range(PARTS)])
    shares = {name: float((left[name] > limit_without[one.part]).mean()) for name, one in held_out.items()}
    for name, one in samples.bad.items():
        shares[name] = float((left_over(fitted, one.embedding[: one.pictures]) > fitted.limit).mean())
    for name, share in shares.items():
        say(f"gate: unfamiliar are {share:6.1%} of {name}")
    return fitted, shares
