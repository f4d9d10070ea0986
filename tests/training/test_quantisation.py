"""Dynamic quantisation: saved, loaded, compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ai_for_sudan.errors import UserError
from ai_for_sudan.models import CheckpointState, create, logits, names, save_checkpoint
from ai_for_sudan.models.quantised import load_quantised, quantise_linear
from ai_for_sudan.training.quantisation import quantise_and_compare


@pytest.mark.parametrize("name", names())
def test_the_quantised_model_survives_saving(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    model = create(name, ["normal", "pneumonia"]).eval()
    save_checkpoint(tmp_path / "best_model.pth", model, CheckpointState(data="note"))
    pixels = np.random.default_rng(0).integers(0, 255, (12, 64, 64), dtype=np.uint8)
    table = quantise_and_compare(model, pixels, np.arange(12) % 2, tmp_path / "quantized_model.pth")
    assert str((tmp_path / "quantized_model.pth").stat().st_size)[:2] in table.replace(",", "")
    loaded, state = load_quantised(tmp_path / "quantized_model.pth", expect=name)
    assert state.data == "note"
    assert torch.allclose(logits(loaded, pixels), logits(quantise_linear(model), pixels), atol=1e-5)
    assert torch.allclose(logits(loaded, pixels), logits(model, pixels), atol=0.1)
    kinds = {type(module).__module__ for module in loaded.modules() if type(module).__name__ == "Linear"}
    assert all("quantized.dynamic" in kind for kind in kinds) and kinds


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "q.pth").write_bytes(b"nothing")
    with pytest.raises(UserError, match="not a quantised model"):
        load_quantised(tmp_path / "q.pth")
    torch.save({"format": "ai-for-sudan quantised 1", "linear": {}}, tmp_path / "q.pth")
    with pytest.raises(UserError, match="is damaged"):
        load_quantised(tmp_path / "q.pth")
