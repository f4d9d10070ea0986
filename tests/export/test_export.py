"""Reader files of untrained networks: the graph, the gate, the refusals, the companions."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from ai_for_sudan.contract import Card
from ai_for_sudan.contract.names import OUTPUTS
from ai_for_sudan.datasets import squash
from ai_for_sudan.errors import UserError
from ai_for_sudan.explanation import GradCAM
from ai_for_sudan.export import ExportOptions, GatePictures, Pictures, export_reader, graph, int8
from ai_for_sudan.export.facts import of_the_run
from ai_for_sudan.export.gate import fit_on
from ai_for_sudan.export.network import Calibration, Gate, OneFilm, ReaderNetwork
from ai_for_sudan.export.rules import GOOD_REFUSED
from ai_for_sudan.export.samples import Sample, Samples, parts_of, source
from ai_for_sudan.export.shortcuts import knowledge_without_lungs
from ai_for_sudan.lungs import back, load_finder
from ai_for_sudan.models import Architecture, CheckpointState, centre_head, create, names
from ai_for_sudan.radiographs import read_radiograph
from ai_for_sudan.reading import Reader
from ai_for_sudan.training import LabelledFilms

SAMPLES = ("normal_01", "pneumonia_01", "pneumonia_05")


def network(name: str, classes: tuple[str, ...] = ("normal", "pneumonia"), task: str = "exclusive") -> Architecture:
    torch.manual_seed(0)
    model = create(name, classes, task=task).eval()
    torch.nn.init.normal_(model.classifier[-1].bias)
    return model


def bare(model: Architecture) -> ReaderNetwork:
    count = len(model.spec.classes)
    calibration = Calibration(torch.linspace(0.8, 1.2, count), torch.linspace(-0.1, 0.1, count), model.spec.task)
    features = ReaderNetwork(model, calibration).gate_input(torch.rand(1, 1, 224, 224))[0].shape[1]
    return ReaderNetwork(model, calibration, Gate(torch.randn(3, features) * 0.01, torch.zeros(3), [1, 2])).eval()


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("task", ["exclusive", "multilabel"])
def test_the_heatmap_without_backward_pass_is_grad_cam(name: str, task: str) -> None:
    model = network(name, ("a", "b", "c"), task)
    films = torch.rand(2, 1, 224, 224)
    with torch.inference_mode():
        found = bare(model)(films)
    for index in range(3):
        expected = GradCAM(model)(films, index)
        torch.testing.assert_close(found.heatmap[:, index], expected.maps, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(found.logits, expected.logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", names())
def test_each_lung_is_read_for_itself_in_closed_form(name: str, samples: Path) -> None:
    """Hooks find the same map: a channel's weight is that of the linear layer times the share of its lung."""
    torch.manual_seed(0)
    model = create(name, ["normal", "pneumonia"], finder=load_finder(), abnormal=True).eval()
    with torch.no_grad():
        for layer in model.classifier:
            if isinstance(layer, torch.nn.Linear):
                layer.weight.mul_(6)
                torch.nn.init.normal_(layer.bias)
    centre_head(model)
    films = torch.stack(
        [torch.from_numpy(squash(read_radiograph(samples / f"{film}.png").pixels, 224)) for film in SAMPLES]
    )
    films = films[:, None].float() / 255
    network = ReaderNetwork(
        model,
        Calibration(torch.ones(2), torch.zeros(2), "exclusive"),
        abnormal=Calibration(torch.ones(1), torch.zeros(1), "multilabel"),
    ).eval()
    with torch.inference_mode():
        found = network(films)
    assert found.lungs_probability is not None and found.abnormal is not None and found.box is not None
    odds = (found.lungs_probability / (1 - found.lungs_probability)).log()
    film = found.logits[:, 1] - found.logits[:, 0]
    torch.testing.assert_close(film, odds.logsumexp(1), atol=1e-3, rtol=1e-3)
    assert (film >= odds.amax(1) - 1e-3).all(), "the film is at least as sick as its sicker lung"
    torch.testing.assert_close(found.logits, model(films), atol=1e-4, rtol=1e-4)
    for index in (0, 1):
        expected = GradCAM(model)(films, index)
        drawn = back(expected.maps[:, None], found.box, found.heatmap.shape[-1])[:, 0]
        torch.testing.assert_close(found.heatmap[:, index], drawn, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", names())
def test_the_file_agrees_with_the_network_at_every_size(name: str) -> None:
    model = network(name)
    one = OneFilm(bare(model)).eval()
    sides = {0: torch.export.Dim("height", min=64, max=8192), 1: torch.export.Dim("width", min=64, max=8192)}
    example = torch.randint(0, 255, (261, 300), dtype=torch.uint8)
    exported = graph.export_graph(one, example, sides)
    opened = graph.session(exported)
    random = np.random.default_rng(0)
    for size in ((224, 224), (64, 97), (64, 8192), (1031, 800)):
        pixels = random.integers(0, 256, size, np.uint8)
        with torch.inference_mode():
            expected = one(torch.from_numpy(pixels))
        assert graph.agreement(graph.run(opened, pixels), expected) < 5e-4  # some grey levels are rounded apart
    found = {initializer.name for initializer in exported.graph.initializer}
    assert {"head.weight", "head.bias", "calibration.scale", "calibration.bias"} <= found
    weights = [onnx.numpy_helper.to_array(each) for each in exported.graph.initializer if len(each.dims) == 4]
    assert weights
    dropped = np.uint32((1 << graph.DROPPED_BITS) - 1)
    assert not any((each.view(np.uint32) & dropped).any() for each in weights), "the file does not pack"


def test_resizing_in_the_graph_is_pillows(samples: Path) -> None:
    """What training saw and what the reader file sees differ by rounding only."""
    with Image.open(samples / "pneumonia_01.png") as image:
        film = image.convert("L").resize((701, 555))
    ours = torch.nn.functional.interpolate(
        torch.from_numpy(np.array(film))[None, None], (224, 224), mode="bilinear", antialias=True
    )[0, 0].numpy()
    theirs = np.asarray(film.resize((224, 224), Image.Resampling.BILINEAR), dtype=np.float32)
    assert np.abs(ours - theirs).max() <= 1.0


@pytest.fixture(scope="module")
def films(samples: Path) -> LabelledFilms:
    pixels, labels = [], []
    for path in sorted(samples.glob("*.png")):
        with Image.open(path) as image:
            pixels.append(np.asarray(image.convert("L").resize((224, 224))))
        labels.append(int(path.name.startswith("pneumonia")))
    return LabelledFilms(np.stack(pixels), np.array(labels), np.arange(len(labels)).astype(str))


@pytest.fixture(scope="module")
def exported(films: LabelledFilms, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("export")
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (12, 8, 8), np.uint8).repeat(28, 1).repeat(28, 2)
    names = [f"{'lateral' if i % 3 == 0 else 'photo'}/{i}.png" for i in range(12)]
    card = export_reader(
        network("custom_cnn"),
        CheckpointState(),
        films,
        films,
        folder / "reader.onnx",
        ExportOptions(
            "test",
            {"data": "synthetic", "films": 24, "patients": 24},
            bulk=True,
            torchscript=folder / "reader.pt",
            pt2=folder / "reader.pt2",
        ),
        pictures=GatePictures(
            other_chest=Pictures(np.asarray(films.pixels), [f"site/{i // 2:04}_{i}.png" for i in range(24)]),
            not_chest=Pictures(pictures, names),
        ),
        say=lambda _: None,
    )
    return folder, card


def test_the_reader_file_opens_and_reads(exported: tuple[Path, dict], films: LabelledFilms, samples: Path) -> None:
    folder, card = exported
    reader = Reader.open(folder / "reader.onnx")
    assert json.loads(json.dumps(card))["classes"] == ["normal", "pneumonia"]
    assert card["schema"] == 3 and Card.from_json(json.dumps(card)).title.endswith(f"+{card['identity'][:8]}")
    origin = card["provenance"]
    assert len(origin["weights_sha256"]) == 64 and {one["role"] for one in origin["data"]} >= {"training", "validation"}
    identities = {one["role"]: one["identity"] for one in origin["data"]}
    assert identities["training"] == identities["validation"] != identities["gate"]  # this test's are the same films
    reading = reader.read(samples / "pneumonia_01.png")
    assert reading.status in ("suspected", "not_seen", "uncertain", "refused")
    points = card["operating_points"]
    for key in ("not_seen_below", "suspected_from"):
        assert points["screening"][key] <= points["balanced"][key] <= points["rule-in"][key]


def test_a_reader_of_each_lung_says_which_and_keeps_its_promise_at_another_hospital(
    films: LabelledFilms, tmp_path: Path, samples: Path
) -> None:
    torch.manual_seed(0)
    model = create("custom_cnn", ["normal", "pneumonia"], finder=load_finder(), abnormal=True).eval()
    well = np.asarray(films.pixels)[films.labels == 0]
    healthy = Pictures(np.concatenate([well] * 4), [f"{number}.png" for number in range(4 * len(well))])

    def export(name: str, others: dict[str, Pictures]) -> dict:
        path = tmp_path / f"{name}.onnx"
        options = ExportOptions(name, {"data": "synthetic", "films": 24, "patients": 24}, force=True)
        return export_reader(model, CheckpointState(), films, films, path, options, healthy=others, say=lambda _: None)

    alone, held_to = export("alone", {}), export("held_to", {"Juba": healthy})
    point = held_to["operating_points"]["balanced"]
    assert point["measured"]["Juba"]["negative"]["films"] == len(healthy.pixels)
    assert point["measured"]["Juba"]["negative"]["shares"]["suspected"][0] <= point["false_alarms"]
    assert "Juba" not in alone["operating_points"]["balanced"]["measured"]
    assert "Juba" in held_to["abnormal"]["chosen_on"] and 0 < held_to["abnormal"]["limit"] < 1
    reader = Reader.open(tmp_path / "held_to.onnx")
    found = reader.outputs(np.asarray(films.pixels[0]))
    assert found["lungs_probability"].shape == (2,) and found["abnormal"].shape == (1,)
    odds = np.log(found["lungs_probability"] / (1 - found["lungs_probability"]))
    assert found["probability"][1] >= found["lungs_probability"].max() - 1e-4 and np.isfinite(odds).all()
    reading = reader.read(samples / "pneumonia_01.png")
    assert reading.right_lung is not None and reading.left_lung is not None and reading.abnormal is not None


def test_many_films_at_once_get_the_same_predictions(exported: tuple[Path, dict], films: LabelledFilms) -> None:
    folder, _ = exported
    bulk = graph.run(graph.session(onnx.load(folder / "reader.bulk.onnx")), films.pixels)
    single = graph.session(onnx.load(folder / "reader.onnx"))
    for index in (0, 7, 23):
        for name, value in graph.run(single, films.pixels[index]).items():
            np.testing.assert_allclose(bulk[name][index], value, atol=1e-3, rtol=1e-3)


def test_pictures_that_belong_together_are_never_divided() -> None:
    names = ["ct/16689_1_1.jpg", "ct/16689_2_2.jpg", "ct/16630_2_1.jpg", "mri/Flair_IM_0001_0006.jpg"]
    names += ["mri/Flair_IM_0001_0012.jpg", "lateral/16689_1_1.jpg", "photo/fox.jpg", "photo/dogsled.jpg"]
    sources = [source(name) for name in names]
    assert sources[0] == sources[1] and sources[3] == sources[4] and len(set(sources)) == 6
    patients = np.repeat(np.arange(40).astype(str), 3)
    part = parts_of(patients, 0).reshape(40, 3)
    assert (part == part[:, :1]).all() and np.bincount(part[:, 0]).tolist() == [8] * 5
    with pytest.raises(UserError, match="at least two"):
        parts_of(["a", "a"], 0)


def noise(features: int) -> Callable[[int], Sample]:
    """Draws so many films of which nothing can be known."""
    random = np.random.default_rng(0)

    def drawn(count: int) -> Sample:
        zeros = np.zeros(count)
        return Sample(
            random.normal(size=(count, features)),
            np.zeros((count, 2)),
            zeros,
            np.arange(count) % 5,
            zeros.astype(int),
            count,
        )

    return drawn


def test_what_the_gate_is_said_to_refuse_of_good_films_is_not_what_its_limits_were_chosen_on() -> None:
    """Of 100 films that chose the limits none lies above them; of new films one in a hundred does."""
    drawn = noise(20)

    said = []
    for _ in range(20):
        bad = {"negative": drawn(20), "sideways": drawn(20)}
        facts = fit_on(Samples({"clean": drawn(60)}, {"held out": drawn(40)}, bad))[1]
        said.append(facts["figures"]["good_refused"]["held out"])
    assert np.mean(said) > GOOD_REFUSED


def test_a_reason_with_two_opposite_patterns_is_told_from_another() -> None:
    """Films to the left and to the right of good ones lie on their side; those above are negatives."""
    random = np.random.default_rng(0)

    def around(*centres: tuple[float, float]) -> Sample:
        features = np.concatenate([random.normal(size=(60, 2)) + centre for centre in centres])
        rows = len(features)
        pattern = np.repeat(np.arange(len(centres)), 60)
        return Sample(features, np.zeros((rows, 2)), np.zeros(rows), np.arange(rows) % 5, pattern, 60)

    good = {"clean": around((0, 0), (0, 0), (0, 0))}
    bad = {"sideways": around((9, 0), (-9, 0)), "negative": around((0, 9))}
    gate, facts = fit_on(Samples(good, {"held out": around((0, 0))}, bad))
    assert facts["figures"]["bad_refused"] == {"sideways": 1.0, "negative": 1.0}
    limits = [score["limit"] for score in facts["scores"]]
    codes = [score["code"] for score in facts["scores"]]
    # Far to the right and a little up: a negative too, were it not likelier that it lies on its side.
    places = torch.tensor([[9.0, 0.0], [-9.0, 0.0], [0.0, 9.0], [0.0, 0.0], [16.0, 9.0]])
    found = gate(torch.rand(5, 1, 8, 8), places).detach().numpy()
    said = [[code for code, score, limit in zip(codes, row, limits, strict=True) if score > limit] for row in found]
    assert said == [["sideways"], ["sideways"], ["negative"], [], ["sideways"]]


def test_what_a_checkpoint_does_not_know_of_its_split_is_not_in_the_card() -> None:
    state = CheckpointState.from_facts({"split": {"grouped_by": "as given by the data", "identity": None}})
    assert of_the_run(state)["split"] == {"grouped_by": "as given by the data"}


def test_the_gate_refuses_what_it_was_fitted_to_refuse(exported: tuple[Path, dict], samples: Path) -> None:
    folder, card = exported
    reader = Reader.open(folder / "reader.onnx")
    codes = [score["code"] for score in card["gate"]["scores"]]
    fitted = ["not_chest", "lateral", "upside_down", "sideways", "negative", "several_films", "part_of_chest"]
    assert codes == ["blank", *fitted, "small_chest", "unfamiliar"]
    assert "blank" in reader.read(np.full((300, 300), 120, np.uint8)).codes
    blocks = np.random.default_rng(5).integers(0, 256, (8, 8), np.uint8).repeat(40, 0).repeat(40, 1)
    assert reader.read(blocks).status in ("refused", "uncertain"), "noise has no answer"


def test_two_films_on_one_picture_half_a_chest_and_a_small_one_are_not_read_for_that(
    exported: tuple[Path, dict], samples: Path
) -> None:
    reader = Reader.open(exported[0] / "reader.onnx")
    films = [np.asarray(Image.open(path).convert("L").resize((300, 300))) for path in sorted(samples.glob("*.png"))[:8]]
    beside = [reader.read(np.concatenate(pair, 1)).codes for pair in pairwise(films)]
    halves = [reader.read(np.ascontiguousarray(film[:, 150:])).codes for film in films]
    place, score = next(entry for entry in enumerate(reader.card.gate) if entry[1].code == "small_chest")
    small = [reader.run(np.pad(film, 250, constant_values=8))["gate"][place] > score.limit for film in films]
    assert np.mean(["several_films" in codes for codes in beside]) > 0.6, beside
    assert np.mean(["part_of_chest" in codes for codes in halves]) > 0.6, halves
    assert np.mean(small) > 0.6, small


def test_companions_for_pytorch_give_the_same(exported: tuple[Path, dict], films: LabelledFilms) -> None:
    folder, _ = exported
    pixels = torch.from_numpy(films.pixels[3].copy())
    expected = graph.run(graph.session(onnx.load(folder / "reader.onnx")), films.pixels[3])
    with torch.inference_mode():
        for found in (
            torch.jit.load(str(folder / "reader.pt"))(pixels),
            torch.export.load(folder / "reader.pt2").module()(pixels),
        ):
            for name, value in zip(OUTPUTS, found, strict=True):
                np.testing.assert_allclose(value.numpy(), expected[name], atol=1e-3, rtol=1e-3)


def test_int8_outside_its_limits_is_refused() -> None:
    model = network("custom_cnn")
    with torch.no_grad():  # a head that speaks for every class everywhere: no heatmap is empty
        for layer in model.classifier:
            if isinstance(layer, torch.nn.Linear):
                layer.weight.abs_()
    one = OneFilm(bare(model)).eval()
    sides = {0: torch.export.Dim("height", min=64, max=8192), 1: torch.export.Dim("width", min=64, max=8192)}
    exported = graph.export_graph(one, torch.randint(0, 255, (261, 300), dtype=torch.uint8), sides)
    films = np.random.default_rng(0).integers(0, 256, (12, 224, 224), np.uint8)
    small = int8.quantise_convolutions(exported, films, 0)
    assert small.ByteSize() < exported.ByteSize()
    assert {"head.weight", "calibration.bias"} <= {i.name for i in small.graph.initializer}
    same = int8.compare({"float32": exported, "int8": exported}, films, np.arange(12) % 2, 1, 0.5)
    assert same.within
    torch.nn.init.normal_(model.classifier[-1].weight)
    other = graph.export_graph(OneFilm(bare(model)).eval(), torch.zeros(261, 300, dtype=torch.uint8), sides)
    harmed = int8.compare({"float32": exported, "int8": other}, films, np.arange(12) % 2, 1, 0.5)
    with pytest.raises(UserError, match="no int8 reader was written"):
        int8.refuse(harmed)


def test_int8_whose_heatmap_has_moved_is_refused_though_it_decides_alike() -> None:
    """Correlation above 0.9 is not enough: what is shown to a doctor must be what the network looked at."""
    model = network("custom_cnn")
    with torch.no_grad():
        for layer in model.classifier:
            if isinstance(layer, torch.nn.Linear):
                layer.weight.abs_()
    sides = {0: torch.export.Dim("height", min=64, max=8192), 1: torch.export.Dim("width", min=64, max=8192)}
    example = torch.randint(0, 255, (261, 300), dtype=torch.uint8)
    exported = graph.export_graph(OneFilm(bare(model)).eval(), example, sides)
    films = np.random.default_rng(0).integers(0, 256, (12, 224, 224), np.uint8)
    altered = onnx.ModelProto.FromString(exported.SerializeToString())
    height, width = graph.run(graph.session(exported), films[0])["heatmap"].shape[1:]
    uneven = np.random.default_rng(1).uniform(0.9, 1.1, (height, width)).astype(np.float32)
    for node in altered.graph.node:
        node.output[:] = ["heatmap.even" if name == "heatmap" else name for name in node.output]
    altered.graph.initializer.append(onnx.numpy_helper.from_array(uneven, "uneven"))
    altered.graph.node.append(onnx.helper.make_node("Mul", ["heatmap.even", "uneven"], ["heatmap"]))
    found = int8.compare({"float32": exported, "int8": altered}, films, np.arange(12) % 2, 1, 0.5)
    row = next(row for row in found.rows if row["model"] == "int8")
    assert row["decisions_equal"] == 1.0 and 0.5 < row["heatmap_correlation"] < 0.98
    with pytest.raises(UserError, match="median correlation of heatmaps"):
        int8.refuse(found)


def test_no_gate_rule_is_measured_on_pictures_that_it_was_fitted_on() -> None:
    """Of noise in many dimensions a rule memorises every picture, and learns nothing about the next one."""
    drawn = noise(600)

    bad = {"negative": drawn(60), "sideways": drawn(60)}
    figures = fit_on(Samples({"clean": drawn(200)}, {"held out": drawn(100)}, bad))[1]
    assert figures["figures"]["bad_refused"]["negative"] < 0.2


def test_no_limit_of_the_gate_is_chosen_on_scores_of_good_films_that_its_rule_was_fitted_on() -> None:
    """In many dimensions a rule gives its own good films low scores; a limit below them refuses nearly all others."""
    drawn = noise(600)

    good = {"clean": drawn(200), "another site": drawn(200)}
    bad = {"negative": drawn(60), "sideways": drawn(60)}
    refused = fit_on(Samples(good, {"held out": drawn(100)}, bad))[1]["figures"]["good_refused"]
    assert refused["held out"] <= 3 * GOOD_REFUSED + 0.03 and abs(refused["held out"] - refused["another site"]) < 0.05


@pytest.mark.parametrize("reads_the_frame", [True, False])
def test_a_network_that_knows_the_label_without_the_lungs_is_not_exported(samples: Path, reads_the_frame: bool) -> None:
    class Brightness(torch.nn.Module):
        """Of a corner of the film, or of a place in a lung."""

        view = None
        spec = network("custom_cnn").spec

        def forward(self, films: torch.Tensor) -> torch.Tensor:
            part = films[..., :12, :12] if reads_the_frame else films[..., 100:110, 60:70]
            score = part.mean((1, 2, 3)) * 50
            return torch.stack([torch.zeros_like(score), score], 1)

    drawn = sorted(samples.glob("*.png"))
    labels = np.arange(len(drawn)) % 2
    pixels = np.stack([squash(np.asarray(Image.open(path).convert("L")), 224) for path in drawn])
    pixels[:, :12, :12] = 40 + 60 * labels[:, None, None] if reads_the_frame else 40
    pixels[:, 100:110, 60:70] = 40 + 60 * labels[:, None, None]
    films, said = LabelledFilms(pixels, labels, np.arange(len(drawn))), []
    if reads_the_frame:
        with pytest.raises(UserError, match="without their lungs, with AUROC 1"):
            knowledge_without_lungs(Brightness(), films, False, said.append)
        assert knowledge_without_lungs(Brightness(), films, True, said.append)["outside_only"]["auroc"] == 1
    else:
        found = knowledge_without_lungs(Brightness(), films, False, said.append)
        assert found["films"] == len(drawn) and found["outside_only"]["auroc"] < 0.65
