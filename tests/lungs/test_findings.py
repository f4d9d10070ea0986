"""No lungs, cut-off lungs, one lung."""

from __future__ import annotations

import torch

from ai_for_sudan.lungs import CODES, LungFindings


def found(lungs: torch.Tensor) -> set[str]:
    scores = LungFindings()(lungs)[0]
    return {code for code, score in zip(CODES, scores.tolist(), strict=True) if score > 0.5}


def ellipses(*centres: tuple[float, float], wide: float = 0.14, high: float = 0.32) -> torch.Tensor:
    y = (torch.arange(112) + 0.5).view(-1, 1) / 112
    x = (torch.arange(112) + 0.5).view(1, -1) / 112
    lungs = torch.zeros(112, 112)
    for across, down in centres:
        lungs[((x - across) / wide) ** 2 + ((y - down) / high) ** 2 < 1] = 1
    return lungs[None, None]


def test_two_lungs_on_the_film_say_nothing() -> None:
    assert found(ellipses((0.3, 0.5), (0.7, 0.5))) == set()


def test_no_lungs() -> None:
    assert "no_lungs" in found(torch.zeros(1, 1, 112, 112))


def test_one_lung_on_either_side() -> None:
    assert found(ellipses((0.3, 0.5))) == {"one_lung"}
    assert found(ellipses((0.7, 0.5))) == {"one_lung"}


def test_both_lungs_of_a_small_child_merged_on_the_map_are_not_one() -> None:
    assert found(ellipses((0.45, 0.5), (0.55, 0.5), wide=0.08, high=0.2)) == set()
    assert found(ellipses((0.45, 0.5), (0.55, 0.5), wide=0.08, high=0.32)) == {"one_lung"}


def test_lungs_half_outside_of_the_film() -> None:
    assert "lungs_cut_off" in found(ellipses((0.3, 0.0), (0.7, 0.0), wide=0.22, high=0.6))
    assert "lungs_cut_off" not in found(ellipses((0.3, 0.34), (0.7, 0.34)))


def test_one_lung_is_told_within_two_hundredths_of_the_least_height() -> None:
    """Between both lungs of a small child, merged on the map, and a single lung there is next to no doubt."""
    scores = []
    for height in (48, 52):
        lungs = torch.zeros(1, 1, 100, 100)
        lungs[0, 0, 20 : 20 + height, 30:60] = 1
        scores.append(float(LungFindings()(lungs)[0, CODES.index("one_lung")]))
    assert scores[0] < 0.15 and scores[1] > 0.85
