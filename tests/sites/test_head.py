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
from ai_for_sudan.sites.head import Rows, Space, fit_head, held_out_scores, patient_folds


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


def test_a_head_agrees_with_penalised_logistic_regression() -> None:
    """With a shipped reader that says nothing, what is left is ridge logistic regression with the same penalty."""
    some, _ = rows(logits=np.zeros((300, 2)))
    found = fit_head(some, 1.0)
    penalty = (some.features**2).sum(1).mean()
    expected = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=5000).fit(some.features, some.labels)
    np.testing.assert_allclose(found.direction, expected.coef_[0], atol=1e-4)
    assert found.shift == pytest.approx(expected.intercept_[0], abs=1e-4)


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

    from ai_for_sudan.deployment import graph
    from ai_for_sudan.deployment.network import Calibration, OneFilm, ReaderNetwork
    from ai_for_sudan.models import create

    torch.manual_seed(0)
    model = create("custom_cnn", ["normal", "pneumonia"], positive="pneumonia", task="exclusive").eval()
    torch.nn.init.normal_(model.classifier[-1].bias)  # of a trained network it is never 0
    calibration = Calibration(torch.tensor([0.7, 0.7]), torch.tensor([0.0, -0.2]), "exclusive")
    network = OneFilm(ReaderNetwork(model, calibration)).eval()
    sides = {0: torch.export.Dim("height", min=64, max=8192), 1: torch.export.Dim("width", min=64, max=8192)}
    example = torch.zeros(261, 300, dtype=torch.uint8)
    exported = graph.export_graph(network, example, sides)
    card = tiny_file.card | {"gate": {"scores": []}, "selftest": tiny_file.card["selftest"] | {"gate": []}}
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
