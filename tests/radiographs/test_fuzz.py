from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def test_mutated_films_give_a_film_or_a_reason(root: Path) -> None:
    """A short run; benchmarks/fuzz_decoders.py does the 20,000."""
    spec = importlib.util.spec_from_file_location("fuzz_decoders", root / "benchmarks" / "fuzz_decoders.py")
    assert spec and spec.loader
    fuzz_decoders = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = fuzz_decoders
    spec.loader.exec_module(fuzz_decoders)
    outcomes = {}
    for number, data in fuzz_decoders.files(1_000_000, 400):
        outcomes[number] = fuzz_decoders.decode(data)
    assert len(outcomes) == 400 and len(set(outcomes.values())) > 4
