"""What every step of an adaptation is judged with: the site's labelled films, their resamples, and what is linked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import expit

from ai_for_sudan.reading import Card
from ai_for_sudan.sites import nuisance
from ai_for_sudan.sites.head import Rows, patient_folds
from ai_for_sudan.sites.site_films import SiteFilms
from ai_for_sudan.statistics import Predictions, Resamples, ece_bias, percentile_interval, youden_cut


@dataclass(frozen=True)
class Judge:
    """Labelled films of a site.

    Attributes:
        rows: the films.
        resamples: of their patients.
        levels: column -> level of each film, str ``(N,)``.
        links: column -> how it goes together with the label (:func:`ai_for_sudan.sites.nuisance.linked`).
        replayed: films of the source site that take part in fitting a head, so that it forgets nothing.
        source: other films of the source site, of patients that no head is fitted on.
        say: called with what is being done.
    """

    rows: Rows
    card: Card
    resamples: Resamples
    levels: dict[str, np.ndarray]
    links: dict[str, dict[str, Any]]
    replayed: Rows | None
    source: Rows | None
    seed: int
    say: Callable[[str], None]

    @classmethod
    def of(
        cls,
        films: SiteFilms,
        labelled: np.ndarray,
        rows: Rows,
        source: Rows | None,
        card: Card,
        columns: tuple[str, ...],
        seed: int,
        say: Callable[[str], None],
    ) -> Judge:
        """Of the films ``labelled`` (numbers), whose ``rows`` these are."""
        replayed = kept = None
        if source is not None:
            replayed, kept = (source.take(half) for half in patient_folds(source, 2, seed)[0])
        facts = [films.facts[i] for i in labelled]
        found = {column: nuisance.levels(facts, column) for column in columns}
        levels = {column: level for column, level in found.items() if level is not None}
        levels[nuisance.ACQUISITION] = nuisance.acquisition_score(
            films.pictures[labelled], rows.labels, rows.patients, seed=seed
        )
        links = {column: nuisance.linked(rows.labels, level, rows.patients) for column, level in levels.items()}
        resamples = Resamples.of(rows.labels, rows.patients, seed=seed)
        return cls(rows, card, resamples, levels, links, replayed, kept, seed, say)

    @property
    def linked(self) -> list[str]:
        """Columns within which a gain must hold, to be one."""
        return [column for column, link in self.links.items() if link["linked"]]

    @property
    def shipped_called(self) -> np.ndarray:
        """Films that the reader calls as shipped, bool ``(N,)``."""
        return expit(self.rows.scores) >= self.card.operating_point().suspected_from

    def cut(self, labels: np.ndarray, scores: np.ndarray) -> float:
        return youden_cut(Predictions(labels, expit(scores)))

    def balanced(self, rows: Rows, index: np.ndarray) -> Rows:
        """Weights under which no linked column predicts the label, so that the head cannot gain by learning it."""
        # Films of one acquisition are nearly all of one class where it predicts the label: no weights balance that.
        levels = [self.levels[column][index] for column in self.linked if column != nuisance.ACQUISITION]
        return replace(rows, weights=nuisance.balancing_weights(rows.labels, levels))

    def with_source(self, rows: Rows) -> Rows:
        return rows if self.replayed is None else rows.joined(self.replayed)

    def youden(self, called: np.ndarray) -> np.ndarray:
        return self.resamples.sensitivity(called) + self.resamples.specificity(called) - 1

    def figures(self, scores: np.ndarray, called: np.ndarray) -> dict[str, Any]:
        """Of log-odds and calls ``(N,)``, each ``[value, low, high]``."""
        resamples, probability = self.resamples, expit(scores)
        return {
            "auroc": [*percentile_interval(resamples.auroc(scores))],
            "sensitivity": [*percentile_interval(resamples.sensitivity(called))],
            "specificity": [*percentile_interval(resamples.specificity(called))],
            "brier": [*percentile_interval(resamples.brier(probability))],
            "ece": [*percentile_interval(resamples.ece(probability), biased=True)],
            "ece_of_a_calibrated_reader": ece_bias(probability),
            "within": {c: [*percentile_interval(resamples.auroc(scores, level))] for c, level in self.levels.items()},
        }

    def warnings(self) -> list[str]:
        found = []
        for column in self.linked:
            link = self.links[column]
            shares = ", ".join(
                f"{name} {level['positive']:.0%} of {level['films']}" for name, level in link["levels"].items()
            )
            if column == nuisance.ACQUISITION:
                found.append(
                    f"Six numbers on grey levels and sharpness predict the label with AUROC {link['auroc_alone']:.2f} "
                    "here, without looking at the lungs: positive and negative films seem to be taken or exported "
                    "differently. A head can learn that: rely on the figures within films that look alike."
                )
                continue
            found.append(
                f"The column '{column}' is linked with the label here (positive: {shares}; p = {link['p']:.2g}); "
                f"on its own it would reach AUROC {link['auroc_alone']:.2f}. Rely on the figures within one {column}."
            )
        return found
