"""What the checks of the attribution maps add up to: verdicts, a figure and examples."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup
from PIL import Image
from torch import Tensor

from ai_for_sudan.evaluation.standing import order_verdicts, share_verdict, verdict
from ai_for_sudan.explanation import checks
from ai_for_sudan.pages import figures, inline, interval
from ai_for_sudan.reading.overlay import overlay


def verdicts(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Sum up each check of a checkpoint in a line: passed, failed or, with ``None``, not measured."""
    return [
        _weights(facts["cascade"][-1]),
        _labels(facts["random_labels"]),
        *order_verdicts(facts, facts["inside"]),
        _displaced(facts["stability"]),
        share_verdict(facts["regions"], "the drawn regions"),
    ]


def _weights(last: dict[str, Any]) -> dict[str, Any]:
    spearman, blank = last["spearman"], last["blank"]
    return verdict(
        "weights randomised",
        f"With random weights the map must change: a rank correlation of {checks.SIMILAR} or more means that it shows "
        "the film and not the model.",
        None if spearman[0] is None else abs(spearman[0]) < checks.SIMILAR,
        f"rank correlation {interval(spearman, 2)}, SSIM {interval(last['ssim'], 2)}, blank {blank:.0%}",
    )


def _labels(random: dict[str, Any] | None) -> dict[str, Any]:
    if random is None:
        return verdict(
            "labels permuted",
            "Give films of both classes, or --random_labels CHECKPOINT.",
            found="all films have the same label",
        )
    known = random["label_accuracy"]
    accuracy = "" if known is None else f"; it repeats {known:.0%} of the random labels"
    return verdict(
        "labels permuted",
        "The map of a model trained on random labels must differ from that of the model itself.",
        None if random["spearman"][0] is None else abs(random["spearman"][0]) < checks.SIMILAR,
        f"rank correlation {interval(random['spearman'], 2)}, blank {random['blank']:.0%}{accuracy}",
    )


def _displaced(stability: dict[str, Any]) -> dict[str, Any]:
    spearman = stability["spearman"]
    return verdict(
        "film displaced by 1/28",
        "When the film is displaced a little the map must follow and otherwise hardly change.",
        None if spearman[0] is None else spearman[0] >= checks.SIMILAR,
        f"rank correlation {interval(spearman, 2)}, blank {stability['blank']:.0%}",
    )


def figure(facts: dict[str, Any]) -> Markup:
    """Draw the cascade, and the curves of deletion and insertion, as SVG."""
    rows = facts["cascade"]
    made, axes = figures.figure(1, 3, width=3.6, height=3.2)
    places = list(range(len(rows)))
    for name, colour in (("spearman", figures.GREEN), ("ssim", figures.GREY)):
        axes[0].plot(places, [row[name][0] for row in rows], "o-", ms=3, color=colour, label=name)
    axes[0].axhline(checks.SIMILAR, ls=":", color=figures.RED, lw=1, label="similar")
    axes[0].set(title="Weights randomised", ylim=(-1.02, 1.02), ylabel="similarity to the model's own map")
    axes[0].set_xticks(places, [row["stage"] for row in rows], rotation=60, ha="right", fontsize=7)
    axes[0].legend(frameon=False, fontsize=7)
    for panel, kind in zip(axes[1:], ("deletion", "insertion"), strict=True):
        curves = facts[kind]["curves"]
        panel.plot(curves["shares"], curves["map"], color=figures.GREEN, label="the map")
        panel.plot(curves["shares"], curves["random"], color=figures.GREY, label="places in random order")
        panel.set(
            title=kind.capitalize(),
            ylim=(-0.02, 1.02),
            xlabel=f"share of {facts['inside']}",
            ylabel="mean probability",
        )
        panel.legend(frameon=False, fontsize=7)
    return Markup(figures.svg(made))  # our own drawing, nothing of the user's inside


def examples(files: list[str], pixels: np.ndarray, own: Tensor, random_maps: Tensor | None) -> list[dict[str, Any]]:
    """Draw the maps of some films, each scaled to its own peak, for the page."""
    shown = []
    for number, (file, film) in enumerate(zip(files, pixels, strict=True)):
        maps = [("the model's map", own[number])]
        if random_maps is not None:
            maps.append(("labels permuted", random_maps[number]))
        pictures = [
            {"title": title, "image": inline(overlay(np.array(film), one.numpy(), max(float(one.max()), 1e-9)))}
            for title, one in maps
        ]
        if len(pictures) == 1:
            pictures.insert(0, {"title": "the film", "image": inline(Image.fromarray(np.array(film)))})
        shown.append({"file": file, "pictures": pictures})
    return shown
