"""Both networks, over the registry."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from ai_for_sudan.errors import UserError
from ai_for_sudan.models import CheckpointState, SplitRecord, create, load_checkpoint, names, save_checkpoint

CLASSES = ["normal", "pneumonia"]


@pytest.fixture(params=["custom_cnn", "mobilenet_v2"])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_the_registry_holds_both() -> None:
    assert names() == ["custom_cnn", "mobilenet_v2"]


def test_logits_are_the_classifier_on_pooled_features(name: str) -> None:
    torch.manual_seed(0)
    model = create(name, [*CLASSES, "other"]).eval()
    films = torch.rand(2, 1, 224, 224)
    with torch.no_grad():
        features = model.feature_map(films)
        embedding = model.embedding(features)
        last = model.classifier[-1]
        torch.testing.assert_close(embedding @ last.weight.T + last.bias, model(films), atol=1e-5, rtol=1e-4)
    assert model(films).shape == (2, 3)
    assert model.spec.positive == "other"


def test_gate_layers_and_target_layer_exist(name: str) -> None:
    modules = dict(create(name, CLASSES).named_modules())
    model = create(name, CLASSES)
    assert {model.target_layer, *model.gate_layers} <= set(modules)


def test_custom_cnn_is_small_and_made_of_what_it_says() -> None:
    model = create("custom_cnn", CLASSES)
    assert sum(parameter.numel() for parameter in model.parameters()) <= 400_000
    assert any(isinstance(module, nn.Dropout2d | nn.Dropout) for module in model.features.modules())
    assert any(isinstance(module, nn.Dropout) for module in model.classifier.modules())
    assert any(isinstance(module, nn.MaxPool2d) for module in model.modules())


def test_custom_cnn_initialisation() -> None:
    torch.manual_seed(0)
    for module in create("custom_cnn", CLASSES).modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * 9
            assert float(module.weight.std()) == pytest.approx((2 / fan_out) ** 0.5, rel=0.12)
        elif isinstance(module, nn.Linear):
            limit = (6 / (module.in_features + module.out_features)) ** 0.5
            assert 0.8 * limit < float(module.weight.abs().max()) <= limit
            assert not module.bias.any()
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all() and not module.bias.any()


def test_imagenet_weights_from_a_file_match_torchvision(shared: Path) -> None:
    from torchvision.models import mobilenet_v2

    path = shared / "weights" / "mobilenet_v2_imagenet_features.pth"
    model = create("mobilenet_v2", CLASSES, pretrained=path).eval()
    reference = mobilenet_v2(weights=None)
    reference.load_state_dict(torch.load(path, weights_only=True), strict=False)
    reference.eval()
    films = torch.rand(1, 1, 224, 224)
    colour = (films.expand(-1, 3, -1, -1) - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(1, 3, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(model.feature_map(films), reference.features(colour), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("content", [b"", b"not weights", None])
def test_bad_weights_are_one_clear_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "weights.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"weights\.pth"):
        create("mobilenet_v2", CLASSES, pretrained=path)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save(create("custom_cnn", CLASSES).state_dict(), path)
    with pytest.raises(UserError, match="not the weights of torchvision's mobilenet_v2"):
        create("mobilenet_v2", CLASSES, pretrained=path)


def test_custom_cnn_has_no_pretrained_weights() -> None:
    with pytest.raises(UserError, match="leave out --pretrained"):
        create("custom_cnn", CLASSES, pretrained=True)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_checkpoint_brings_back_weights_spec_and_state(tmp_path: Path, name: str, suffix: str) -> None:
    torch.manual_seed(1)
    model = create(name, CLASSES, positive="normal").eval()
    path = tmp_path / f"model{suffix}"
    state = CheckpointState({"epochs": 3}, SplitRecord("by patient", "0a"), operating_point={"threshold": 0.25})
    save_checkpoint(path, model, state)
    again, loaded = load_checkpoint(path, expect=name)
    assert again.spec == model.spec
    assert loaded == state and loaded.point.suspected_from == 0.25
    films = torch.rand(1, 1, 224, 224)
    with torch.no_grad():
        assert torch.equal(again(films), model(films))


def test_a_wrong_model_type_is_noticed(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "m.pth", create("custom_cnn", CLASSES))
    with pytest.raises(UserError, match="holds a custom_cnn, not a mobilenet_v2"):
        load_checkpoint(tmp_path / "m.pth", expect="mobilenet_v2")


def test_a_pickle_is_not_executed(tmp_path: Path) -> None:
    import pickle

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (Path(tmp_path / "sprung"),)  # type: ignore[return-value]

    (tmp_path / "m.pth").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(UserError, match="not a checkpoint"):
        load_checkpoint(tmp_path / "m.pth")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x02garbage", b"PK\x03\x04"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_foreign_files_are_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"m{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a checkpoint of this project"):
        load_checkpoint(path)


@pytest.mark.parametrize("broken", [{"spec": None}, {"weights": None}, {"spec": {"name": "custom_cnn"}}])
def test_a_checkpoint_with_broken_parts_is_refused(tmp_path: Path, broken: dict[str, object]) -> None:
    path = tmp_path / "m.pth"
    save_checkpoint(path, create("custom_cnn", CLASSES))
    torch.save({**torch.load(path, weights_only=True), **broken}, path)
    with pytest.raises(UserError, match=r"m\.pth is damaged"):
        load_checkpoint(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_full_disk_leaves_the_earlier_file(tmp_path: Path, suffix: str) -> None:
    resource = pytest.importorskip("resource", reason="limits of file sizes are not known to this system")
    path = tmp_path / f"m{suffix}"
    path.write_bytes(b"what was there")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(UserError, match="the previous file is unchanged"):
            save_checkpoint(path, create("custom_cnn", CLASSES))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"what was there"]


def test_a_missing_checkpoint_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train\.py"):
        load_checkpoint(tmp_path / "none.pth")
