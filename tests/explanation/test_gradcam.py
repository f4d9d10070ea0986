"""Grad-CAM against maps computed by hand and against two libraries."""

from __future__ import annotations

import gc
from collections import OrderedDict

import pytest
import torch
from torch import nn

from ai_for_sudan.errors import UserError
from ai_for_sudan.explanation import GradCAM
from ai_for_sudan.models import create, names


def tiny(inplace: bool = False) -> nn.Sequential:
    """Two channels: the film itself and its double; the class logits weigh their means."""
    model = nn.Sequential(
        OrderedDict(
            layer=nn.Conv2d(1, 2, 1, bias=False),
            relu=nn.ReLU(inplace=inplace),
            pool=nn.AdaptiveAvgPool2d(1),
            flat=nn.Flatten(),
            head=nn.Linear(2, 2, bias=False),
        )
    )
    with torch.no_grad():
        model.layer.weight.copy_(torch.tensor([1.0, 2.0]).view(2, 1, 1, 1))
        model.head.weight.copy_(torch.tensor([[1.0, -1.0], [3.0, 1.0]]))
    return model


FILM = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("layer", ["layer", "relu"])
def test_a_map_computed_by_hand(inplace: bool, layer: str) -> None:
    # logit 1 = 3 mean(x) + 1 mean(2x); a place adds a quarter of its activation to each mean, and the gradient at
    # the places where the ReLU is closed (the 0) is 0 before the ReLU and a quarter after it.
    share = torch.tensor(0.75 if layer == "layer" else 1.0) / 4
    found = GradCAM(tiny(inplace), layer)(FILM, 1)
    torch.testing.assert_close(found.maps, (3 * FILM[:, 0] + 2 * FILM[:, 0]) * share)
    torch.testing.assert_close(found.logits, torch.tensor([[1.5 - 3.0, 4.5 + 3.0]]))


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("inplace", [False, True])
def test_the_hooks_find_what_autograd_computes(inplace: bool, frozen: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(inplace=inplace), nn.Conv2d(4, 3, 3), nn.ReLU(inplace=inplace), nn.Flatten(),
        nn.Linear(3 * 4 * 4, 2),
    )  # fmt: skip
    model.requires_grad_(not frozen)
    films = torch.rand(2, 1, 8, 8)
    first = torch.relu(model[0](films)).detach().requires_grad_(True)
    logits = model[5](torch.relu(model[2](first)).flatten(1))
    (gradients,) = torch.autograd.grad(logits[:, 1].sum(), first)
    expected = (gradients.mean((2, 3), keepdim=True) * first).sum(1).relu()
    found = GradCAM(model, "1")(films, 1)
    torch.testing.assert_close(found.maps, expected.detach())
    assert float(found.maps.max()) > 0
    assert all(parameter.grad is None for parameter in model.parameters())


def test_evidence_against_a_class_is_cut_off() -> None:
    # logit 0 = mean(x) - mean(2x): negative everywhere.
    assert torch.equal(GradCAM(tiny(), "relu")(FILM, 0).maps, torch.zeros(1, 2, 2))


def test_the_map_is_not_stretched() -> None:
    strong, weak = GradCAM(tiny(), "relu")(torch.cat([FILM, FILM / 100]), 1).maps
    torch.testing.assert_close(strong / 100, weak)


def test_each_film_may_have_its_own_class_and_the_best_is_the_default() -> None:
    gradcam = GradCAM(tiny(), "relu")
    both = gradcam(torch.cat([FILM, FILM]), [0, 1]).maps
    assert torch.equal(both[0], torch.zeros(2, 2)) and both[1].sum() > 0
    assert torch.equal(gradcam(FILM).maps, gradcam(FILM, 1).maps)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_it_works_where_gradients_are_off_and_with_frozen_weights(context) -> None:
    model = tiny().requires_grad_(False)
    expected = GradCAM(tiny(), "layer")(FILM, 1).maps
    with context():
        assert torch.equal(GradCAM(model, "layer")(FILM.clone(), 1).maps, expected)


def test_the_network_is_left_as_it_was() -> None:
    model = create("custom_cnn", ["a", "b"]).train()
    model.classifier[1].weight.grad = torch.ones_like(model.classifier[1].weight)
    statistics = model.features[0][1].running_mean.clone()
    GradCAM(model)(torch.rand(2, 1, 64, 64), 1)
    assert model.training and model.features.training
    assert torch.equal(model.classifier[1].weight.grad, torch.ones_like(model.classifier[1].weight))
    assert model.features[0][0].weight.grad is None
    assert torch.equal(model.features[0][1].running_mean, statistics)


def test_each_module_keeps_its_own_mode() -> None:
    model = create("custom_cnn", ["a", "b"]).train()
    model.features[0].eval()  # a frozen block inside a network that trains
    before = [module.training for module in model.modules()]
    GradCAM(model)(torch.rand(1, 1, 64, 64), 1)
    assert [module.training for module in model.modules()] == before
    with pytest.raises(UserError):
        GradCAM(model)(torch.rand(1, 1, 64, 64), 7)
    assert [module.training for module in model.modules()] == before


def test_the_map_adds_up_to_the_logit() -> None:
    # Global average pooling and one linear layer without bias: what is for the class and nothing against it.
    found = GradCAM(tiny(), "relu")(FILM, 1)
    torch.testing.assert_close(found.maps.sum(), found.logits[0, 1])


def test_full_colour_means_the_same_at_every_resolution() -> None:
    film = torch.full((1, 1, 8, 8), 0.7)
    small, large = GradCAM(tiny(), "relu")(film[..., :4, :4], 1), GradCAM(tiny(), "relu")(film, 1)
    torch.testing.assert_close(small.maps.max() / small.full_colour, large.maps.max() / large.full_colour)


def test_a_batch_gives_the_maps_of_its_films() -> None:
    torch.manual_seed(0)
    gradcam, films = GradCAM(create("custom_cnn", ["a", "b"])), torch.rand(3, 1, 64, 64)
    each = torch.cat([gradcam(film[None], 1).maps for film in films])
    torch.testing.assert_close(gradcam(films, 1).maps, each, atol=1e-6, rtol=1e-4)


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._backward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_hooks_are_removed_on_error() -> None:
    model = create("custom_cnn", ["a", "b"])
    with pytest.raises(UserError, match="no class 2"):
        GradCAM(model)(torch.rand(1, 1, 64, 64), 2)
    with pytest.raises(RuntimeError):
        GradCAM(model)(torch.rand(1, 7, 64, 64), 1)
    with pytest.raises(UserError, match="not a feature map"):
        GradCAM(model, "classifier.1")(torch.rand(1, 1, 64, 64), 1)
    assert hooks(model) == 0


def test_nothing_is_left_after_200_calls() -> None:
    model = create("custom_cnn", ["a", "b"])
    gradcam, films = GradCAM(model), torch.rand(1, 1, 32, 32)

    def tensors() -> int:
        gc.collect()
        return sum(isinstance(thing, torch.Tensor) for thing in gc.get_objects())

    gradcam(films, 1)
    before = tensors()
    for _ in range(200):
        gradcam(films, 1)
    assert tensors() == before
    assert hooks(model) == 0


def test_an_unknown_layer_lists_the_layers() -> None:
    with pytest.raises(UserError, match=r"features\.0"):
        GradCAM(create("custom_cnn", ["a", "b"]), "layer4")


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("layer", [None, "features.4"])
def test_captum_and_pytorch_grad_cam_agree(name: str, layer: str | None) -> None:
    from captum.attr import LayerGradCam
    from pytorch_grad_cam import GradCAM as LibraryGradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    torch.manual_seed(0)
    model = create(name, ["normal", "pneumonia"]).eval()
    films = torch.rand(2, 1, 64, 64)
    ours = GradCAM(model, layer)
    module = dict(model.named_modules())[ours.layer]
    maps = ours(films, 1).maps
    theirs = LayerGradCam(model, module).attribute(films, 1, relu_attributions=True)[:, 0]
    torch.testing.assert_close(maps, theirs.detach(), atol=1e-4, rtol=1e-4)

    class Raw(LibraryGradCAM):
        """The library's map before it is stretched to 0..1 and enlarged."""

        def compute_cam_per_layer(self, input_tensor, targets, eigen_smooth):
            activations = self.activations_and_grads.activations[0].cpu().data.numpy()
            gradients = self.activations_and_grads.gradients[0].cpu().data.numpy()
            self.raw = self.get_cam_image(
                input_tensor, self.target_layers[0], targets, activations, gradients, eigen_smooth
            )
            return super().compute_cam_per_layer(input_tensor, targets, eigen_smooth)

    with Raw(model=model, target_layers=[module]) as library:
        library(input_tensor=films, targets=[ClassifierOutputTarget(1)] * 2)
        torch.testing.assert_close(maps, torch.from_numpy(library.raw).relu(), atol=1e-4, rtol=1e-4)
