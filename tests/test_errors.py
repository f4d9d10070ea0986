"""The errors that callers may catch are those that docs/promises.md names, and are raised where it says."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from ai_for_sudan import Reader, errors
from ai_for_sudan.datasets import load_manifest


def test_the_page_names_every_error(root: Path) -> None:
    page = (root / "docs" / "promises.md").read_text(encoding="utf-8").partition("## Errors to catch")[2]
    named = set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE))
    there = {name for name, one in vars(errors).items() if inspect.isclass(one) and issubclass(one, Exception)}
    assert named == there and all(issubclass(getattr(errors, name), errors.UserError) for name in there)


def test_each_is_raised_where_the_page_says(root: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidReader, match="there is no reader 'no_such_reader'"):
        Reader.open("no_such_reader")
    (tmp_path / "reader.onnx").write_bytes(b"no graph")
    with pytest.raises(errors.InvalidReader, match="not an ONNX file"):
        Reader.open(tmp_path / "reader.onnx")
    with pytest.raises(errors.InvalidDataset):
        load_manifest(tmp_path / "missing")
    with pytest.raises(errors.InvalidCheckpoint, match="no checkpoint at"):
        pytest.importorskip("ai_for_sudan.models").load_checkpoint(tmp_path / "best_model.pth")
