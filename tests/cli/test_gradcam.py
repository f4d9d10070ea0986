"""`gradcam`: the heatmap alone, for a chosen class and layer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ai_for_sudan.cli import main
from ai_for_sudan.explanation import GradCAM
from ai_for_sudan.models import load_checkpoint


def gradcam(checkpoint: Path, *more: object) -> int:
    return main(["gradcam", "--checkpoint", str(checkpoint), *map(str, more)])


@pytest.fixture
def film(dataset: Path) -> Path:
    return dataset / "val/pneumonia/p0_1.png"


def test_the_raw_map_is_the_network_s_own(film, checkpoint, tmp_path, capsys) -> None:
    path = checkpoint()
    code = gradcam(path, "--image", film, "--layer", "features.1", "--raw", "--json", "--output", tmp_path / "h.png")
    assert code == 0
    line = json.loads(capsys.readouterr().out)
    model, _ = load_checkpoint(path)
    pixels = torch.from_numpy(np.array(Image.open(film))).view(1, 1, 64, 64).float() / 255
    expected = GradCAM(model, "features.1")(pixels, 1).maps[0].numpy()
    found = np.load(tmp_path / "h.npy")
    assert found.dtype == np.float32 and found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert found.max() > 0 and line["peak"] == pytest.approx(float(found.max()), abs=1e-5)
    assert line["layer"] == "features.1" and line["class"] == "pneumonia"


def test_the_heatmap_alone_and_over_the_film(film, checkpoint, tmp_path) -> None:
    path = checkpoint()
    # Nothing speaks for the first class, whose weights are 0: the map is empty, so black alone and the film itself.
    code = gradcam(
        path, "--image", film, "--target_class", "normal", "--no-overlay", "--output", tmp_path / "alone.png"
    )
    assert code == 0
    assert np.asarray(Image.open(tmp_path / "alone.png"))[:64].max() == 0
    code = gradcam(path, "--image", film, "--target_class", "0", "--output", tmp_path / "over.png")
    assert code == 0
    drawn = np.asarray(Image.open(tmp_path / "over.png").convert("L"), dtype=int)[:64]
    assert np.abs(drawn - np.asarray(Image.open(film), dtype=int)).max() <= 1
    assert gradcam(path, "--image", film, "--no-overlay", "--output", tmp_path / "hot.png") == 0
    assert np.asarray(Image.open(tmp_path / "hot.png"))[:64].max() > 50


def test_a_weaker_scale_looks_weaker(film, checkpoint, tmp_path) -> None:
    path, brightness = checkpoint(), []
    for reference in ("0.5", "50"):
        assert (
            gradcam(path, "--image", film, "--no-overlay", "--reference", reference, "--output", tmp_path / "r.png")
            == 0
        )
        brightness.append(np.asarray(Image.open(tmp_path / "r.png"), dtype=int)[:64].mean())
    assert brightness[0] > 5 * brightness[1]


def test_a_quantised_model_can_be_explained(film, checkpoint, tmp_path) -> None:
    from ai_for_sudan.models.quantised import quantise, save_quantised

    path = checkpoint()
    model, state = load_checkpoint(path)
    save_quantised(tmp_path / "quantized_model.pth", quantise(model), state)
    maps = []
    for source in (path, tmp_path / "quantized_model.pth"):
        assert gradcam(source, "--image", film, "--raw", "--output", tmp_path / "q.png") == 0
        maps.append(np.load(tmp_path / "q.npy"))
    np.testing.assert_allclose(*maps, rtol=0.02)


def test_many_films_and_a_bad_one(dataset, checkpoint, tmp_path, capsys) -> None:
    (dataset / "val/normal/bad.png").write_bytes(b"")
    Image.new("L", (1, 1)).save(dataset / "val/normal/dot.png")
    assert gradcam(checkpoint(), "--image", dataset, "--raw", "--output", tmp_path / "o") == 1
    output = capsys.readouterr().err
    assert "bad.png: the file is empty" in output and "dot.png: the picture has 1 x 1 pixels" in output
    assert len(list((tmp_path / "o").rglob("*.png"))) == len(list((tmp_path / "o").rglob("*.npy"))) == 20


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--layer", "layer4"], "features.1"),
        (["--layer", "classifier.1"], "not a feature map"),
        (["--target_class", "tumour"], "0 normal, 1 pneumonia"),
        (["--target_class", "2"], "0 normal, 1 pneumonia"),
        (["--reference", "0"], "more than 0"),
        (["--reference", "nan"], "more than 0"),
        (["--model_type", "mobilenet_v2"], "holds a custom_cnn"),
    ],
)
def test_wrong_requests(film, checkpoint, tmp_path, capsys, more: list[str], words: str) -> None:
    assert gradcam(checkpoint(), "--image", film, "--output", tmp_path / "w.png", *more) == 2
    error = capsys.readouterr().err.strip()
    assert words in error and error.count("\n") == 0
    assert not (tmp_path / "w.png").exists()


def test_a_reader_file_is_sent_to_inference(film, reader_file, tmp_path, capsys) -> None:
    assert gradcam(reader_file, "--image", film, "--output", tmp_path / "w.png") == 2
    assert "inference" in capsys.readouterr().err
