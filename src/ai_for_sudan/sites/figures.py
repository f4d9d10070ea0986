"""The pages of `adapt` and `monitor`."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from ai_for_sudan.pages import figures
from ai_for_sudan.sites.log import VERDICTS
from ai_for_sudan.statistics import reliability


def curve_figure(curve: list[dict[str, Any]]) -> Markup:
    """AUROC against the number of labels, over all films and within each column; the bars hold 95 % of the draws."""
    names = list(curve[0]["auroc"])
    made, axes = figures.figure(1, len(names), width=3.2, height=3.2)
    for name, one in zip(names, np.atleast_1d(axes), strict=True):
        counts = [point["labels"] for point in curve if name in point["auroc"]]
        for key, colour, label, aside in (
            ("before", figures.GREY, "as shipped", -2),
            ("after", figures.GREEN, "adapted", 2),
        ):
            values = np.array([point["auroc"][name][key] for point in curve if name in point["auroc"]], float)
            spread = np.abs(values[:, 1:] - values[:, :1]).T
            places = np.array(counts) + aside
            one.errorbar(places, values[:, 0], yerr=spread, fmt="o-", color=colour, capsize=3, label=label)
        one.axhline(0.5, ls=":", color=figures.GREY, lw=1)
        one.set(
            title=name if name == "all films" else f"same {name}",
            xlabel="labelled films",
            ylabel="AUROC",
            xticks=counts,
            ylim=(0.2, 1.02),
        )
    np.atleast_1d(axes)[0].legend(frameon=False, fontsize=8)
    return Markup(figures.svg(made))  # our own drawing


def roc_figure(labels: np.ndarray, scores: dict[str, np.ndarray], folds: np.ndarray) -> Markup:
    """ROC and reliability of the reader as shipped, and of what was adopted, on held-out patients.

    Args:
        scores: log-odds by name, ``(N,)``; ``as shipped`` are of one fit, all others of one a fold.
        folds: of the same films; ranks of different folds are not compared, so their curves are averaged.
    """
    from sklearn.metrics import roc_curve

    made, axes = figures.figure(1, 2)
    grid = np.linspace(0, 1, 101)
    for (name, one), colour in zip(scores.items(), (figures.GREY, figures.GREEN), strict=False):
        parts = [np.ones(len(labels), bool)] if name == "as shipped" else [folds == fold for fold in np.unique(folds)]
        curves = [roc_curve(labels[part], one[part])[:2] for part in parts if len(np.unique(labels[part])) == 2]
        if len(curves) == 1:
            axes[0].plot(*curves[0], color=colour, label=name)
        else:
            axes[0].plot(grid, np.mean([np.interp(grid, *curve) for curve in curves], axis=0), color=colour, label=name)
        bins = reliability(labels, 1 / (1 + np.exp(-one)))
        given, share = [each.given for each in bins], [each.share.value for each in bins]
        axes[1].plot(given, share, "o-", color=colour, label=name, ms=4)
    for axis, title, across, up in (
        (axes[0], "ROC", "1 - specificity", "sensitivity"),
        (axes[1], "Reliability", "probability given", "share that is positive"),
    ):
        axis.plot([0, 1], [0, 1], ":", color=figures.GREY, lw=1)
        axis.set(title=title, xlabel=across, ylabel=up)
        axis.legend(frameon=False, loc="lower right", fontsize=8)
    return Markup(figures.svg(made))


def monitor_figure(result: dict[str, Any]) -> Markup:
    """Readings by status, refusals, scores and agreement, week by week; red lines are alarms."""
    weeks = result["weeks"]
    places = np.arange(len(weeks))
    made, axes = figures.figure(3, 2, width=5.2, height=2.5)
    bottom = np.zeros(len(weeks))
    colours = (figures.RED, figures.GREEN, "#e0a030", figures.GREY, "black")
    for status, colour in zip(weeks[0]["statuses"], colours, strict=True):
        counts = np.array([week["statuses"][status] for week in weeks])
        axes[0, 0].bar(places, counts, bottom=bottom, color=colour, label=status.replace("_", " "), width=0.85)
        bottom += counts
    axes[0, 0].set(title="Readings")
    axes[0, 0].set_ylim(top=1.35 * axes[0, 0].get_ylim()[1])  # the legend stands above the bars
    axes[0, 0].legend(frameon=False, fontsize=7, ncols=3, loc="upper center")
    share = np.array([[np.nan if v is None else v for v in week["refused"]] for week in weeks], float)
    axes[0, 1].errorbar(
        places, share[:, 0], yerr=np.abs(share[:, 1:] - share[:, :1]).T, fmt="o", color=figures.GREY, ms=4
    )
    axes[0, 1].set(title="Share refused", ylim=(0, None))
    spread = np.array([week["score_quartiles"] or [np.nan] * 3 for week in weeks], float)
    axes[1, 0].fill_between(places, spread[:, 0], spread[:, 2], color=figures.GREEN, alpha=0.25, lw=0)
    axes[1, 0].plot(places, spread[:, 1], "o-", color=figures.GREEN, ms=4)
    axes[1, 0].set(title="Log-odds: median and quartiles")
    distance = np.array([np.nan if week.get("distance") is None else week["distance"] for week in weeks], float)
    axes[1, 1].plot(places, distance, "o-", color=figures.GREEN, ms=4)
    axes[1, 1].set(title="Distance of the embeddings: median")
    course = {point["week"]: point["share"] for point in result["agreement"]["course"]}
    known = [place for place, week in zip(places, weeks, strict=True) if week["week"] in course]
    if known:
        values = np.array([course[weeks[place]["week"]] for place in known])
        axes[2, 0].fill_between(known, values[:, 1], values[:, 2], color=figures.GREEN, alpha=0.25, lw=0)
        axes[2, 0].plot(known, values[:, 0], "o-", color=figures.GREEN, ms=4)
        axes[2, 0].axhline(result["agreement"]["wanted"], color=figures.RED, lw=1, ls=":")
    axes[2, 0].set(title="Agreement so far", ylim=(0, 1.02))
    verdicts = {name: [week["verdicts"].get(name, 0) for week in weeks] for name in VERDICTS}
    for (name, given), colour in zip(verdicts.items(), (figures.GREEN, figures.RED, figures.GREY), strict=True):
        axes[2, 1].plot(places, given, "o-", color=colour, ms=3, label=name)
    axes[2, 1].set(title="Verdicts of clinicians")
    axes[2, 1].legend(frameon=False, fontsize=7, ncols=3)
    tests = {"refusals": axes[0, 1], "scores": axes[1, 0], "embeddings": axes[1, 1]}
    index = {week["week"]: place for place, week in zip(places, weeks, strict=True)}
    for alarm in result["alarms"]:
        tests[alarm["test"]].axvline(index[alarm["week"]], color=figures.RED, lw=1, zorder=0)
    shown = places[:: max(1, len(weeks) // 6)]
    for one in axes.flat:
        one.set_xlim(-0.6, len(weeks) - 0.4)
        one.set_xticks(shown, [weeks[place]["week"][5:] for place in shown], fontsize=8)
    return Markup(figures.svg(made))
