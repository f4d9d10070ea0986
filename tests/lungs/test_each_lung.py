"""Each lung for itself: where the line between two lungs lies, and films made of lungs of different ones."""

from __future__ import annotations

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import Tensor

from ai_for_sudan.disturbances.geometry import affine, warp
from ai_for_sudan.lungs.mosaics import middle, mosaic
from ai_for_sudan.lungs.transplants import same_shapes, transplant
from ai_for_sudan.lungs.weighting import Evidence, sides

SIDE = 80


def two_lungs(right: tuple[int, int] = (8, 32), left: tuple[int, int] = (46, 72)) -> tuple[Tensor, Tensor]:
    """Lungs ``(1, 1, 80, 80)`` between these columns: the patient's right one on the left of the picture."""
    both = torch.zeros(2, 1, SIDE, SIDE)
    both[0, :, 10:70, slice(*right)] = 1
    both[1, :, 14:66, slice(*left)] = 1
    return both[:1], both[1:]


@pytest.mark.parametrize("degrees", [-15.0, 0.0, 15.0])
@pytest.mark.parametrize("shift", [-0.15, 0.0, 0.15])
def test_the_line_follows_the_lungs_and_not_the_picture(degrees: float, shift: float) -> None:
    lungs = torch.cat(two_lungs((14, 34), (44, 64)))
    matrix = affine(lungs, degrees=torch.full((2,), degrees), shift_x=torch.full((2,), shift))
    right, left = warp(lungs, matrix, fill=0.0).chunk(2)
    of_right, of_left = sides(right + left)[0]
    assert float((of_right * right).sum() / right.sum()) > 0.97
    assert float((of_left * left).sum() / left.sum()) > 0.97


def test_a_lung_that_is_half_white_keeps_its_side() -> None:
    right, left = two_lungs((8, 36), (52, 64))
    left[..., :40, :] = 0
    of_right, of_left = sides(right + left)[0]
    assert float((of_right * right).sum() / right.sum()) > 0.9
    assert float((of_left * left).sum() / left.sum()) > 0.9


def test_the_maps_of_a_lung_hold_nothing_of_the_other() -> None:
    right, left = two_lungs()
    weighed = Evidence(each=True)(torch.ones(1, 1, 20, 20), right + left)
    assert weighed.shape == (1, 2, 40, 40)
    torch.testing.assert_close(weighed.mean((2, 3)), torch.ones(1, 2))
    torch.testing.assert_close(float(weighed[0, 0, :, 20:].abs().max()), 0.0, atol=0.02, rtol=0)
    torch.testing.assert_close(float(weighed[0, 1, :, :20].abs().max()), 0.0, atol=0.02, rtol=0)


def test_a_mosaic_has_the_right_lung_of_one_film_and_the_left_of_another() -> None:
    masks = torch.cat(two_lungs()).sum(0, keepdim=True)
    first, second = (torch.cat([torch.full_like(masks, grey), masks], 1) for grey in (0.2, 0.8))
    found = mosaic(first, second, torch.Generator().manual_seed(0))
    assert float(found[0, 0, :, :30].mean()) == pytest.approx(0.2, abs=0.01)
    assert float(found[0, 0, :, 48:].mean()) == pytest.approx(0.8, abs=0.01)


def test_the_lines_of_both_films_of_a_mosaic_are_laid_on_each_other() -> None:
    near, far = (
        torch.cat(two_lungs(*columns)).sum(0, keepdim=True) for columns in (((4, 24), (34, 56)), ((20, 42), (56, 78)))
    )
    first, second = (torch.cat([mask, mask], 1) for mask in (near, far))
    found = mosaic(first, second, torch.Generator().manual_seed(0))
    assert abs(int(middle(found)) - int(middle(first))) <= 2
    assert float(found[0, 1].sum()) == pytest.approx(float(two_lungs((4, 24), (34, 56))[0].sum() + 52 * 22), rel=0.12)


def test_a_transplant_keeps_the_surroundings_and_an_opacity_stays_brighter() -> None:
    torch.manual_seed(0)
    right, left = two_lungs()
    masks = right + left
    host = torch.cat([0.4 + 0.1 * torch.rand(1, 1, SIDE, SIDE), masks], 1)
    host[:, :1] += 0.4 * (1 - masks)
    texture = 0.1 + 0.05 * torch.rand(1, 1, SIDE, SIDE)
    texture[..., 40:60, 50:70] += 0.2
    found = transplant(texture * masks, masks, host, torch.Generator().manual_seed(1))
    outside = torch.nn.functional.max_pool2d(masks, 7, 1, 3) == 0
    torch.testing.assert_close(found[:, :1][outside], host[:, :1][outside])
    assert float(found[0, 0, 44:56, 54:66].mean()) > float(found[0, 0, 20:34, 54:66].mean()) + 0.2
    assert float(found[0, 0, 20:34, 12:28].mean()) == pytest.approx(0.45, abs=0.1)


def test_the_shape_of_transplanted_lungs_tells_nothing() -> None:
    """Opacities were left out with their lung, so that shapes tell the label; those that pairs share do not."""
    torch.manual_seed(0)
    count = 60
    masks = torch.zeros(2 * count, 1, 40, 40)
    masks[:, :, 5:35, 4:18] = masks[:, :, 5:35, 22:36] = 1
    for row in range(count):  # positive films lack a piece
        top, lung = int(torch.randint(5, 25, ())), (4, 22)[int(torch.randint(2, ()))]
        masks[row, :, top : top + 10, lung : lung + 10] = 0
    labels = torch.cat([torch.ones(count), torch.zeros(count)]).numpy()

    def known(shapes: Tensor) -> float:
        """AUROC of the area and a coarse picture of the shape, cross-fitted by pair."""
        features = torch.cat(
            [shapes.mean((1, 2, 3))[:, None], torch.nn.functional.avg_pool2d(shapes, 10).flatten(1)], 1
        )
        scores = torch.empty(2 * count, dtype=torch.float64)
        pair = torch.arange(2 * count) % count
        for part in range(5):
            own = pair % 5 == part
            model = LogisticRegression(max_iter=500).fit(features[~own], labels[~own.numpy()])
            scores[own] = torch.from_numpy(model.decision_function(features[own]))
        return float(roc_auc_score(labels, scores))

    assert known(masks) > 0.9
    assert known(same_shapes(masks)) == pytest.approx(0.5, abs=0.05)
