"""What an adapted reader file holds, against the logits that the new head gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from ai_for_sudan.errors import UserError
from ai_for_sudan.reading import Reader
from ai_for_sudan.sites import ReaderFile
from ai_for_sudan.sites.head import Head, Rows, Space


@pytest.fixture
def three(tiny_file: ReaderFile) -> ReaderFile:
    """Three classes or findings, two channels, a calibration that does something."""
    weights = {
        "head.weight": np.array([[1.0, 2.0], [0.5, -1.0], [-2.0, 0.25]]), "head.bias": np.array([0.1, -0.2, 0.3]),
        "calibration.scale": np.array([2.0, 0.5, 4.0]), "calibration.bias": np.array([1.0, -1.0, 0.5]),
    }  # fmt: skip
    return dataclasses.replace(tiny_file, weights=weights)


EMBEDDINGS = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5], [-1.0, 4.0]])


def test_logits_are_calibrated(three: ReaderFile) -> None:
    # (1 + 4 + 0.1) * 2 + 1, (0.5 - 2 - 0.2) * 0.5 - 1, (-2 + 0.5 + 0.3) * 4 + 0.5
    np.testing.assert_allclose(three.logits(EMBEDDINGS[:1]), [[11.2, -1.85, -4.3]])


@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize("prior_std", [0.0, 4.0])
def test_the_new_weights_give_the_log_odds_of_the_new_head(
    three: ReaderFile, exclusive: bool, prior_std: float
) -> None:
    space = Space.of(EMBEDDINGS)
    rows = Rows(
        three.logits(EMBEDDINGS), space.features(EMBEDDINGS), np.zeros(4), np.arange(4), np.ones(4), 2, exclusive
    )
    direction = np.array([0.5, -1.5]) if prior_std else np.zeros(2)
    head = Head(3.0, 0.7, direction, prior_std)
    before = {name: values.copy() for name, values in three.weights.items()}
    adapted = three.adapted_weights(head, space, 2, exclusive)
    logits = dataclasses.replace(three, weights=adapted).logits(EMBEDDINGS)
    new = dataclasses.replace(rows, logits=logits)
    np.testing.assert_allclose(new.scores, head.scores(rows))
    # Findings stand alone: of the others nothing changes.
    factor = 3.0 if exclusive else 1.0
    np.testing.assert_allclose(logits[:, :2], factor * rows.logits[:, :2])
    # A recalibration leaves the head, and with it the heatmap; a new head leaves the scale that the heatmap is read by.
    unchanged = ["calibration.scale"] if prior_std else ["head.weight", "head.bias"]
    for name in unchanged:
        np.testing.assert_array_equal(adapted[name], before[name])
    for name, values in three.weights.items():
        np.testing.assert_array_equal(values, before[name])


def test_a_changed_copy_keeps_what_was_not_changed(tiny: Path, tiny_file: ReaderFile, tmp_path: Path) -> None:
    model = onnx.load(str(tiny))
    entry = model.metadata_props.add()
    entry.key, entry.value = "licence", "Apache-2.0"
    onnx.save(model, str(tmp_path / "with.onnx"))
    file = ReaderFile.load(tmp_path / "with.onnx")
    weights = file.weights | {"head.bias": np.array([0.0, 1.0])}
    file.write(tmp_path / "new.onnx", weights, dataclasses.replace(file.card, name="العربية"))
    written = onnx.load(str(tmp_path / "new.onnx"))
    facts = {entry.key: entry.value for entry in written.metadata_props}
    assert set(facts) == {"licence", "card"} and facts["licence"] == "Apache-2.0"
    assert "العربية" in facts["card"]
    new = ReaderFile.load(tmp_path / "new.onnx")
    assert new.path == tmp_path / "new.onnx" and new.content == (tmp_path / "new.onnx").read_bytes()
    assert new.weights["head.bias"].tolist() == [0.0, 1.0] and new.weights["head.bias"].dtype == np.float64
    np.testing.assert_array_equal(new.weights["head.weight"], file.weights["head.weight"])
    stored = {each.name: each.data_type for each in written.graph.initializer}
    assert stored["head.bias"] == onnx.TensorProto.FLOAT
    assert file.weights["head.bias"] == pytest.approx([0.2, -0.2]), "this one is as it was"
    # Its self-test is its own, and so it is what the new reader computes.
    card = new.card
    outputs = Reader.open(tmp_path / "new.onnx", self_test=False).outputs(card.self_test.film)
    assert card.self_test.probability == pytest.approx(outputs["probability"].tolist())
    assert card.self_test.heatmap_sum == pytest.approx(float(outputs["heatmap"][1].sum()))
    assert card.self_test.probability != pytest.approx(file.card.self_test.probability)
    assert new.reader().card.name == "العربية" and sorted(path.name for path in tmp_path.iterdir()) == [
        "new.onnx", "with.onnx",
    ]  # fmt: skip


def test_the_identity_of_a_changed_copy_is_its_own(
    build_tiny: Callable[..., Path], tmp_path: Path, tiny_file: ReaderFile
) -> None:
    provenance = {"weights_sha256": "ab" * 32, "data": [], "commands": ["train"], "commit": ""}
    file = ReaderFile.load(build_tiny(schema=2, identity="cd" * 32, provenance=provenance))
    for number, bias in enumerate((0.0, 1.0)):
        file.write(tmp_path / f"{number}.onnx", file.weights | {"head.bias": np.array([0.0, bias])}, file.card)
    first, second = (Reader.open(tmp_path / f"{number}.onnx").card.identity for number in (0, 1))
    assert first and second and first != second
    tiny_file.write(tmp_path / "old.onnx", tiny_file.weights, tiny_file.card)
    assert Reader.open(tmp_path / "old.onnx").card.identity is None, "cards of the first schema have none"


def test_a_card_that_no_reader_could_have_is_not_written(tiny_file: ReaderFile, tmp_path: Path) -> None:
    card = dataclasses.replace(tiny_file.card, operating_points={})
    with pytest.raises(UserError):
        tiny_file.write(tmp_path / "new.onnx", tiny_file.weights, card)
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_changed_says_what_it_lacks(tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"

    def refusal() -> str:
        with pytest.raises(UserError) as raised:
            ReaderFile.load(path)
        return str(raised.value)

    assert refusal() == f"{path} cannot be opened as an ONNX file; expected a reader file"
    model = onnx.load(str(tiny))
    kept = list(model.metadata_props)
    del model.metadata_props[:]
    onnx.save(model, str(path))
    assert refusal() == f"{path} has no card: this reader cannot be adapted; export it again"
    model.metadata_props.extend(kept)
    for initializer in model.graph.initializer:
        if initializer.name in ("head.weight", "calibration.scale"):
            initializer.name += ".folded"
    onnx.save(model, str(path))
    assert refusal() == (
        f"{path} has no head.weight, calibration.scale: this reader cannot be adapted; export it again"
    )
