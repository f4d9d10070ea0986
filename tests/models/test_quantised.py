"""Quantised checkpoints: saved and loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ai_for_sudan.errors import UserError
from ai_for_sudan.lungs import load_finder
from ai_for_sudan.models import CheckpointState, create, names, save_checkpoint
from ai_for_sudan.models.quantised import is_quantised, load_quantised, quantise, save_quantised


@pytest.mark.parametrize("name", names())
def test_the_file_holds_integers_and_what_is_recorded(tmp_path: Path, name: str) -> None:
    path = tmp_path / "quantized_model.pth"
    save_quantised(path, quantise(create(name, ["normal", "pneumonia"])), CheckpointState(data="note"))
    assert is_quantised(path)
    loaded, state = load_quantised(path, expect=name)
    assert state.data == "note"
    kinds = {type(module).__module__ for module in loaded.modules() if type(module).__name__ == "Linear"}
    assert all("quantized.dynamic" in kind for kind in kinds) and kinds
    whole = tmp_path / "best_model.pth"
    save_checkpoint(whole, create(name, ["normal", "pneumonia"]))
    assert path.stat().st_size < 0.35 * whole.stat().st_size
    with pytest.raises(UserError, match=f"holds a {name}, not a other"):
        load_quantised(path, expect="other")


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "q.pth").write_bytes(b"nothing")
    with pytest.raises(UserError, match="not a quantised model"):
        load_quantised(tmp_path / "q.pth")
    torch.save({"format": "ai-for-sudan quantised 1", "linear": {}}, tmp_path / "q.pth")
    with pytest.raises(UserError, match="is damaged"):
        load_quantised(tmp_path / "q.pth")


def of_version_1(path: Path) -> None:
    """Turn a file into what version 0.1.0 wrote: of the weights that are not quantised, those of ``features`` alone."""
    contents = torch.load(path, weights_only=True)
    weights = contents.pop("weights")
    weights |= {key: integers * step for key, (integers, step) in contents.pop("convolutions").items()}
    contents["features"] = {k.removeprefix("features."): v for k, v in weights.items() if k.startswith("features.")}
    contents["format"] = "ai-for-sudan quantised 1"
    torch.save(contents, path)


def test_a_file_of_version_1_is_read_where_it_is_whole_and_refused_where_not(tmp_path: Path) -> None:
    path = tmp_path / "q.pth"
    whole = quantise(create("custom_cnn", ["normal", "pneumonia"]).eval())
    save_quantised(path, whole, CheckpointState())
    of_version_1(path)
    films = torch.rand(2, 1, 64, 64)
    torch.testing.assert_close(load_quantised(path)[0](films), whole(films), atol=1e-3, rtol=0)
    model = create("custom_cnn", ["normal", "pneumonia"], finder=load_finder())
    save_quantised(path, quantise(model), CheckpointState())
    of_version_1(path)
    with pytest.raises(UserError, match=r"lacks .* weights .*predicts at random"):
        load_quantised(path)
