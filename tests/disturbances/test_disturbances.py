"""Every kind, on a shipped film."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ai_for_sudan.disturbances import (
    GEOMETRIC,
    KINDS,
    STRESS_KINDS,
    augment,
    augment_with_masks,
    perturb,
    perturb_masks,
    perturbed,
    perturbed_with_masks,
)
from ai_for_sudan.disturbances.compression import compress
from ai_for_sudan.disturbances.geometry import affine, warp
from ai_for_sudan.errors import UserError


@pytest.fixture(scope="module")
def film(samples: Path) -> torch.Tensor:
    with Image.open(samples / "normal_01.png") as image:
        grey = np.array(image.convert("L").resize((224, 224)))
    return torch.from_numpy(grey).float().view(1, 1, 224, 224) / 255


@pytest.mark.parametrize("kind", KINDS)
def test_severity_zero_changes_nothing(film: torch.Tensor, kind: str) -> None:
    assert torch.allclose(perturb(film, kind, 0.0, torch.Generator().manual_seed(0)), film, atol=2e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_more_severity_is_more_change_and_stays_in_range(film: torch.Tensor, kind: str) -> None:
    batch = film.repeat(16, 1, 1, 1)
    change = []
    for severity in (1.0, 3.0, 5.0):
        result = perturb(batch, kind, severity, torch.Generator().manual_seed(0))
        assert result.shape == batch.shape and result.dtype == torch.float32
        assert float(result.min()) >= 0 and float(result.max()) <= 1
        change.append(float((result - batch).abs().mean()))
    assert 0 < change[0] < change[1] < change[2]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_film(film: torch.Tensor, kind: str) -> None:
    first, second, other = (perturb(film, kind, 4.0, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, second)
    if kind not in ("blur", "jpeg"):  # these two have nothing to draw
        assert not torch.equal(first, other)


@pytest.mark.parametrize("kind", KINDS)
def test_each_film_has_its_own_severity(film: torch.Tensor, kind: str) -> None:
    pair = perturb(film.repeat(2, 1, 1, 1), kind, torch.tensor([0.0, 5.0]), torch.Generator().manual_seed(1))
    assert torch.allclose(pair[:1], film, atol=2e-4)
    assert not torch.allclose(pair[1:], film, atol=0.02)


def test_the_stress_suite_is_part_of_the_kinds() -> None:
    assert set(STRESS_KINDS) <= set(KINDS)


def test_an_unknown_kind_lists_the_known(film: torch.Tensor) -> None:
    with pytest.raises(UserError, match="phone_photo"):
        perturb(film, "earthquake", 1.0)


@pytest.mark.parametrize("quality", [10, 40, 75, 90])
def test_jpeg_agrees_with_libjpeg(film: torch.Tensor, quality: int) -> None:
    ours = compress(film, torch.tensor([float(quality)]))[0, 0].numpy() * 255
    buffer = io.BytesIO()
    Image.fromarray((film[0, 0] * 255).byte().numpy()).save(buffer, "JPEG", quality=quality)
    theirs = np.asarray(Image.open(buffer), dtype=np.float32)
    assert np.abs(ours - theirs).mean() < 1.0


def test_warp_by_the_identity_is_the_film_and_a_half_turn_is_its_flip(film: torch.Tensor) -> None:
    assert torch.allclose(warp(film, affine(film)), film, atol=1e-4)
    assert torch.allclose(warp(film, affine(film, degrees=180.0)), film.flip((2, 3)), atol=1e-3)


def test_augmentation_is_seeded_and_can_be_switched_off(film: torch.Tensor) -> None:
    batch = film.repeat(8, 1, 1, 1)
    first, again, other = (augment(batch, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(augment(batch, torch.Generator(), strength=0.0), batch)
    assert float(first.min()) >= 0 and float(first.max()) <= 1 and not first.isnan().any()


def disc(count: int, side: int) -> torch.Tensor:
    """A disc off the middle, ``(count, 1, side, side)``."""
    y = ((torch.arange(side) + 0.5) / side).view(-1, 1)
    x = ((torch.arange(side) + 0.5) / side).view(1, -1)
    return (((x - 0.42) / 0.22) ** 2 + ((y - 0.55) / 0.3) ** 2 < 1).float().expand(count, 1, side, side).clone()


def overlap(films: torch.Tensor, masks: torch.Tensor) -> float:
    """Least Dice of where films of a bright disc are bright, around it, and of masks at half their side."""
    around = torch.nn.functional.max_pool2d(masks, 21, stride=1, padding=10) > 0.5
    least = 1.0
    for film, mask, near in zip(torch.nn.functional.avg_pool2d(films, 2), masks > 0.5, around, strict=True):
        bright = (film > (film[mask].median() + film[near & ~mask].median()) / 2) & near
        least = min(least, float(2 * (bright & mask).sum() / (bright.sum() + mask.sum())))
    return least


@pytest.mark.parametrize("kind", GEOMETRIC)
def test_masks_move_with_their_films(kind: str) -> None:
    films = 0.3 + 0.5 * disc(8, 224)
    generator = torch.Generator().manual_seed(3)
    masks = perturb_masks(disc(8, 112), kind, 2.5, generator)
    changed = perturb(films, kind, 2.5, generator)
    assert overlap(changed, masks) > 0.9
    assert (masks != disc(8, 112)).float().mean() > 0.005
    assert perturb_masks(masks, "exposure", 5.0, generator) is masks


def test_augmentation_moves_masks_and_is_the_same_without_them() -> None:
    films = 0.3 + 0.5 * disc(32, 112)
    generators = [torch.Generator().manual_seed(5) for _ in range(2)]
    changed, masks = augment_with_masks(films, disc(32, 56), generators[0], 1.0)
    assert torch.equal(changed, augment(films, generators[1], 1.0))
    assert masks is not None
    inside = torch.nn.functional.interpolate(masks, scale_factor=2) > 0.5
    apart = [
        float(film[0][lung[0]].median() - film[0][~lung[0]].median())
        for film, lung in zip(changed, inside, strict=True)
    ]
    assert np.median(apart) > 0.2 and np.mean(np.array(apart) > 0) > 0.8


def test_perturbed_copies_have_their_masks_with_them() -> None:
    films = (255 * (0.3 + 0.5 * disc(24, 112)[:, 0])).byte().numpy()
    changed, masks = perturbed_with_masks(films, (255 * disc(24, 56)[:, 0]).byte().numpy(), 4)
    assert np.array_equal(changed, perturbed(films, 4)) and masks is not None
    inside = np.kron(masks, np.ones((2, 2))) > 127
    apart = [
        np.median(film[lung]) - np.median(film[~lung]) for film, lung in zip(changed.astype(int), inside, strict=True)
    ]
    assert np.median(apart) > 50 and np.mean(np.array(apart) > 0) > 0.8
    assert (masks != masks[0]).any()


def test_a_narrow_window_loses_at_most_a_quarter_at_each_end() -> None:
    ramp = torch.linspace(0, 1, 400).view(1, 1, 20, 20).expand(200, 1, 20, 20)
    found = perturb(ramp, "window", torch.full((200,), 5.0), torch.Generator().manual_seed(0)).flatten(1)
    for lost in ((found == 0).float().mean(1), (found == 1).float().mean(1)):
        assert 0.2 < float(lost.max()) < 0.26
