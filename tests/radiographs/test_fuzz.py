from __future__ import annotations

import fuzz_decoders


def test_mutated_films_give_a_film_or_a_reason() -> None:
    """A short run; benchmarks/fuzz_decoders.py does the 20,000."""
    outcomes = {}
    for number, data in fuzz_decoders.files(1_000_000, 400):
        outcomes[number] = fuzz_decoders.decode(data)
    assert len(outcomes) == 400 and len(set(outcomes.values())) > 4
