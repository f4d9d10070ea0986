"""What a clinic experiences, counted."""

from __future__ import annotations

import numpy as np
import pytest

from ai_for_sudan.statistics import as_json, share_by_patient, status_table, wilson

TRUTH = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, np.nan])
STATUSES = ["suspected", "not_seen", "refused", "failed", "suspected", "uncertain", "uncertain", "not_seen", "refused",
            "suspected"]  # fmt: skip


def test_refused_films_stay_in_the_denominator() -> None:
    """Half of the positive films are refused: of the positive films a quarter is missed, not a half."""
    table = status_table(TRUTH, np.array(STATUSES))
    assert table.positive.counts == {"suspected": 1, "uncertain": 0, "not_seen": 1, "refused": 2}
    assert table.missed.value == 1 / 4 and table.false_alarms.value == 1 / 5
    assert table.left_to_a_person.value == 2 / 9 and table.refused.value == 3 / 9
    assert table.all.films == 9 and table.all.patients == 9, "a film of unknown truth is left out"


def test_the_table_as_json_is_what_a_card_holds() -> None:
    facts = as_json(status_table(TRUTH, np.array(STATUSES), np.zeros(10)))
    assert set(facts) == {"positive", "negative", "all"} and facts["all"]["patients"] == 1
    assert facts["positive"]["shares"]["not_seen"][0] == 0.25
    nobody = as_json(status_table(np.zeros(2), np.array(["suspected", "refused"])))
    assert nobody["positive"]["shares"]["suspected"] == [None, None, None]


def test_one_film_a_patient_gives_wilsons_interval() -> None:
    hits = np.arange(40) < 7
    assert tuple(share_by_patient(hits, np.arange(40))) == pytest.approx(tuple(wilson(7, 40)), rel=0.02)
    assert tuple(share_by_patient(np.zeros(40, bool), np.arange(40))) == tuple(wilson(0, 40))


def test_films_of_one_patient_count_as_much_as_they_differ() -> None:
    patients = np.repeat(np.arange(20), 4)
    alike, mixed = np.repeat(np.arange(20) < 10, 4), np.tile([True, False], 40)
    assert tuple(share_by_patient(alike, patients)) == pytest.approx(tuple(wilson(10, 20)), rel=0.1)
    assert tuple(share_by_patient(mixed, patients)) == pytest.approx(tuple(wilson(40, 80)), rel=0.02)
    # Twenty films, fewer by the square of the normal quantile over Student's with 19 degrees of freedom.
    effective = 20 * (1.959964 / 2.093024) ** 2
    assert tuple(share_by_patient(np.ones(80, bool), patients)) == pytest.approx(tuple(wilson(effective, effective)))


@pytest.mark.parametrize("films", [1, 4, 8])
def test_the_interval_holds_the_truth_as_often_as_it_says(films: int) -> None:
    """Films of a patient share half of their chance; an interval by film alone would hold it in 70 to 80 % only."""
    random, patients, held = np.random.default_rng(films), np.repeat(np.arange(60), films), 0
    for _ in range(400):
        chance = random.beta(0.6, 1.4, 60)
        hits = random.random(len(patients)) < np.repeat(chance, films)
        found = share_by_patient(hits, patients)
        held += found.low <= 0.3 <= found.high
    assert held / 400 >= 0.92
