"""What a network sees of a film."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from ai_for_sudan.explanation import GradCAM
from ai_for_sudan.lungs import Evidence, LungFinder, LungView, back, box_of, restyle, swap_surroundings
from ai_for_sudan.lungs.view import cut, stretch
from ai_for_sudan.models import create, names


def lungs_at(left: int, top: int, right: int, bottom: int, side: int = 112) -> torch.Tensor:
    """Two lungs with a third of their width between them."""
    lungs = torch.zeros(1, 1, side, side)
    third = (right - left) // 3
    lungs[..., top:bottom, left : left + third] = 1
    lungs[..., top:bottom, right - third : right] = 1
    return lungs


@pytest.mark.parametrize("box", [(0.1, 0.2, 0.7, 0.9), (0.0, 0.0, 1.0, 1.0), (0.31, 0.12, 0.52, 0.4)])
def test_the_box_is_cut_out_as_pillow_does_it(box: tuple[float, ...]) -> None:
    film = np.random.default_rng(0).integers(0, 256, (224, 224), np.uint8)
    film = np.asarray(Image.fromarray(film).resize((56, 56)).resize((224, 224), Image.Resampling.BICUBIC))
    found = cut(torch.from_numpy(film.copy())[None, None].float(), torch.tensor([box]), 128)[0, 0].numpy()
    inside = tuple(224 * side for side in box)
    expected = Image.fromarray(film).resize((128, 128), Image.Resampling.BILINEAR, box=inside)
    assert np.abs(found - np.asarray(expected).astype(float)).max() <= 1.0


def test_in_training_the_box_is_displaced_outwards_more_often_than_inwards() -> None:
    lungs = torch.zeros(1, 1, 112, 112)
    lungs[..., 30:80, 30:80] = 1
    view = LungView(LungFinder(), 16)
    many = lungs.repeat(600, 1, 1, 1)
    framed = view.framed(torch.rand(600, 1, 112, 112), torch.Generator().manual_seed(0), lungs=many)
    plain = view.look(lungs, lungs, box_of(lungs)).pixels
    share = framed[:, 1].mean(dim=(1, 2))
    assert float(share.std()) > 0.02, "every film gets a box of its own"
    # Each of four sides moves outwards by 0.6 % of the box's on average: 2.4 % more area, so much less of it lung.
    assert float(share.mean() / plain[:, 1].mean()) == pytest.approx(1 / 1.024, abs=0.012)


def test_the_box_holds_the_lungs_and_a_margin_whatever_else_is_there() -> None:
    lungs = lungs_at(30, 20, 90, 100)
    plain = box_of(lungs)[0] * 112
    assert plain[0] < 30 and plain[1] < 20 and plain[2] > 90 and plain[3] > 100
    assert plain[0] > 30 - 12 and plain[3] < 100 + 12
    lungs[..., 2:4, 105:108] = 1  # a stray spot
    assert torch.allclose(box_of(lungs)[0] * 112, plain, atol=4)


def test_the_box_stays_on_the_film() -> None:
    box = box_of(lungs_at(0, 0, 112, 112))[0]
    assert box.tolist() == [0, 0, 1, 1]


def test_without_lungs_it_is_the_whole_film() -> None:
    assert box_of(torch.zeros(1, 1, 112, 112))[0].tolist() == [0, 0, 1, 1]


def test_a_map_comes_back_where_it_was_and_nowhere_else() -> None:
    maps = torch.zeros(1, 1, 20, 20)
    maps[..., 5, 15] = 1.0
    found = back(maps, torch.tensor([[0.25, 0.5, 0.75, 1.0]]), 56)[0, 0]
    row, column = divmod(int(found.argmax()), 56)
    assert abs((column + 0.5) / 56 - (0.25 + 0.5 * 15.5 / 20)) < 0.02
    assert abs((row + 0.5) / 56 - (0.5 + 0.5 * 5.5 / 20)) < 0.02
    assert not found[:28].any() and not found[:, :14].any() and not found[:, 42:].any()


def test_exposure_and_contrast_do_not_reach_the_network() -> None:
    films = torch.rand(2, 1, 128, 128)
    levels = torch.nn.functional.avg_pool2d(films, 4)
    other = films * 0.4 + 0.3
    torch.testing.assert_close(stretch(films, levels), stretch(other, levels * 0.4 + 0.3), atol=1e-5, rtol=0)


def test_what_surrounds_the_lungs_is_swapped_and_the_lungs_are_not() -> None:
    views = torch.rand(8, 2, 112, 112)
    views[:, 1:] = lungs_at(20, 20, 92, 92)
    swapped = swap_surroundings(views, torch.Generator().manual_seed(0), 1.0)
    inside = views[:, 1] > 0.5
    torch.testing.assert_close(swapped[:, 0][inside], views[:, 0][inside])
    assert (swapped[:, 0, :8] != views[:, 0, :8]).float().mean() > 0.5
    torch.testing.assert_close(swapped[:, 1], views[:, 1])
    assert torch.equal(swap_surroundings(views, torch.Generator().manual_seed(0), 0.0), views)


def test_another_style_keeps_the_order_of_films_and_the_lungs() -> None:
    views = torch.rand(8, 2, 64, 64)
    styled = restyle(views, torch.Generator().manual_seed(1), 1.0)
    assert float(styled.min()) >= 0 and float(styled.max()) <= 1
    assert (styled[:, 0] - views[:, 0]).abs().mean() > 0.02
    torch.testing.assert_close(styled[:, 1], views[:, 1])


@pytest.mark.parametrize("name", names())
def test_places_outside_the_lungs_say_nothing(name: str) -> None:
    """Not cut off for the picture: the logits do not depend on what the last map holds there."""
    torch.manual_seed(0)
    model = create(name, ["normal", "pneumonia"], finder=LungFinder()).eval()
    assert model.evidence is not None
    maps = torch.rand(1, 128, 16, 16)
    lungs = lungs_at(32, 32, 96, 96, 128)
    inside = torch.nn.functional.adaptive_max_pool2d(lungs, 16)[0, 0] > 0
    other = torch.where(inside, maps, torch.rand(1, 128, 16, 16) * 9)
    weighed = [model.evidence(each, lungs) for each in (maps, other)]
    places = torch.nn.functional.adaptive_avg_pool2d(lungs, 32)[0, 0] > 0
    assert not weighed[1][..., ~places].any() and weighed[1][..., places].any()
    views = torch.cat([torch.rand(1, 1, 128, 128), lungs], 1)
    with torch.no_grad():  # a head that speaks for every class everywhere: no heatmap is empty
        for layer in model.classifier:
            if isinstance(layer, torch.nn.Linear):
                layer.weight.abs_()
    heatmap = GradCAM(model)(views, class_index=1).maps[0]
    places = torch.nn.functional.adaptive_avg_pool2d(lungs, heatmap.shape[0])[0, 0] > 0
    assert heatmap.any() and not heatmap[~places].any()


def test_the_edge_of_a_lung_counts_less_than_its_middle() -> None:
    lungs = torch.zeros(1, 1, 160, 160)
    lungs[..., 40:120, 40:120] = 1
    share = Evidence()(torch.ones(1, 1, 20, 20), lungs)[0, 0]
    assert share[20, 20] > 1.9 * share[20, 11] and share[20, 9] == 0
    assert float(share.mean()) == pytest.approx(1)


def test_the_finder_is_not_trained_with_the_network() -> None:
    model = create("custom_cnn", ["normal", "pneumonia"], finder=LungFinder())
    model.train()
    assert isinstance(model.view, LungView)
    assert not any(module.training for module in model.view.finder.modules())
    assert not any(parameter.requires_grad for parameter in model.view.parameters())
