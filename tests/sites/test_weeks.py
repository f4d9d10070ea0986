"""What `monitor` counts and tests from week to week, worked out by hand on entries that were not read from files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ai_for_sudan.contract.reference import Reference
from ai_for_sudan.errors import UserError
from ai_for_sudan.sites.agreement import confidence_sequence
from ai_for_sudan.sites.log import Entry
from ai_for_sudan.sites.monitor import in_words, monitor

FIRST = date(2025, 1, 6)


def week(
    number: int,
    scores: Sequence[float] = (),
    *,
    refused: int = 0,
    failed: int = 0,
    embeddings: Sequence[np.ndarray] | None = None,
    reader: str = "tiny 0.1",
) -> list[Entry]:
    """Readings of one week, and films that were refused or could not be decoded."""
    monday = FIRST + timedelta(weeks=number)
    vectors = embeddings if embeddings is not None else [None] * len(scores)
    found = [
        Entry(monday, "not_seen", score, vector, None, None, reader, f"line {number}.{i}")
        for i, (score, vector) in enumerate(zip(scores, vectors, strict=True))
    ]
    for status, count in (("refused", refused), ("failed", failed)):
        found += [Entry(monday, status, None, None, None, None, reader)] * count
    return found


def spread(count: int, shift: float = 0.0) -> list[float]:
    """Log-odds of a week."""
    return (np.linspace(-2, 2, count) + shift).tolist()


def p_values(result: dict[str, Any], number: int) -> dict[tuple[str, int], float]:
    """(test, weeks) -> p, of one row."""
    return {(test["test"], test["weeks"]): test["p"] for test in result["weeks"][number]["tests"]}


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{"false_alarms": 0.0}, {"false_alarms": 1.0}, {"agreement": 0.0}, {"agreement": 1.0}]
)
def test_rates_lie_between_0_and_1(options: dict[str, float]) -> None:
    with pytest.raises(UserError) as raised:
        monitor(week(0, spread(40)), **options)  # type: ignore[arg-type]
    assert str(raised.value) == "the rate of false alarms and the agreement must lie between 0 and 1"


def test_a_baseline_has_a_week() -> None:
    assert monitor(week(0, spread(40)), baseline_weeks=1)["baseline"] is not None
    with pytest.raises(UserError) as raised:
        monitor(week(0, spread(40)), baseline_weeks=0)
    assert str(raised.value) == "0 weeks are too few for a baseline; give 1 or more"


def test_the_reader_of_the_last_entry_is_followed() -> None:
    entries = [*week(0, spread(40)), *week(0, spread(3), reader=""), *week(1, spread(2), reader="next 2")]
    result = monitor(entries)
    assert result["reader"] == "next 2" and result["readings"] == 2
    assert result["notes"][:2] == [
        "40 readings of tiny 0.1 are left out.",
        "3 readings of a reader without a name are left out.",
    ]
    assert monitor(entries, reader="tiny 0.1")["readings"] == 40
    with pytest.raises(UserError) as raised:
        monitor(entries[:40], reader="none")
    assert str(raised.value) == "there is no reading by the reader 'none'; there are: tiny 0.1"


def test_the_accepted_rate_is_shared_by_all_p_values_a_year() -> None:
    # Three kinds of test in two windows and the agreement, in 52 weeks.
    assert monitor(week(0, spread(40)))["false_alarms_a_year"] == 0.05
    assert monitor(week(0, spread(40)))["level_of_each_test"] == pytest.approx(0.05 / 7 / 52)
    assert monitor(week(0, spread(40)), false_alarms=0.7)["level_of_each_test"] == pytest.approx(0.1 / 52)


# --- baseline --------------------------------------------------------------------------------------------------------


def test_four_weeks_of_forty_films_are_a_baseline() -> None:
    entries = [entry for number in range(6) for entry in week(number, spread(10), refused=1)]
    result = monitor(entries)
    assert [row["baseline"] for row in result["weeks"]] == [True] * 4 + [False] * 2
    assert result["baseline"] == "44 readings of the weeks from 2025-01-06 to 2025-02-02"
    assert [row["baseline"] for row in monitor(entries, baseline_weeks=5)["weeks"]] == [True] * 5 + [False]
    fewer = [entry for number in range(6) for entry in week(number, spread(9), refused=1)]
    assert [row["baseline"] for row in monitor(fewer)["weeks"]] == [True] * 5 + [False], "36 films are too few"


def test_thirty_nine_films_are_no_baseline() -> None:
    result = monitor([*week(0, spread(20), failed=1), *week(1, spread(19))])
    assert result["baseline"] is None and result["newest_tested"] is None and not result["alarm"]
    assert result["notes"] == [
        "Nothing is compared yet: the baseline (40 readings of the weeks from 2025-01-06 to 2025-01-19) holds 39 films "
        "that were read; 40 are needed."
    ]
    assert all(row["baseline"] and row["tests"] == [] and "distance" not in row for row in result["weeks"])


def test_a_week_is_compared_with_the_baseline_by_the_tests_that_fit() -> None:
    later = spread(12, 0.4)
    entries = [*week(0, spread(40), refused=5), *week(1, later, refused=3)]
    found = p_values(monitor(entries, baseline_weeks=1), 1)
    assert found == {
        ("refusals", 1): pytest.approx(stats.fisher_exact([[3, 12], [5, 40]]).pvalue),
        ("scores", 1): pytest.approx(stats.ks_2samp(spread(40), later).pvalue),
    }


def test_films_that_could_not_be_decoded_are_no_part_of_the_share_refused() -> None:
    """Before and after, one film in nine is refused; that a folder of broken files was read first changes nothing."""
    entries = [*week(0, spread(40), refused=5, failed=600), *week(1, spread(40), refused=5, failed=3)]
    result = monitor(entries, baseline_weeks=1)
    assert p_values(result, 1)["refusals", 1] == pytest.approx(1.0) and not result["alarm"]
    assert result["weeks"][0]["refused"][0] == pytest.approx(5 / 45)


@pytest.mark.parametrize(("films", "tested"), [(9, set()), (10, {("refusals", 1), ("scores", 1)})])
def test_ten_films_are_tested_and_nine_are_not(films: int, tested: set[tuple[str, int]]) -> None:
    result = monitor([*week(0, spread(40)), *week(1, spread(films))], baseline_weeks=1)
    assert set(p_values(result, 1)) == tested
    assert result["newest_tested"] == ("2025-01-13" if tested else None)


def test_eight_weeks_are_tested_together_and_none_before_them() -> None:
    """A shift of the first week after the baseline is in the window of the eighth week and not of the ninth."""
    entries = [*week(0, spread(40))]
    for number in range(1, 10):
        entries += week(number, spread(10, 3.0 if number == 1 else 0.0))
    result = monitor(entries, baseline_weeks=1)
    eight = spread(10, 3.0) + spread(10) * 7
    assert p_values(result, 8)["scores", 8] == pytest.approx(stats.ks_2samp(spread(40), eight).pvalue)
    assert p_values(result, 9)["scores", 8] == pytest.approx(stats.ks_2samp(spread(40), spread(10) * 8).pvalue)
    # In the first of them both windows would hold the same films.
    assert {weeks for _, weeks in p_values(result, 1)} == {1} and {weeks for _, weeks in p_values(result, 2)} == {1, 8}


def test_weeks_too_thin_to_be_tested_alone_are_tested_together() -> None:
    result = monitor([*week(0, spread(40)), *week(1, spread(6)), *week(2, spread(6))], baseline_weeks=1)
    assert set(p_values(result, 2)) == {("refusals", 8), ("scores", 8)}
    assert result["newest_tested"] is None, "no week alone was compared"


def test_an_alarm_is_of_the_newest_week_that_was_tested() -> None:
    calm, other = spread(40), spread(40, 9.0)
    now = monitor([*week(0, calm), *week(1, calm), *week(2, other)], baseline_weeks=1)
    assert now["alarm"] and {alarm["week"] for alarm in now["alarms"]} == {"2025-01-20"}
    assert now["alarms"][0] == {"week": "2025-01-20", **now["weeks"][2]["tests"][1]}
    many = [entry for number in range(2, 40) for entry in week(number, calm)]
    over = monitor([*week(0, calm), *week(1, other), *many], baseline_weeks=1)
    assert over["alarms"] and not over["alarm"] and over["newest_tested"] == over["weeks"][-1]["week"]


# --- embeddings ------------------------------------------------------------------------------------------------------


def embeddings(count: int, seed: int, shift: float = 0.0) -> list[np.ndarray]:
    """Two channels that vary alike; other units, so that they have to be standardised."""
    values = np.random.default_rng(seed).normal(size=(count, 2)) + shift
    return list(values * [3.0, 0.1] + [50.0, -2.0])


def test_the_distance_of_embeddings_is_that_of_mahalanobis() -> None:
    """Of two independent normal channels its square is chi-squared with two degrees of freedom."""
    shifts = {1: 0.0, 2: 3.0}
    entries = week(0, spread(1000), embeddings=embeddings(1000, 0))
    for number, shift in shifts.items():
        entries += week(number, spread(400), embeddings=embeddings(400, number, shift))
    rows = monitor(entries, baseline_weeks=1)["weeks"]
    expected = {number: np.sqrt(stats.ncx2.median(2, 2 * shift**2 + 1e-12)) for number, shift in shifts.items()}
    assert rows[1]["distance"] == pytest.approx(expected[1], rel=0.1)
    assert rows[2]["distance"] == pytest.approx(expected[2], rel=0.1)
    p = {
        number: {t["test"]: t["p"] for t in rows[number]["tests"] if t["weeks"] == 1}["embeddings"] for number in (1, 2)
    }
    assert p[1] > 0.01 and p[2] < 1e-30


def test_the_films_that_a_distance_was_fitted_on_do_not_say_how_far_films_usually_are() -> None:
    """Many channels that go together, few films: those that it was fitted on lie nearer than any others."""
    mixed = np.random.default_rng(9).normal(size=(30, 30)) * np.linspace(0.05, 3, 30)

    def many(count: int, seed: int) -> list[np.ndarray]:
        return list(np.random.default_rng(seed).normal(size=(count, 30)) @ mixed)

    entries = [*week(0, spread(100), embeddings=many(100, 0)), *week(1, spread(400), embeddings=many(400, 1))]
    assert p_values(monitor(entries, baseline_weeks=1), 1)["embeddings", 1] > 0.01


@pytest.mark.parametrize(("films", "tested"), [(39, False), (40, True)])
def test_forty_embeddings_are_a_baseline_for_embeddings(films: int, tested: bool) -> None:
    first = [*week(0, spread(films), embeddings=embeddings(films, 0)), *week(0, spread(20))]
    result = monitor([*first, *week(1, spread(20), embeddings=embeddings(20, 1))], baseline_weeks=1)
    note = "Drift of the embeddings is not tested: too few readings of the baseline have one (read --log writes them)."
    assert (("embeddings", 1) in p_values(result, 1)) == tested == (note not in result["notes"])


@pytest.mark.parametrize(("films", "tested"), [(9, False), (10, True)])
def test_ten_embeddings_of_the_reader_s_length_are_tested(films: int, tested: bool) -> None:
    cut = [np.zeros(1)] * 20  # lines that lost a part
    first = week(0, spread(60), embeddings=[*cut[:5], *embeddings(50, 0), *cut[:5]])
    later = week(1, spread(20 + films), embeddings=[*cut, *embeddings(films, 1)])
    result = monitor([*first, *later], baseline_weeks=1)
    assert (("embeddings", 1) in p_values(result, 1)) == tested
    nothing = monitor([*first, *week(1, spread(12), embeddings=cut[:12])], baseline_weeks=1)
    assert nothing["weeks"][1]["distance"] is None


def test_a_reference_takes_the_place_of_the_first_weeks() -> None:
    rng = np.random.default_rng(0)
    own = Reference(np.array([50.0, -2.0]), np.array([3.0, 0.1]), rng.normal(size=(400, 2)), rng.normal(size=400), None)
    rows = [
        *week(0, rng.normal(size=60).tolist(), embeddings=embeddings(60, 5)),
        *week(1, (rng.normal(size=60) + 3).tolist(), embeddings=embeddings(60, 2, 4.0)),
    ]
    result = monitor(rows, reference=own)
    assert result["baseline"] == "the reader's own films, as summarised in its card" and result["notes"] == []
    assert [row["baseline"] for row in result["weeks"]] == [False, False]
    calm, other = p_values(result, 0), p_values(result, 1)
    assert set(calm) == {("scores", 1), ("embeddings", 1)}, "how many its own films were refused is not known"
    assert calm["scores", 1] == pytest.approx(stats.ks_2samp(own.scores, [e.score for e in rows[:60]]).pvalue)
    assert calm["embeddings", 1] > 0.01 and other["embeddings", 1] < 1e-10
    assert result["weeks"][0]["distance"] == pytest.approx(np.sqrt(2 * np.log(2)), rel=0.2)


# --- what a week holds -----------------------------------------------------------------------------------------------


def test_a_week_is_counted() -> None:
    verdicts = ["agree", "agree", "unsure", None, "disagree"]
    read = [
        Entry(FIRST, "suspected", score, None, verdict, None, "r")
        for score, verdict in zip([0.0, 1.0, 2.0, 3.0, 4.0], verdicts, strict=True)
    ]
    others = [Entry(FIRST, status, None, None, None, None, "r") for status in ("refused", "failed", "failed")]
    row = monitor([*read, *others])["weeks"][0]
    assert row["week"] == "2025-01-06" and row["readings"] == 8
    assert row["statuses"] == {"suspected": 5, "not_seen": 0, "uncertain": 0, "refused": 1, "failed": 2}
    assert row["refused"][0] == pytest.approx(1 / 6), "of the films that were decoded"
    assert row["score_quartiles"] == [1.0, 2.0, 3.0]
    assert row["verdicts"] == {"agree": 2, "unsure": 1, "disagree": 1}
    assert monitor(others)["weeks"][0]["score_quartiles"] is None


def test_stray_dates_lie_before_thirteen_weeks_without_a_reading() -> None:
    begin = week(0, spread(39))
    together = monitor([*begin, *week(13, spread(40))])
    assert together["left_out"] == [] and together["readings"] == 79
    apart = monitor([*begin, *week(14, spread(40))])
    assert apart["readings"] == 40 and len(apart["left_out"]) == 39
    assert apart["left_out"][0] == {
        "line": "line 0.0", "reason": "in the week of 2025-01-06, 13 or more weeks before the other readings",
    }  # fmt: skip
    assert monitor([*week(0, spread(40)), *week(14, spread(40))])["left_out"] == [], "forty films are a beginning"
    twice = monitor([*week(0, spread(30)), *week(14, spread(30)), *week(28, spread(40))])
    assert twice["readings"] == 40, "each of the two is too few"
    assert len(monitor([*week(0, spread(1)), *week(14, spread(40))])["left_out"]) == 1


def test_accuracy_is_of_films_that_were_called_either_way() -> None:
    def entry(status: str, positive: bool | None) -> Entry:
        return Entry(FIRST, status, 0.0, None, None, positive, "r")

    found = monitor(
        [entry("suspected", True)] * 3 + [entry("not_seen", True)] + [entry("uncertain", True)] * 5
        + [entry("not_seen", False)] + [entry("refused", False)] + [entry("suspected", None)] * 9,
        false_alarms=0.35,
    )["accuracy"]  # fmt: skip
    assert found["sensitivity"]["films"] == 4 and found["specificity"]["films"] == 1
    assert found["sensitivity"]["share"] == pytest.approx([3 / 4, *confidence_sequence(3, 4, 0.05)])
    assert found["specificity"]["share"] == pytest.approx([1.0, 0.05 / 2, 1.0])
    nothing = monitor([entry("suspected", True)])["accuracy"]["specificity"]
    assert nothing == {"films": 0, "share": None}


def test_a_confidence_sequence_by_hand() -> None:
    """It holds the shares p with p^s (1 - p)^(n - s) >= level * B(s + 1, n - s + 1), of which some can be solved."""
    assert confidence_sequence(1, 1, 0.05) == pytest.approx((0.05 / 2, 1.0))
    assert confidence_sequence(0, 1, 0.05) == pytest.approx((0.0, 1 - 0.05 / 2))
    assert confidence_sequence(3, 3, 0.2) == pytest.approx(((0.2 / 4) ** (1 / 3), 1.0))
    root = np.sqrt(1 - 4 * 0.05 / 6)  # p (1 - p) = level / 6
    assert confidence_sequence(1, 2, 0.05) == pytest.approx(((1 - root) / 2, (1 + root) / 2))


def test_agreement_once_proven_too_low_stays_an_alarm() -> None:
    """Thirty disagreements, then nothing but agreement: the sequence holds at all times at once."""

    def said(number: int, verdict: str) -> Entry:
        return Entry(FIRST + timedelta(weeks=number), "suspected", 0.0, None, verdict, None, "r")

    entries = [said(0, "disagree")] * 30 + [said(number, "agree") for number in range(1, 9) for _ in range(100)]
    result = monitor(entries)
    assert result["agreement"]["course"][-1]["share"][2] > 0.9 and result["agreement"]["alarm"] and result["alarm"]
    assert result["agreement"]["wanted"] == 0.8
    # One agreement of one: at most 1, whatever is wanted.
    assert not monitor([said(0, "agree")], agreement=0.999)["agreement"]["alarm"]


# --- in words --------------------------------------------------------------------------------------------------------


def found(newest: str | None, alarms: dict[str, list[str]], agreement: bool = False) -> dict[str, Any]:
    return {
        "newest_tested": newest,
        "alarms": [{"week": day, "test": test} for day, tests in alarms.items() for test in tests],
        "agreement": {"alarm": agreement, "wanted": 0.8},
    }


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (found("2025-02-03", {}), "No alarm up to the week from 2025-02-03."),
        (
            found("2025-02-03", {"2025-02-03": ["scores", "embeddings", "scores"]}),
            "ALARM: in the week from 2025-02-03 the embeddings and scores differ from the baseline.",
        ),
        (
            found("2025-02-03", {"2025-01-27": ["scores", "refusals"]}),
            "1 earlier week raised an alarm. No alarm up to the week from 2025-02-03.",
        ),
        (
            found("2025-02-03", {"2025-01-20": ["scores"], "2025-01-27": ["scores"], "2025-02-03": ["scores"]}),
            "ALARM: in the week from 2025-02-03 the scores differ from the baseline. 2 earlier weeks raised an alarm.",
        ),
        (
            found("2025-02-03", {}, agreement=True),
            "ALARM: clinicians agree with fewer than 80% of the readings.",
        ),
        (
            found(None, {}),
            "Nothing has been compared yet, so this does not show whether all is well: no week after the baseline "
            "holds 10 films.",
        ),
    ],
)
def test_what_was_found_is_said(result: dict[str, Any], words: str) -> None:
    assert in_words(result) == words
