"""Heads refitted near the shipped one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ai_for_sudan.contract import Card
from ai_for_sudan.reading import Reader
from ai_for_sudan.sites import ReaderFile, nuisance
from ai_for_sudan.sites.head import (
    DIRECTIONS,
    PRIOR_STDS,
    Head,
    Rows,
    Space,
    fit_chosen_head,
    fit_head,
    held_out_scores,
    patient_folds,
)


def rows(count: int = 300, channels: int = 6, seed: int = 0, **changes: object) -> tuple[Rows, np.ndarray]:
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(count, channels)) * np.linspace(0.5, 2, channels) + 1
    truth = (rng.random(count) < expit(embeddings[:, 0] * 2 - 2)).astype(float)
    logits = np.stack([np.zeros(count), rng.normal(size=count)], axis=1)
    values = {
        "logits": logits,
        "features": Space.of(embeddings).features(embeddings),
        "labels": truth,
        "patients": np.arange(count) // 2,
        "weights": np.ones(count),
        "positive": 1,
        "exclusive": True,
    } | changes
    return Rows(**values), embeddings  # type: ignore[arg-type]


def test_recalibration_agrees_with_logistic_regression() -> None:
    """Platt scaling is an unpenalised logistic regression on the log-odds; the prior on the scale is weak."""
    rng = np.random.default_rng(1)
    score = rng.normal(0, 2, 20000)
    truth = (rng.random(20000) < expit(0.5 * score - 1)).astype(float)
    some, _ = rows(20000, logits=np.stack([np.zeros(20000), score], 1), labels=truth)
    found = fit_head(some, 0.0)
    expected = LogisticRegression(C=np.inf).fit(score[:, None], truth)
    assert found.scale == pytest.approx(expected.coef_[0, 0], abs=2e-3)
    assert found.shift == pytest.approx(expected.intercept_[0], abs=2e-3)


@pytest.mark.parametrize("prior_std", [1.0, 3.0])
def test_a_head_agrees_with_penalised_logistic_regression(prior_std: float) -> None:
    """With a shipped reader that says nothing, what is left is ridge logistic regression with the same penalty."""
    some, _ = rows(logits=np.zeros((300, 2)))
    found = fit_head(some, prior_std)
    penalty = (some.features**2).sum(1).mean() / prior_std**2
    expected = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=5000).fit(some.features, some.labels)
    np.testing.assert_allclose(found.direction, expected.coef_[0], atol=1e-4)
    assert found.shift == pytest.approx(expected.intercept_[0], abs=1e-4)


def test_the_space_holds_the_directions_in_which_films_differ() -> None:
    # The second channel repeats the first in other units, the third never varies.
    first = np.array([1.0, 3.0, 5.0, 3.0])
    embeddings = np.stack([first, 7 - 10 * first, np.full(4, 0.3)], axis=1)
    space = Space.of(embeddings)
    np.testing.assert_allclose(space.mean, [3, -23, 0.3])
    np.testing.assert_allclose(space.std, [np.sqrt(2), np.sqrt(200), 1])
    assert space.basis.shape == (3, 1)
    np.testing.assert_allclose(np.abs(space.basis[:, 0]), [np.sqrt(0.5), np.sqrt(0.5), 0], atol=1e-9)
    # Both channels say the same: root two times the standardised value.
    np.testing.assert_allclose(np.abs(space.features(embeddings)[:, 0]), [2, 0, 2, 0], atol=1e-9)
    assert Space.of(np.ones((5, 3))).basis.shape == (3, 0)
    assert Space.of(np.random.default_rng(0).normal(size=(230, 210))).basis.shape == (210, DIRECTIONS)


def test_a_head_does_the_same_to_embeddings_as_in_the_space() -> None:
    some, embeddings = rows()
    head = Head(1.0, 0.7, np.linspace(-1, 1, 6), 4.0)
    direction, shift = head.in_embedding(Space.of(embeddings))
    np.testing.assert_allclose(embeddings @ direction + shift, some.features @ head.direction + 0.7)


def test_log_odds_are_those_of_the_probability() -> None:
    logits = np.array([[0.5, -1.0, 2.0], [1.5, 0.0, -2.0]])
    values = {"logits": logits, "features": np.ones((2, 1)), "labels": np.zeros(2), "positive": 1}
    some = rows(2, **values)[0]
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(expit(some.scores), softmax[:, 1])
    # The head's own term is added to the reported class alone, after the scale.
    changed = 2 * logits + [0, 3 + 0.5, 0]
    expected = np.exp(changed) / np.exp(changed).sum(1, keepdims=True)
    head = Head(2.0, 0.5, np.array([3.0]), 4.0)
    np.testing.assert_allclose(expit(head.scores(some)), expected[:, 1])
    findings = rows(2, **values, exclusive=False)[0]
    np.testing.assert_allclose(findings.scores, logits[:, 1])
    np.testing.assert_allclose(head.scores(findings), 2 * logits[:, 1] + 3.5)


def test_films_of_another_site_are_joined_as_other_patients_with_a_weight_of_their_own() -> None:
    here, _ = rows(4, channels=1, patients=np.array([0, 0, 5, 7]), weights=np.array([1.0, 2, 1, 2]))
    there, _ = rows(2, channels=1, seed=1, patients=np.array([0, 1]), weights=np.array([1.0, 3]))
    both = here.joined(there)
    assert both.patients.tolist() == [0, 0, 5, 7, 8, 9]
    # Together they weigh six, as these do: four of the other site's become six.
    assert both.weights.tolist() == [1, 2, 1, 2, 1.5, 4.5]
    for name in ("logits", "features", "labels"):
        np.testing.assert_array_equal(getattr(both, name), np.concatenate([getattr(here, name), getattr(there, name)]))


def same(first: Head, second: Head) -> bool:
    """As nearly as the search for the optimum goes."""
    values = ([head.scale, head.shift, *head.direction] for head in (first, second))
    return bool(np.allclose(*values, atol=1e-3))


@pytest.mark.parametrize("prior_std", [0.0, 4.0])
def test_only_how_films_weigh_against_each_other_counts(prior_std: float) -> None:
    some, _ = rows(120)
    heavy, _ = rows(120, weights=np.full(120, 7.0))
    uneven, _ = rows(120, weights=1.0 + (np.arange(120) < 60))
    assert same(fit_head(some, prior_std), fit_head(heavy, prior_std))
    assert not same(fit_head(some, prior_std), fit_head(uneven, prior_std))


def test_a_film_that_weighs_twice_counts_like_two_and_one_of_no_weight_like_none() -> None:
    some, _ = rows(120)
    weighted, _ = rows(120, weights=np.where(np.arange(120) < 60, 2.0, 0.0))
    assert same(fit_head(weighted, 0.0), fit_head(some.take(np.arange(120) % 60), 0.0))


def test_the_prior_is_the_one_that_predicts_other_patients_best() -> None:
    random = np.random.default_rng(0)
    nothing, _ = rows(120, features=random.normal(size=(120, 20)), logits=np.zeros((120, 2)))
    assert fit_chosen_head(nothing).prior_std == PRIOR_STDS[0]
    features = np.concatenate([6 * (nothing.labels[:, None] - 0.5), np.zeros((120, 19))], axis=1)
    clear, _ = rows(120, features=features, logits=np.zeros((120, 2)))
    assert fit_chosen_head(clear).prior_std == PRIOR_STDS[-1]
    assert fit_chosen_head(clear, prior_stds=(0.1, 0.5)).prior_std == 0.5
    # Films that count for nothing do not choose: of those that count, the label is told by the first feature.
    mixed, _ = rows(
        120,
        features=np.where(np.arange(120)[:, None] < 80, features, -features),
        labels=nothing.labels,
        logits=np.zeros((120, 2)),
        weights=(np.arange(120) < 80) * 1.0 + 1e-9,
    )
    assert fit_chosen_head(mixed).prior_std == PRIOR_STDS[-1]


@pytest.mark.parametrize(("positive_patients", "folds"), [(1, 2), (3, 3), (5, 5), (9, 5)])
def test_there_are_no_more_folds_than_patients_of_a_class(positive_patients: int, folds: int) -> None:
    patients = np.arange(40) // 2
    some, _ = rows(40, labels=(patients < positive_patients).astype(float))
    found = patient_folds(some, 5, 0)
    assert len(found) == folds
    assert sorted(np.concatenate([outside for _, outside in found])) == list(range(40))
    assert all(len(inside) + len(outside) == 40 for inside, outside in found)
    if positive_patients == 9:
        again, other = patient_folds(some, 5, 0), patient_folds(some, 5, 1)
        assert all((a[1] == b[1]).all() for a, b in zip(found, again, strict=True))
        assert any(set(a[1]) != set(b[1]) for a, b in zip(found, other, strict=True))
        assert len(patient_folds(some, 4, 0)) == 4


def test_a_wider_prior_moves_further_and_none_keeps_the_order() -> None:
    some, _ = rows()
    norms = [np.linalg.norm(fit_head(some, prior_std).direction) for prior_std in (0.0, 0.5, 2.0, 8.0)]
    assert norms[0] == 0
    assert norms == sorted(norms)
    shipped, calibrated = some.scores, fit_head(some, 0.0).scores(some)
    np.testing.assert_array_equal(np.argsort(shipped), np.argsort(calibrated))


def test_the_sign_of_a_reader_is_never_reversed() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random(400) < 0.5).astype(float)
    backwards = np.stack([np.zeros(400), 3 * (1 - 2 * truth) + rng.normal(size=400)], 1)
    some, _ = rows(400, logits=backwards, labels=truth)
    assert 0 < fit_head(some, 0.0).scale < 0.2


def test_held_out_scores_never_saw_the_patient() -> None:
    """Labels that mean nothing: scores in sample look good, held-out ones do not."""
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(120, 80))
    some, _ = rows(120, features=noise, labels=(rng.random(120) < 0.5).astype(float), logits=np.zeros((120, 2)))
    assert roc_auc_score(some.labels, fit_head(some, 8.0).scores(some)) > 0.95
    assert 0.3 < roc_auc_score(some.labels, held_out_scores(some, 8.0)) < 0.7
    for inside, outside in patient_folds(some, 5, 0):
        assert not set(some.patients[inside]) & set(some.patients[outside])


@pytest.mark.parametrize(("exclusive", "classes", "positive"), [(True, 2, 1), (True, 3, 0), (False, 3, 2)])
def test_the_gradient_is_that_of_the_loss(exclusive: bool, classes: int, positive: int) -> None:
    """At the optimum no small change of the parameters lowers the penalised loss."""
    rng = np.random.default_rng(2)
    some, _ = rows(logits=rng.normal(size=(300, classes)), exclusive=exclusive, positive=positive)
    best = fit_head(some, 1.0)
    penalty = (some.features**2).sum(1).mean()

    def loss(scale: float, shift: float, direction: np.ndarray) -> float:
        head = type(best)(scale, shift, direction, 1.0)
        scores = head.scores(some)
        data = (np.logaddexp(0, scores) - some.labels * scores).sum()
        return float(data + 0.5 * penalty * direction @ direction + 0.5 * np.log(scale) ** 2)

    lowest = loss(best.scale, best.shift, best.direction)
    for _ in range(30):
        step = rng.normal(0, 0.02, len(best.direction))
        changed = loss(
            best.scale * np.exp(rng.normal(0, 0.02)), best.shift + rng.normal(0, 0.02), best.direction + step
        )
        assert changed > lowest - 1e-4


@pytest.mark.parametrize("prior_std", [0.0, 4.0])
def test_the_adapted_file_computes_the_adapted_head(
    tiny: Path, tiny_file: ReaderFile, tmp_path: Path, prior_std: float
) -> None:
    """What NumPy says of the new head is what ONNX Runtime computes with the new file."""
    reader = Reader.open(tiny)
    rng = np.random.default_rng(0)
    films = [rng.integers(0, 200, (150, 150)).astype(np.uint8) // (1 + i % 3) for i in range(40)]
    outputs = [reader.outputs(film) for film in films]
    embeddings = np.array([o["embedding"] for o in outputs], np.float64)
    np.testing.assert_allclose(tiny_file.logits(embeddings), [o["logits"] for o in outputs], atol=1e-4)
    space = Space.of(embeddings)
    some = Rows(
        tiny_file.logits(embeddings), space.features(embeddings), (np.arange(40) % 2).astype(float),
        np.arange(40), np.ones(40), reader.card.positive_index, True,
    )  # fmt: skip
    head = fit_head(some, prior_std)
    weights = tiny_file.adapted_weights(head, space, some.positive, exclusive=True)
    before = tiny.read_bytes()
    tiny_file.write(tmp_path / "new.onnx", weights, tiny_file.card)
    new = Reader.open(tmp_path / "new.onnx")
    predicted = [float(new.outputs(film)["probability"][some.positive]) for film in films]
    np.testing.assert_allclose(predicted, expit(head.scores(some)), atol=1e-4)
    assert tiny.read_bytes() == before


def test_a_file_that_cannot_be_adapted_says_so(tmp_path: Path, tiny: Path) -> None:
    import onnx

    from ai_for_sudan.errors import UserError

    model = onnx.load(str(tiny))
    for initializer in model.graph.initializer:
        if initializer.name == "head.bias":
            initializer.name = "other"
    onnx.save(model, str(tmp_path / "x.onnx"))
    with pytest.raises(UserError, match=r"has no head\.bias"):
        ReaderFile.load(tmp_path / "x.onnx")
    (tmp_path / "y.onnx").write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be opened"):
        ReaderFile.load(tmp_path / "y.onnx")


def test_balancing_weights_unlink_a_column_from_the_label() -> None:
    rng = np.random.default_rng(0)
    view = np.where(rng.random(400) < 0.5, "AP", "PA")
    label = (rng.random(400) < np.where(view == "AP", 0.35, 0.63)).astype(float)
    sex = np.where(rng.random(400) < 0.4 + 0.2 * label, "M", "F")
    weights = nuisance.balancing_weights(label, [view, sex])
    for column in (view, sex):
        shares = [np.average(label[column == level], weights=weights[column == level]) for level in np.unique(column)]
        assert max(shares) - min(shares) < 0.01
    assert np.average(label, weights=weights) == pytest.approx(label.mean(), abs=0.02)
    assert nuisance.linked(label, view)["linked"]


def test_levels_of_a_column() -> None:
    facts = [{"age": a, "view": v} for a, v in [("3", "ap"), ("70", "PA"), ("", "AP"), ("old", "pa")] * 12]
    age = nuisance.levels(facts, "age")
    assert age is not None and set(age) == {"1 to 5 years", "65 years and over", "not given"}
    view = nuisance.levels(facts, "view")
    assert view is not None and set(view) == {"AP", "PA"}
    assert nuisance.levels(facts, "device") is None


def test_an_exported_reader_can_be_adapted(tmp_path: Path, tiny_file: ReaderFile) -> None:
    """The file that `export` writes has its head and calibration where an adaptation looks for them."""
    import json

    import torch

    from ai_for_sudan.export import graph
    from ai_for_sudan.export.network import Calibration, OneFilm, ReaderNetwork
    from ai_for_sudan.models import create

    torch.manual_seed(0)
    model = create("custom_cnn", ["normal", "pneumonia"], positive="pneumonia", task="exclusive").eval()
    torch.nn.init.normal_(model.classifier[-1].bias)  # of a trained network it is never 0
    calibration = Calibration(torch.tensor([0.7, 0.7]), torch.tensor([0.0, -0.2]), "exclusive")
    network = OneFilm(ReaderNetwork(model, calibration)).eval()
    sides = {0: torch.export.Dim("height", min=64, max=8192), 1: torch.export.Dim("width", min=64, max=8192)}
    example = torch.zeros(261, 300, dtype=torch.uint8)
    exported = graph.export_graph(network, example, sides)
    card = tiny_file.card.facts | {"gate": {"scores": []}, "selftest": tiny_file.card.facts["selftest"] | {"gate": []}}
    graph.write(tmp_path / "r.onnx", exported, Card.from_json(json.dumps(card)))

    reader, file = Reader.open(tmp_path / "r.onnx", self_test=False), ReaderFile.load(tmp_path / "r.onnx")
    rng = np.random.default_rng(0)
    films = [rng.integers(0, 256, (150 + i, 200)).astype(np.uint8) // (1 + i % 4) for i in range(24)]
    embeddings = np.array([reader.outputs(film)["embedding"] for film in films], np.float64)
    space = Space.of(embeddings)
    logits = file.logits(embeddings)
    some = Rows(
        logits, space.features(embeddings), (np.arange(24) % 4 > 1).astype(float), np.arange(24), np.ones(24), 1, True
    )
    head = fit_head(some, 8.0)
    assert roc_auc_score(some.labels, head.scores(some)) > 0.9
    file.write(tmp_path / "new.onnx", file.adapted_weights(head, space, 1, exclusive=True), file.card)
    new = Reader.open(tmp_path / "new.onnx", self_test=False)
    predicted = [float(new.outputs(film)["probability"][1]) for film in films]
    np.testing.assert_allclose(predicted, expit(head.scores(some)), atol=2e-3)
