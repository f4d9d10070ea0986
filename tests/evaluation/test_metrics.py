"""The figures of an evaluation against values computed by hand and by scikit-learn."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from ai_for_sudan.errors import UserError
from ai_for_sudan.evaluation.metrics import binary_figures, measure

TWO = ("normal", "pneumonia")


def exclusive(probability: np.ndarray) -> np.ndarray:
    return np.stack([1 - probability, probability], axis=1)


def sample(count: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    return labels, (0.3 * labels + random.random(count) * 0.7).clip(0.001, 0.999)


def test_figures_by_hand() -> None:
    truth = np.array([1, 1, 1, 0, 0])
    probability = np.array([0.9, 0.8, 0.2, 0.7, 0.1])
    found = binary_figures(truth, probability, probability >= 0.5)
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["recall"] == pytest.approx(2 / 3) and found["precision"] == pytest.approx(2 / 3)
    assert found["specificity"] == pytest.approx(1 / 2) and found["f1"] == pytest.approx(2 / 3)
    assert found["auroc"] == pytest.approx(5 / 6)  # of the six pairs only (0.2, 0.7) is wrong
    assert found["brier"] == pytest.approx((0.01 + 0.04 + 0.64 + 0.49 + 0.01) / 5)


def test_scikit_learn_agrees() -> None:
    labels, probability = sample()
    patients = np.arange(len(labels)) // 2
    own = measure(labels, exclusive(probability), patients, TWO, "pneumonia", "exclusive", threshold=0.4, rounds=100)
    point, called = own.operating_points["own"], probability >= 0.4
    expected = {
        "accuracy": sk.accuracy_score(labels, called),
        "precision": sk.precision_score(labels, called),
        "recall": sk.recall_score(labels, called),
        "specificity": sk.recall_score(1 - labels, ~called),
        "f1": sk.f1_score(labels, called),
        "auroc": sk.roc_auc_score(labels, probability),
        "average_precision": sk.average_precision_score(labels, probability),
        "brier": sk.brier_score_loss(labels, probability),
    }
    for name, value in expected.items():
        assert getattr(point, name).value == pytest.approx(value), name
    assert own.loss.value == pytest.approx(sk.log_loss(labels, probability))
    table = point.confusion
    assert sk.confusion_matrix(labels, called).ravel().tolist() == [
        table.true_negative,
        table.false_positive,
        table.false_negative,
        table.true_positive,
    ]
    json.dumps(own.to_dict(), allow_nan=False)


def test_intervals_are_of_patients_not_of_films() -> None:
    labels, probability = sample(50)
    # Ten copies of every film add nothing new: if they are of one patient the interval must not shrink.
    many = np.repeat(labels, 10), exclusive(np.repeat(probability, 10))

    def width(patient_ids: np.ndarray) -> float:
        found = measure(*many, patient_ids, TWO, "pneumonia", "exclusive", threshold=0.5, rounds=300)
        accuracy = found.operating_points["own"].accuracy
        return accuracy.high - accuracy.low

    by_patient, by_film = width(np.repeat(np.arange(50), 10)), width(np.arange(500))
    assert by_patient / by_film == pytest.approx(np.sqrt(10), rel=0.25)


def test_three_classes_and_their_mean() -> None:
    random = np.random.default_rng(1)
    labels = random.integers(0, 3, 150)
    scores = random.random((150, 3)) + np.eye(3)[labels] * 0.6
    probability = scores / scores.sum(1, keepdims=True)
    names = ("normal", "bacterial", "viral")
    found = measure(labels, probability, np.arange(150), names, "bacterial", "exclusive", threshold=0.5, rounds=100)
    assert found.macro["auroc"].value == pytest.approx(
        sk.roc_auc_score(labels, probability, multi_class="ovr", average="macro")
    )
    assert found.confusion_matrix == sk.confusion_matrix(labels, probability.argmax(1)).tolist()
    assert found.accuracy.value == pytest.approx((probability.argmax(1) == labels).mean())
    assert found.loss.value == pytest.approx(sk.log_loss(labels, probability))
    # The operating point is of the positive class, wherever it stands.
    assert found.operating_points["0.5"].auroc == found.classes["bacterial"].auroc


def test_findings_without_a_label_are_left_out() -> None:
    random = np.random.default_rng(2)
    labels = random.integers(0, 2, (80, 2)).astype(float)
    probability = random.random((80, 2))
    labels[:30, 0] = np.nan
    spoiled = probability.copy()
    spoiled[:30, 0] = 0.99  # predictions of films without the label must not matter
    names = ("effusion", "pneumonia")
    found, again = (
        measure(labels, p, np.arange(80), names, "pneumonia", "multilabel", threshold=0.5, rounds=100)
        for p in (probability, spoiled)
    )
    assert found.to_dict() == again.to_dict()
    assert found.findings["effusion"].films == 50
    assert found.findings["effusion"].auroc.value == pytest.approx(
        sk.roc_auc_score(labels[30:, 0], probability[30:, 0])
    )
    known = ~np.isnan(labels)
    assert found.loss.value == pytest.approx(sk.log_loss(labels[known], probability[known]))
    labels[labels[:, 0] == 1, 0] = np.nan
    found = measure(labels, probability, np.arange(80), names, "pneumonia", "multilabel", threshold=0.5, rounds=100)
    assert list(found.findings) == ["pneumonia"] and found.left_out == ["effusion"]
    assert found.macro["auroc"].value == found.findings["pneumonia"].auroc.value


def test_what_has_no_meaning_is_null_and_not_a_number_is_refused() -> None:
    labels, probability = np.zeros(20, dtype=int), np.linspace(0.1, 0.4, 20)
    found = measure(
        labels, exclusive(probability), np.arange(20), TWO, "pneumonia", "exclusive", threshold=0.5, rounds=100
    )
    point = found.to_dict()["operating_points"]["own"]
    assert point["recall"] == point["auroc"] == [None, None, None] and point["specificity"][0] == 1
    probability[3] = np.nan
    with pytest.raises(UserError, match="NaN"):
        measure(labels, exclusive(probability), np.arange(20), TWO, "pneumonia", "exclusive", threshold=0.5)
    with pytest.raises(UserError, match="no label on any film"):
        measure(
            np.full((5, 2), np.nan), np.full((5, 2), 0.5), np.arange(5), TWO, "pneumonia", "multilabel", threshold=0.5
        )


def test_no_error_is_no_certainty() -> None:
    labels = np.arange(60) % 2
    probability = np.where(labels == 1, 0.9, 0.1)
    found = measure(
        labels,
        exclusive(probability),
        np.arange(60) // 2 * 2 + labels,
        TWO,
        "pneumonia",
        "exclusive",
        threshold=0.5,
        rounds=100,
    )
    point = found.to_dict()["operating_points"]["own"]
    # 30 of 30: Wilson's lower bound is n / (n + z^2).
    for name in ("recall", "specificity", "precision", "auroc"):
        assert point[name] == pytest.approx([1.0, 30 / (30 + 1.96**2), 1.0], abs=1e-3), name
    assert point["accuracy"] == pytest.approx([1.0, 60 / (60 + 1.96**2), 1.0], abs=1e-3)
    assert point["f1"] == [1.0, None, None]


def test_the_quality_of_probabilities() -> None:
    random = np.random.default_rng(3)
    truly = random.random(4000)
    labels = (random.random(4000) < truly).astype(int)
    sharp = 1 / (1 + np.exp(-2 * np.log(truly / (1 - truly))))  # twice as sure as is right

    def quality(probability: np.ndarray) -> dict[str, Any]:
        found = measure(labels, exclusive(probability), np.arange(4000), TWO, "pneumonia", "exclusive", threshold=0.5,
                        rounds=100).to_dict()  # fmt: skip
        return found["probabilities"] | {"own": found["operating_points"]["own"]}

    honest, sure = quality(truly), quality(sharp)
    assert honest["slope"][1] < 1 < honest["slope"][2] and sure["slope"][0] == pytest.approx(0.5, abs=0.05)
    assert honest["ece"] < 2 * honest["ece_of_a_calibrated_reader"] and sure["ece"] > 0.05
    assert sum(one["films"] for one in honest["reliability"]) == 4000
    assert max(abs(one["given"] - one["share"][0]) for one in honest["reliability"]) < 0.06
    curve = honest["decision_curve"]
    assert all(mine >= max(everybody, 0) for mine, everybody in zip(curve["reader"], curve["all"], strict=True))
    low, high = (next(p for p in honest["own"]["predictive_values"] if p["prevalence"] == x) for x in (0.02, 0.5))
    sensitivity, specificity = honest["own"]["recall"][0], honest["own"]["specificity"][0]
    expected = sensitivity * 0.02 / (sensitivity * 0.02 + (1 - specificity) * 0.98)
    assert low["ppv"][0] == pytest.approx(expected) and low["ppv"][0] < low["ppv"][2] < high["ppv"][1]
    assert [w["width"] for w in honest["own"]["interval_widths"]] == sorted(
        (w["width"] for w in honest["own"]["interval_widths"]), reverse=True
    )


def test_one_class_and_perfect_answers_have_no_calibration_line() -> None:
    predictions = exclusive(np.array([0.1, 0.2, 0.8, 0.9] * 10))
    labels = np.array([0, 0, 1, 1] * 10)
    perfect, one = (
        measure(known, predictions, np.arange(40), TWO, "pneumonia", "exclusive", threshold=0.5, rounds=100).to_dict()
        for known in (labels, np.ones(40, int))
    )
    assert perfect["probabilities"]["slope"] == [None, None, None] and perfect["probabilities"]["auroc_delong"][0] == 1
    assert one["probabilities"] is None
    json.dumps([perfect, one], allow_nan=False)
