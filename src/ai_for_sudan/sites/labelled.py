"""What every step of an adaptation is judged with: the site's labelled films, their resamples, and what is linked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import expit

from ai_for_sudan.contract import OperatingPoint
from ai_for_sudan.reading import Card
from ai_for_sudan.sites import nuisance
from ai_for_sudan.sites.head import Rows, patient_folds
from ai_for_sudan.sites.site_films import SiteFilms
from ai_for_sudan.statistics import (
    Estimate,
    Promise,
    Resamples,
    StatusTable,
    as_json,
    ece_bias,
    percentile_interval,
    smallest_class,
    status_table,
    wilson,
)


@dataclass(frozen=True)
class Judge:
    """Labelled films of a site.

    Attributes:
        rows: the films that the reader reads.
        doubted, abnormal: of the same films (:class:`ai_for_sudan.sites.site_films.Seen`), bool ``(N,)``.
        refused: truth and patient of the labelled films that it refuses, ``(M,)`` each.
        promise: the two error rates that the rule of this site shall keep.
        resamples: of the patients of ``rows``.
        levels: column -> level of each film, str ``(N,)``.
        links: column -> how it goes together with the label (:func:`ai_for_sudan.sites.nuisance.linked`).
        replayed: films of the source site that take part in fitting a head, so that it forgets nothing.
        source: other films of the source site, of patients that no head is fitted on.
        say: called with what is being done.
    """

    rows: Rows
    doubted: np.ndarray
    abnormal: np.ndarray
    refused: tuple[np.ndarray, np.ndarray]
    card: Card
    promise: Promise
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
        promise: Promise,
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
        refused = [(film.label, film.patient) for film in films.refused if not np.isnan(film.label)]
        return cls(
            rows=rows,
            doubted=films.doubted[labelled],
            abnormal=films.abnormal[labelled],
            refused=(np.array([label for label, _ in refused]), np.array([whose for _, whose in refused])),
            card=card,
            promise=promise,
            resamples=Resamples.of(rows.labels, rows.patients, seed=seed),
            levels=levels,
            links={column: nuisance.linked(rows.labels, level, rows.patients) for column, level in levels.items()},
            replayed=replayed,
            source=kept,
            seed=seed,
            say=say,
        )

    @property
    def linked(self) -> list[str]:
        """Columns within which a gain must hold, to be one."""
        return [column for column, link in self.links.items() if link["linked"]]

    @property
    def monotone(self) -> bool:
        """Whether a recalibration keeps the order of films, so that cut-offs can move along with it."""
        return not self.rows.exclusive or self.rows.logits.shape[1] == 2

    def statuses(self, point: OperatingPoint, scores: np.ndarray, films: np.ndarray | None = None) -> np.ndarray:
        """What the reader would say of films (numbers; default all) with these log-odds ``(n,)``, as texts ``(n,)``."""
        rows = np.arange(len(self.rows)) if films is None else films
        found = point.statuses(expit(scores))
        found[(found == "not_seen") & self.abnormal[rows]] = "uncertain"
        found[self.doubted[rows]] = "uncertain"
        return found

    @property
    def as_shipped(self) -> np.ndarray:
        """Statuses by the reader as it is, ``(N,)``."""
        return self.statuses(self.card.operating_point(), self.rows.scores)

    def table(self, statuses: np.ndarray) -> StatusTable:
        """What the clinic experiences with these statuses ``(N,)``: refused films stay in the denominator."""
        labels, patients = self.refused
        return status_table(
            np.concatenate([self.rows.labels, labels]),
            np.concatenate([statuses, np.full(len(labels), "refused", object)]),
            np.concatenate([self.rows.patients, patients]),
        )

    def decided(self, statuses: np.ndarray) -> np.ndarray:
        """Share of films that are not left to a person, in each resample."""
        return self.resamples.mean((statuses != "uncertain").astype(np.float64))

    def balanced(self, rows: Rows, index: np.ndarray) -> Rows:
        """Weights under which no linked column predicts the label, so that the head cannot gain by learning it."""
        # Films of one acquisition are nearly all of one class where it predicts the label: no weights balance that.
        levels = [self.levels[column][index] for column in self.linked if column != nuisance.ACQUISITION]
        return replace(rows, weights=nuisance.balancing_weights(rows.labels, levels))

    def with_source(self, rows: Rows) -> Rows:
        """Join the films of the reader's own data to a fit, where they are replayed."""
        return rows if self.replayed is None else rows.joined(self.replayed)

    def figures(
        self, scores: np.ndarray, statuses: np.ndarray | None = None, folds: np.ndarray | None = None
    ) -> dict[str, Any]:
        """Figures of log-odds ``(N,)``, each ``[value, low, high]``.

        Args:
            statuses: what is said of the films, ``(N,)``: ``table`` is what the clinic experiences, None without.
            folds: of scores that come from several fits, str ``(N,)``: their ranks are compared within a fold only.
        """
        resamples, probability = self.resamples, expit(scores)
        strata = np.zeros(len(scores), "U1") if folds is None else folds
        return {
            "auroc": [*self._uncertain(percentile_interval(resamples.auroc(scores, strata)))],
            "table": None if statuses is None else as_json(self.table(statuses)),
            "brier": [*percentile_interval(resamples.brier(probability))],
            "ece": [*percentile_interval(resamples.ece(probability), biased=True)],
            "ece_of_a_calibrated_reader": ece_bias(probability),
            "within": {
                c: [*percentile_interval(resamples.auroc(scores, np.char.add(level, strata)))]
                for c, level in self.levels.items()
            },
        }

    def _uncertain(self, area: Estimate) -> Estimate:
        """An area that is the same in every draw, as one of exactly 1, gets Wilson's bound on the smaller class."""
        if area.low < area.high:
            return area
        smallest = smallest_class(self.rows.labels, self.rows.patients)
        bound = wilson(round(area.value * smallest), smallest)
        return Estimate(area.value, bound.low, bound.high)

    def warnings(self) -> list[str]:
        """Say in a sentence each how a column predicts the label here."""
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
