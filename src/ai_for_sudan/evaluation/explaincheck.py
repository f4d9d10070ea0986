"""What the checks of the attribution maps add up to: verdicts, a figure and examples."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup
from PIL import Image
from torch import Tensor

from ai_for_sudan.evaluation.attribution import inside
from ai_for_sudan.explanation import checks
from ai_for_sudan.pages import figures, inline, interval
from ai_for_sudan.reading.overlay import overlay
from ai_for_sudan.statistics import wilson


def inside_regions(maps: Tensor, regions: list[np.ndarray]) -> dict[str, Any]:
    """Attribution maps ``(B, h, w)`` against regions bool ``(S, S)`` that people drew; an empty array: none was drawn.

    Returns:
        plain JSON; shares and the pointing game are of films with a region and a map that is not blank.
    """
    drawn = [number for number, region in enumerate(regions) if region.size]
    found = inside(maps[drawn].numpy(), np.stack([regions[i] for i in drawn]) if drawn else np.zeros((0, 1, 1), bool))
    shown = ~np.isnan(found.share)
    share, area = found.share[shown], found.area[shown]
    return {
        "films": len(share),
        "blank": found.blank,
        "without_region": len(regions) - len(drawn),
        "share": checks.median(share),
        "area": float(area.mean()) if len(area) else None,
        "more_than_area": checks.median(share - area),
        "pointing": wilson(int(found.hit[shown].sum()), len(share)).to_list(),
    }


def verdicts(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Each check in a line: passed, failed or, with ``None``, not measured."""
    last = facts["cascade"][-1]
    spearman, blank = last["spearman"], last["blank"]
    found_all = [
        {
            "check": "weights randomised",
            "passed": None if spearman[0] is None else abs(spearman[0]) < checks.SIMILAR,
            "found": f"rank correlation {interval(spearman, 2)}, SSIM {interval(last['ssim'], 2)}, blank {blank:.0%}",
            "meaning": "With random weights the map must change: a rank correlation of "
            f"{checks.SIMILAR} or more means that it shows the film and not the model.",
        }
    ]
    random = facts["random_labels"]
    if random is None:
        found_all.append(
            {"check": "labels permuted", "passed": None, "found": "all films have the same label",
             "meaning": "Give films of both classes, or --random_labels CHECKPOINT."}
        )  # fmt: skip
    else:
        known = random["label_accuracy"]
        accuracy = "" if known is None else f"; it repeats {known:.0%} of the random labels"
        found_all.append(
            {
                "check": "labels permuted",
                "passed": None if random["spearman"][0] is None else abs(random["spearman"][0]) < checks.SIMILAR,
                "found": f"rank correlation {interval(random['spearman'], 2)}, blank {random['blank']:.0%}{accuracy}",
                "meaning": "The map of a model trained on random labels must differ from that of the model itself.",
            }
        )
    for kind, sign, words in (
        ("deletion", -1, "Removing the hottest places must lower the score more than removing others."),
        ("insertion", 1, "Showing only the hottest places must raise the score more than showing others."),
    ):
        difference = facts[kind]["difference"]
        bound = difference[2] if sign < 0 else difference[1]
        found_all.append(
            {
                "check": f"{kind} against a misplaced map",
                "passed": bool(sign * bound > 0),
                "found": f"area {float(np.mean(facts[kind]['own'])):.2f} against "
                f"{float(np.mean(facts[kind]['random'])):.2f}, difference {interval(difference)}",
                "meaning": words,
            }
        )
    displaced = facts["stability"]["spearman"]
    found_all.append(
        {
            "check": "film displaced by 1/28",
            "passed": None if displaced[0] is None else displaced[0] >= checks.SIMILAR,
            "found": f"rank correlation {interval(displaced, 2)}, blank {facts['stability']['blank']:.0%}",
            "meaning": "When the film is displaced a little the map must follow and otherwise hardly change.",
        }
    )
    regions = facts["regions"]
    if regions is None:
        found: dict[str, Any] = {"passed": None, "found": "no --masks or --boxes were given"}
    else:
        low = regions["more_than_area"][1]
        found = {
            "passed": None if low is None else low > 0,
            "found": f"share {interval(regions['share'], 2)} where chance is {regions['area'] or 0:.2f}; pointing game "
            f"{interval(regions['pointing'], 2)}; {regions['films']} films, {regions['blank']} blank, "
            f"{regions['without_region']} without a region",
        }
    found_all.append(
        {
            "check": "attribution inside the drawn regions",
            **found,
            "meaning": "The share inside must exceed the area of the regions.",
        }
    )
    return found_all


def figure(rows: list[dict[str, Any]], curves: dict[str, checks.Curves]) -> Markup:
    made, axes = figures.figure(1, 3, width=3.6, height=3.2)
    places = list(range(len(rows)))
    for name, colour in (("spearman", figures.GREEN), ("ssim", figures.GREY)):
        axes[0].plot(places, [row[name][0] for row in rows], "o-", ms=3, color=colour, label=name)
    axes[0].axhline(checks.SIMILAR, ls=":", color=figures.RED, lw=1, label="similar")
    axes[0].set(title="Weights randomised", ylim=(-1.02, 1.02), ylabel="similarity to the model's own map")
    axes[0].set_xticks(places, [row["stage"] for row in rows], rotation=60, ha="right", fontsize=7)
    axes[0].legend(frameon=False, fontsize=7)
    for panel, (kind, curve) in zip(axes[1:], curves.items(), strict=True):
        panel.plot(curve.shares, curve.own, color=figures.GREEN, label="the map")
        panel.plot(curve.shares, curve.random, color=figures.GREY, label="misplaced map")
        panel.set(title=kind.capitalize(), ylim=(-0.02, 1.02), xlabel="share of the film", ylabel="mean probability")
        panel.legend(frameon=False, fontsize=7)
    return Markup(figures.svg(made))  # our own drawing, nothing of the user's inside


def examples(files: list[str], pixels: np.ndarray, own: Tensor, random_maps: Tensor | None) -> list[dict[str, Any]]:
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
