"""What is true of each lung: of labels, of boxes, of mosaics; and films that teach about lungs."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ai_for_sudan.errors import UserError
from ai_for_sudan.lungs import LungFinder, LungView
from ai_for_sudan.models import create
from ai_for_sudan.models.architecture import positive_odds
from ai_for_sudan.training import Recipe
from ai_for_sudan.training.companions import Companions, lungs_with_boxes
from ai_for_sudan.training.lung_targets import LungFilms, lung_loss


def lungs(side: int = 64) -> torch.Tensor:
    mask = torch.zeros(1, 1, side, side)
    mask[..., 8:56, 6:28] = mask[..., 8:56, 36:58] = 1
    return mask


def films(labels: list[int]) -> LungFilms:
    views = torch.cat([torch.rand(len(labels), 1, 64, 64), lungs().expand(len(labels), -1, -1, -1)], 1)
    return LungFilms.of_labels(views, torch.tensor(labels))


def test_both_lungs_of_a_healthy_film_are_known_and_none_of_a_sick_one() -> None:
    found = films([1, 0, -1])
    assert found.film[:2].tolist() == [1, 0] and found.film[2].isnan()
    assert found.lungs[1].tolist() == [0, 0] and found.lungs[[0, 2]].isnan().all()
    assert found.abnormal.tolist() == [1, 0, 1]


def test_mosaics_are_sick_where_a_sick_lung_was_put() -> None:
    torch.manual_seed(0)
    given = films([1, 1, 1, 0, 0, 0])
    given.views[:3, :1, :, 32:] = 1.0  # the left lung of the sick films is white
    given.views[:3, :1, :, :32] = 0.0
    given.views[3:, :1] = 0.0
    odds = torch.tensor([[-1.0, 1.0]] * 3 + [[-2.0, -2.0]] * 3)
    made = given.mosaics(odds, 16, torch.Generator().manual_seed(0))
    assert made is not None and len(made) == 16
    white = torch.stack([made.views[:, 0, :, 6:28].mean((1, 2)), made.views[:, 0, :, 36:58].mean((1, 2))], 1) > 0.5
    assert torch.equal(white, made.lungs == 1)
    assert torch.equal(made.film, made.lungs.amax(1)) and torch.equal(made.abnormal, made.film)
    kinds = made.lungs.sum(1)
    assert [int((kinds == number).sum()) for number in (0, 1, 2)] == [4, 8, 4]
    assert films([0, 0, 0]).mosaics(odds[3:], 4, torch.Generator().manual_seed(0)) is None


def test_a_box_makes_the_lung_sick_that_it_lies_in() -> None:
    boxes = torch.zeros(3, 1, 64, 64)
    boxes[0, :, 20:40, 8:24] = 1
    boxes[1, :, 20:40, 8:24] = boxes[1, :, 30:50, 40:56] = 1
    found = lungs_with_boxes(lungs().expand(3, -1, -1, -1), boxes)
    assert found.tolist() == [[1, 0], [1, 1], [0, 0]]


def test_the_loss_asks_for_the_right_lung_and_for_attribution_in_the_box() -> None:
    torch.manual_seed(0)
    model = create("custom_cnn", ["normal", "pneumonia"], finder=LungFinder(), abnormal=True).eval()
    given = films([1, 0])
    given.lungs[0] = torch.tensor([1.0, 0.0])
    given.boxes[0, :, 20:40, 8:24] = 1
    maps = model.feature_map(given.views)
    found = model.lungs(maps)

    def loss(classes: torch.Tensor, **changes: float) -> float:
        recipe = Recipe().changed({"lung_weight": 1.0, "abnormal_weight": 0.0, "place_weight": 0.0, **changes})
        return float(lung_loss(model, maps, found._replace(classes=classes), given, recipe))

    right, wrong = torch.zeros(2, 2, 2), torch.zeros(2, 2, 2)
    right[0, :, 1], wrong[0, :, 1] = torch.tensor([3.0, -3.0]), torch.tensor([-3.0, 3.0])
    right[1, :, 1] = wrong[1, :, 1] = -3.0
    assert positive_odds(right, model.spec)[0].tolist() == [3, -3]
    assert loss(right) < 0.2 < 1 < loss(wrong)
    # Attribution in the lung with the box costs less than in the other one.
    assert loss(right, lung_weight=0.0, place_weight=1.0) < loss(wrong, lung_weight=0.0, place_weight=1.0)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Cut-out lungs with and without opacities, hosts, and films of another disease."""
    random = np.random.default_rng(0)
    masks = np.zeros((96, 96), np.uint8)
    masks[12:84, 10:42] = masks[12:84, 54:86] = 1
    rows = []
    for number in range(16):
        role = ("cut_out", "cut_out", "host", "film")[number % 4]
        label = ("pneumonia", "normal", "normal", ("normal", "other")[number // 4 % 2])[number % 4]
        grey = random.integers(60, 200, (96, 96)).astype(np.uint8)
        Image.fromarray(grey * masks if role == "cut_out" else grey).save(tmp_path / f"{number}.png")
        boxes = "0.15 0.3 0.2 0.3" if label == "pneumonia" else ""
        rows.append({"file": f"{number}.png", "label": label, "role": role, "boxes": boxes})
    with (tmp_path / "companions.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path / "companions.csv"


def test_transplants_have_as_many_opacities_as_none_in_the_same_shapes(table: Path) -> None:
    loaded = Companions.load(table, ["normal", "pneumonia"], "pneumonia", 96)
    assert loaded.know_other_diseases and len(loaded.pixels) == 16
    view = LungView(LungFinder(), 64)
    recipe = Recipe().changed({"batch_size": 14})

    def draw() -> list[LungFilms]:
        return loaded.draw(view, recipe, 64, torch.rand(4, 1, 96, 96), torch.Generator().manual_seed(0))

    transplants, others = draw()
    half = len(transplants) // 2
    assert torch.equal(transplants.views[:half, 1], transplants.views[half:, 1])
    assert transplants.film[half:].tolist() == [0.0] * half
    assert set(transplants.film[:half].nan_to_num(9).tolist()) <= {1.0, 9.0}
    sick = transplants.film == 1
    assert sick.any() and (transplants.lungs[sick].nansum(1) >= 1).all()
    assert not transplants.boxes[~sick].any() and transplants.boxes[sick].any()
    assert others.film.nan_to_num(9).tolist() == [0.0, 9.0] and others.abnormal.tolist() == [0.0, 1.0]


def test_a_table_of_companions_names_the_line_that_cannot_be_used(table: Path) -> None:
    text = table.read_text()
    table.write_text(text.replace("host", "guest", 1))
    with pytest.raises(UserError, match=r"line 4: the role 'guest'"):
        Companions.load(table, ["normal", "pneumonia"], "pneumonia", 96)
    table.write_text(text.replace("pneumonia", "flu", 1))
    with pytest.raises(UserError, match=r"line 2: the label 'flu'"):
        Companions.load(table, ["normal", "pneumonia"], "pneumonia", 96)
