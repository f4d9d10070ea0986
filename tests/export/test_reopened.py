"""What is saved predicts in another process what it predicted here: every architecture, every task, every format."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_reader
import torch

from ai_for_sudan.datasets import squash
from ai_for_sudan.evaluation.file_table import file_table
from ai_for_sudan.export import ExportOptions, export_reader, graph, int8
from ai_for_sudan.export.network import Calibration, OneFilm, ReaderNetwork
from ai_for_sudan.lungs import load_finder
from ai_for_sudan.models import (
    Architecture,
    CheckpointState,
    create,
    folded,
    logits,
    names,
    probabilities,
    save_checkpoint,
)
from ai_for_sudan.models.quantised import quantise, save_quantised
from ai_for_sudan.radiographs import read_radiograph
from ai_for_sudan.reading import Card
from ai_for_sudan.training import LabelledFilms

OPEN = """
import sys
from pathlib import Path
import numpy as np
from ai_for_sudan.evaluation.subject import open_subject
pixels = np.load(sys.argv[1])
np.savez(sys.argv[2], **{Path(f).name: open_subject(Path(f), where="cpu").predict(pixels) for f in sys.argv[3:]})
"""


def write_reader(path: Path, model: Architecture) -> None:
    """The network's graph under the smallest card that opens."""
    plain = Calibration(torch.ones(len(model.spec.classes)), torch.zeros(len(model.spec.classes)), model.spec.task)
    one = OneFilm(ReaderNetwork(folded(model), plain)).eval()
    sides = {0: torch.export.Dim("height", min=64, max=8192), 1: torch.export.Dim("width", min=64, max=8192)}
    exported = graph.export_graph(one, torch.randint(0, 255, (261, 300), dtype=torch.uint8), sides)
    film = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    found = graph.run(graph.session(exported), film)
    test = {
        "size": 64,
        "pixels": base64.b64encode(film.tobytes()).decode(),
        "probability": found["probability"].tolist(),
        "gate": found["gate"].tolist(),
        "heatmap_sum": float(found["heatmap"][model.spec.positive_index].sum()),
        "tolerance": 0.02,
    }
    facts = tiny_reader.card() | {"classes": list(model.spec.classes), "task": model.spec.task, "selftest": test}
    graph.write(path, exported, Card.from_json(json.dumps(facts | {"gate": {"scores": []}})))


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("task", ["exclusive", "multilabel"])
def test_each_format_predicts_in_another_process_what_it_predicted_here(name: str, task: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = create(name, ("normal", "effusion", "pneumonia"), task=task, finder=load_finder()).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # as after training: no buffer is what it is in a fresh network
            module.running_mean += 0.02 * torch.randn_like(module.running_mean)
    films = np.random.default_rng(1).integers(0, 256, (3, 224, 224), np.uint8)
    films[1] //= 3
    films[2, :112] //= 4
    raw, last = logits(model, films), model.classifier[-1]
    gain = 4 / float(np.ptp(raw.numpy(), axis=0).max())  # so that the three films get three answers
    last.weight.data, last.bias.data = gain * last.weight.data, -gain * raw.mean(0)
    quantised = quantise(model)
    state = CheckpointState(operating_point={"threshold": 0.5})
    files = [tmp_path / n for n in ("best_model.pth", "model.safetensors", "quantized_model.pth", "reader.onnx")]
    save_checkpoint(files[0], model, state)
    save_checkpoint(files[1], model, state)
    save_quantised(files[2], quantised, state)
    write_reader(files[3], model)
    np.save(tmp_path / "films.npy", films)
    subprocess.run([sys.executable, "-c", OPEN, tmp_path / "films.npy", tmp_path / "found.npz", *files], check=True)
    of_float, of_int8 = (probabilities(logits(m, films), task).numpy() for m in (model, quantised))
    spread = np.ptp(of_float, axis=0).max()
    assert spread > 0.1, "the films must differ for the network"
    with np.load(tmp_path / "found.npz") as found:
        for file in files:
            expected = of_int8 if file == files[2] else of_float
            # The reader file keeps the leading bits of its weights alone.
            np.testing.assert_allclose(found[file.name], expected, atol=spread / (20 if file == files[3] else 100))
    labels = np.array([0, 1, 2]) if task == "exclusive" else np.eye(3, dtype=np.float32)
    table = file_table(files, films, labels).splitlines()
    assert [line.split()[:2] for line in table[1:]] == [[f.name, f"{f.stat().st_size:,}"] for f in files]


CUT_OFFS = """
import json, sys
import numpy as np
from ai_for_sudan.disturbances import perturbed
from ai_for_sudan.reading import Reader
from ai_for_sudan.statistics import Predictions, operating_points
films, labels = (np.load(path) for path in sys.argv[2:4])
reader = Reader.open(sys.argv[1])
sets = []
for some in (films, perturbed(films, 1)):
    found = [reader.outputs(film) for film in some]
    sets.append(Predictions.of(labels, np.array([one["probability"][1] for one in found])))
found = {name: [point.not_seen_below, point.suspected_from] for name, point in operating_points(sets).items()}
abnormal = [float(reader.outputs(film)["abnormal"][0]) for film in films[labels == 0]]
print(json.dumps([found, float(np.quantile(abnormal, 0.97))]))
"""


@pytest.mark.parametrize("small", [False, True])
def test_cut_offs_are_those_of_the_written_file(
    small: bool, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quantised file has cut-offs of its own. Another process opens the file and finds the same ones."""
    for name, none in (("AUROC_LOSS", 1.0), ("DECISIONS_EQUAL", 0.0), ("HEATMAP_CORRELATION", -1.0)):
        monkeypatch.setattr(int8, name, none)  # an untrained network has little to lose
    torch.manual_seed(0)
    model = create("custom_cnn", ("normal", "pneumonia"), finder=load_finder(), abnormal=True).eval()
    files = sorted(samples.glob("*.png"))
    pixels = np.stack([squash(read_radiograph(file).pixels, 224) for file in files])
    labels = np.array([int(file.name.startswith("pneumonia")) for file in files])
    films = LabelledFilms(pixels, labels, np.arange(len(files)).astype(str))
    path = tmp_path / "reader.onnx"
    options = ExportOptions("test", {"data": "synthetic"}, int8=small, float_convolutions=0, force=True)
    card = export_reader(model, CheckpointState(), films, films, path, options, say=lambda _: None)
    np.save(tmp_path / "films.npy", pixels)
    np.save(tmp_path / "labels.npy", labels)
    command = [sys.executable, "-c", CUT_OFFS, path, tmp_path / "films.npy", tmp_path / "labels.npy"]
    found, limit = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for name, point in card["operating_points"].items():
        assert found[name] == pytest.approx([point["not_seen_below"], point["suspected_from"]], abs=1e-6), name
    assert card["abnormal"]["limit"] >= limit - 1e-6, "the perturbed films ask for no less"
    assert card["precision"] == ("int8" if small else "float32")
