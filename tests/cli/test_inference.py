"""`inference`: films in, classes and overlays out; bad films and bad models."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ai_for_sudan.cli import main


def inference(checkpoint: Path, *more: object) -> int:
    return main(["inference", "--checkpoint", str(checkpoint), *map(str, more)])


def test_one_film_as_the_readme_has_it(dataset, checkpoint, tmp_path, capsys) -> None:
    film, output = dataset / "val/pneumonia/p0_1.png", tmp_path / "outputs/gradcam_inference.png"
    assert inference(checkpoint(), "--image", film, "--model_type", "custom_cnn", "--output", output) == 0
    out = capsys.readouterr().out
    assert "pneumonia" in out and str(output) in out and "a clinician decides" in out
    with Image.open(output) as picture:
        assert picture.format == "PNG" and picture.width == 64 and picture.height > 64  # a legend below
        colours = np.asarray(picture.convert("RGB"), dtype=int)[:64]
    assert (colours[..., 0] - colours[..., 2]).mean() > 10  # the heatmap is drawn


def test_a_clear_film_stays_grey(dataset, checkpoint, tmp_path) -> None:
    film, output = dataset / "val/normal/n0_1.png", tmp_path / "o.png"
    assert inference(checkpoint(), "--image", film, "--output", output) == 0
    with Image.open(output) as drawn, Image.open(film) as original:
        top = np.asarray(drawn.convert("RGB"), dtype=int)[:64]
        assert np.abs(top - np.asarray(original, dtype=int)[..., None]).max() <= 1


def test_folders_patterns_and_bad_films(dataset, checkpoint, tmp_path, capsys) -> None:
    bad = dataset / "val/normal/zz.png"
    bad.write_bytes((dataset / "val/normal/n0_1.png").read_bytes()[:100])
    Image.new("L", (1, 1)).save(tmp_path / "dot.png")
    code = inference(
        checkpoint(),
        "--image",
        dataset / "val/normal",
        dataset / "val/pneumonia/p0_*.png",
        tmp_path / "none.png",
        tmp_path / "dot.png",
        dataset / "val/normal/n0_0.png",  # given twice, read once
        "--output",
        tmp_path / "o",
        "--json",
    )
    assert code == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 10 + 2 + 3
    by_name = {Path(line["file"]).name: line for line in lines}
    assert by_name["zz.png"]["status"] == by_name["none.png"]["status"] == "failed"
    assert by_name["dot.png"]["codes"] == ["too_small"] and by_name["dot.png"]["overlay"] is None
    assert by_name["zz.png"]["reasons"] and by_name["zz.png"]["overlay"] is None
    good = by_name["n4_9.png"]
    assert good["label"] == "normal" and good["confidence"] == pytest.approx(1 - good["probability"], abs=1e-5)
    assert by_name["p0_1.png"]["label"] == "pneumonia" and by_name["p0_1.png"]["confidence"] > 0.6
    assert all(Path(line["overlay"]).is_file() for line in lines if line["status"] != "failed")
    assert len(list((tmp_path / "o").rglob("*.png"))) == 12


def test_films_of_one_name_keep_their_overlays(dataset, checkpoint, tmp_path) -> None:
    for folder in ("a", "b"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        (tmp_path / "in" / folder / "x.png").write_bytes((dataset / "val/normal/n0_1.png").read_bytes())
    assert inference(checkpoint(), "--image", tmp_path / "in", "--output", tmp_path / "o") == 0
    assert len(list((tmp_path / "o").rglob("*.png"))) == 2


def test_a_reader_file_is_read_without_pytorch(reader_file, samples, tmp_path) -> None:
    script = (
        "import sys\nfrom ai_for_sudan.cli import main\n"
        "code = main(sys.argv[1:])\nassert 'torch' not in sys.modules\nsys.exit(code)"
    )
    films = [str(samples / "normal_01.png"), str(samples / "pneumonia_01.png")]
    command = ["inference", "--checkpoint", str(reader_file), "--image", *films, "--output", str(tmp_path), "--json"]
    done = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["reader"] for line in lines] == ["tiny 0.1"] * 2
    assert all(Path(line["overlay"]).is_file() for line in lines)


@pytest.mark.parametrize("name", ["best_model.pth", "best_model.safetensors"])
@pytest.mark.parametrize("model_type", ["custom_cnn", "mobilenet_v2"])
def test_both_models_and_both_kinds_of_file(dataset, checkpoint, tmp_path, name: str, model_type: str) -> None:
    path = checkpoint(name, model_type=model_type)
    film = dataset / "val/pneumonia/p0_1.png"
    assert inference(path, "--image", film, "--model_type", model_type, "--output", tmp_path / "o.png") == 0
    assert (tmp_path / "o.png").is_file()


def test_findings_are_listed(dataset, checkpoint, tmp_path, capsys) -> None:
    path = checkpoint(classes=("effusion", "pneumonia"), task="multilabel")
    assert inference(path, "--image", dataset / "val/pneumonia/p0_1.png", "--output", tmp_path / "o.png", "--json") == 0
    assert json.loads(capsys.readouterr().out)["label"] == "pneumonia"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--image", "nothing/*.png"], "could not be read"),
        (["--image", "FOLDER"], "no films"),
        (["--image", "FILM", "--output", "FILM"], "is among the inputs and would be replaced"),
        (["--image", "FILM", "FILM2", "--output", "o.png"], "give a folder"),
        (["--image", "FILM", "--output", "o.jpg"], "ending in .png"),
        (["--image", "FILM", "--model_type", "mobilenet_v2"], "holds a custom_cnn"),
    ],
)
def test_wrong_requests(dataset, checkpoint, tmp_path, monkeypatch, capsys, more: list[str], words: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    film = dataset / "val/normal/n0_1.png"
    before = film.read_bytes()
    places = {"FILM": film, "FILM2": dataset / "val/normal/n1_2.png", "FOLDER": tmp_path / "empty"}
    assert inference(checkpoint(), *(places.get(word, word) for word in more)) in (1, 2)
    output = capsys.readouterr()
    assert words in output.out + output.err and "Traceback" not in output.err
    assert film.read_bytes() == before
    assert not list(tmp_path.rglob("*.part")) and not (tmp_path / "o.png").exists()


def test_a_damaged_model_says_so(dataset, checkpoint, tmp_path, capsys) -> None:
    film = dataset / "val/normal/n0_1.png"
    assert inference(checkpoint(gain=float("nan")), "--image", film, "--output", tmp_path / "o.png") == 2
    assert "weights are damaged" in capsys.readouterr().err
    (tmp_path / "x.pth").write_bytes(b"\x80\x04garbage")
    assert inference(tmp_path / "x.pth", "--image", film, "--output", tmp_path / "o.png") == 2
    assert "not a checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "o.png").exists()


def test_a_disk_that_fills_up_leaves_the_earlier_overlay(dataset, checkpoint, tmp_path, capsys) -> None:
    resource = pytest.importorskip("resource", reason="limits of file sizes are not known to this system")
    path, output = checkpoint(), tmp_path / "o.png"
    assert inference(path, "--image", dataset / "val/normal/n0_1.png", "--output", output) == 0
    there = output.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
    try:
        code = inference(path, "--image", dataset / "val/pneumonia/p0_1.png", "--output", output)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 2
    assert "the previous file is unchanged" in capsys.readouterr().err
    assert output.read_bytes() == there and not list(tmp_path.glob(".*"))


def test_ctrl_c_ends_in_one_line(dataset, checkpoint, tmp_path, monkeypatch, capsys) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ai_for_sudan.cli.inference.save_png", interrupted)
    assert inference(checkpoint(), "--image", dataset, "--output", tmp_path / "o") == 130
    assert capsys.readouterr().err.strip() == "ai-for-sudan inference: interrupted"


def test_the_cut_offs_stand_beside_the_probability(dataset, checkpoint, tmp_path, capsys) -> None:
    """The predicted class may have less than half of the probability: nobody must have to guess why."""
    path = checkpoint(operating_point={"threshold": 0.9999, "reason": "by hand"})
    assert inference(path, "--image", dataset / "val/pneumonia/p0_1.png", "--output", tmp_path / "o.png") == 0
    out = capsys.readouterr().out
    assert re.search(r"^normal +0\.0\d+  ", out, re.MULTILINE)
    assert re.search(r"pneumonia 0\.99\d \(not seen below 1\.000, suspected from 1\.000", out)
    assert inference(checkpoint(), "--image", dataset / "val/pneumonia/p0_1.png", "--output", tmp_path / "o.png") == 0
    assert re.search(r"pneumonia 0\.99\d \(not seen below 0\.600, suspected from 0\.600", capsys.readouterr().out)


def test_a_refused_film_shows_no_number(reader_file, tmp_path, capsys) -> None:
    Image.new("L", (200, 200), 90).save(tmp_path / "blank.png")
    assert inference(reader_file, "--image", tmp_path / "blank.png", "--output", tmp_path / "o.png") == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("refused"))
    assert not re.search(r"[01]\.\d", line.partition(str(tmp_path))[0])


def test_no_picture_of_others_is_replaced_and_one_that_cannot_be_kept_stops_no_batch(
    dataset, checkpoint, tmp_path, capsys
) -> None:
    path, films = checkpoint(), dataset / "val/normal"
    foreign = tmp_path / "o/n0_1.png.overlay.png"
    foreign.parent.mkdir()
    Image.new("L", (9, 9)).save(foreign)
    there = foreign.read_bytes()
    assert inference(path, "--image", films, "--output", tmp_path / "o") == 1
    assert "n0_1.png: no overlay was saved" in capsys.readouterr().err
    assert foreign.read_bytes() == there and len(list((tmp_path / "o").iterdir())) == 10
    assert inference(path, "--image", films / "n0_1.png", "--output", foreign) == 2
    assert "was not written by this command" in capsys.readouterr().err
    assert inference(path, "--image", films, "--output", dataset) == 2
    assert "holds the films" in capsys.readouterr().err


def test_names_do_not_drive_the_terminal(dataset, checkpoint, tmp_path, capsys) -> None:
    film = dataset / "val/normal/n0_1.png"
    evil = film.with_name("a\x1b[2Jb\nnormal 0.001.png")
    film.rename(evil)
    for more in ([], ["--json"]):
        assert inference(checkpoint(), "--image", evil, "--output", tmp_path / "o", *more) == 0
        out = capsys.readouterr().out
        assert "\x1b" not in out and not re.search(r"^normal 0\.001", out, re.MULTILINE)
