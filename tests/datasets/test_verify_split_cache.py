"""Verified before any work, split by patient, decoded once."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ai_for_sudan.datasets import (
    Film,
    Manifest,
    decode,
    folds,
    labels,
    load_manifest,
    load_pixels,
    patients,
    split_manifest,
)
from ai_for_sudan.datasets import verify as verify_decoded
from ai_for_sudan.datasets.content import content_keys
from ai_for_sudan.errors import UserError


def picture(path: Path, seed: int, size: int = 40) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.random.default_rng(seed).integers(0, 256, (size, size + 8), np.uint8)
    Image.fromarray(grey).save(path)


def dataset(folder: Path, people: int = 12, each: int = 3) -> Manifest:
    """Normal and pneumonia films, ``each`` of every one of ``people``, named ``p<number>_<n>.png``."""
    for person in range(people):
        for n in range(each):
            name = "normal" if person % 2 else "pneumonia"
            picture(folder / name / f"p{person}_{n}.png", 100 * person + n)
    return load_manifest(folder, patient_rule=r"regex:^(p\d+)_")


def verify(manifest: Manifest, cache: Path, **options: bool) -> None:
    verify_decoded(decode(manifest, size=16, cache_dir=cache), **options)


def test_every_unreadable_film_is_named_with_the_reason(tmp_path: Path) -> None:
    manifest = dataset(tmp_path)
    verify(manifest, tmp_path / ".cache")
    (tmp_path / "normal/p1_0.png").write_bytes(b"")
    good = (tmp_path / "normal/p1_1.png").read_bytes()
    (tmp_path / "normal/p1_1.png").write_bytes(good[: len(good) // 2])
    (tmp_path / "pneumonia/p99_0.txt").write_text("not a film")
    with pytest.raises(UserError) as error:
        verify(load_manifest(tmp_path), tmp_path / ".cache")
    text = str(error.value)
    assert "3 of 37 films cannot be read" in text
    for name in ("p1_0.png", "p1_1.png", "p99_0.txt"):
        assert name in text


def test_unreadable_films_are_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    dataset(tmp_path / "films", people=4)
    whole = (tmp_path / "films/normal/p1_0.png").read_bytes()
    (tmp_path / "films/normal/p1_0.png").write_bytes(whole[:60])
    (tmp_path / "films/pneumonia/p2_1.png").write_bytes(b"")
    manifest = load_manifest(tmp_path / "films")
    for _ in range(2):  # decoded, and from the cache
        films = decode(manifest, size=16, cache_dir=tmp_path / "cache", skip_unreadable=True)
        assert [Path(file).name for file, _ in films.left_out] == ["p1_0.png", "p2_1.png"]
        assert all(reason for _, reason in films.left_out)
        assert len(films.manifest.films) == len(films.pixels) == len(set(films.pictures)) == 10
        for film, pixels in zip(films.manifest.films, films.pixels, strict=True):
            expected = Image.open(film.file).resize((16, 16), Image.Resampling.BILINEAR)
            np.testing.assert_array_equal(pixels, np.asarray(expected))
    with pytest.raises(UserError, match="2 of 12 films cannot be read"):
        decode(manifest, size=16, cache_dir=tmp_path / "cache")
    for film in manifest.films:
        Path(film.file).write_bytes(b"no film")
    with pytest.raises(UserError, match="12 of 12 films"):
        decode(load_manifest(tmp_path / "films"), size=16, cache_dir=tmp_path / "cache", skip_unreadable=True)


def test_training_opens_and_decodes_each_film_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = dataset(tmp_path / "films", people=4)
    decoded: list[str] = []
    pixels = Film.pixels

    def counted(film: Film) -> np.ndarray:
        decoded.append(film.file)
        return pixels(film)

    monkeypatch.setattr(Film, "pixels", counted)
    films = decode(manifest, size=16, cache_dir=tmp_path / "cache")
    verify_decoded(films)
    assert load_pixels(manifest, size=16, cache_dir=tmp_path / "cache").shape == (12, 16, 16)
    assert sorted(decoded) == sorted(film.file for film in manifest.films)


def test_at_most_ten_are_listed(tmp_path: Path) -> None:
    dataset(tmp_path)
    for n in range(14):
        (tmp_path / f"normal/bad{n}.png").write_bytes(b"x")
    with pytest.raises(UserError) as error:
        verify(load_manifest(tmp_path), tmp_path / ".cache")
    assert str(error.value).count("bad") == 10
    assert "and 4 more" in str(error.value)


def sides(folder: Path) -> Path:
    for n, (side, name) in enumerate((s, c) for s in ("train", "val") for c in ("normal", "pneumonia")):
        picture(folder / side / name / f"p{n}_0.png", n)
    return folder


def test_a_patient_on_both_sides_is_named_and_can_be_allowed(tmp_path: Path) -> None:
    sides(tmp_path)
    picture(tmp_path / "val/normal/p0_9.png", 77)
    manifest = load_manifest(tmp_path, patient_rule=r"regex:^(p\d+)_")
    with pytest.raises(
        UserError, match=r"patient p0: .*train/normal/p0_0.png \(train\) and .*val/normal/p0_9.png \(val\)"
    ):
        verify(manifest, tmp_path / ".cache")
    verify(manifest, tmp_path / ".cache", allow_overlap=True)


def test_the_same_pixels_on_both_sides_are_named_though_the_files_differ(tmp_path: Path) -> None:
    sides(tmp_path)
    Image.open(tmp_path / "train/normal/p0_0.png").save(tmp_path / "val/normal/other.bmp")
    with pytest.raises(UserError, match=r"same picture .*(?s:.)*p0_0.png \(train\) and .*other.bmp \(val\)"):
        verify(load_manifest(tmp_path), tmp_path / ".cache")


def test_a_class_without_films_on_one_side(tmp_path: Path) -> None:
    sides(tmp_path)
    (tmp_path / "val/normal/p2_0.png").unlink()
    (tmp_path / "val/normal").rmdir()
    with pytest.raises(UserError, match=r"no films of normal in 'val' \(found: normal 0, pneumonia 1\)"):
        verify(load_manifest(tmp_path), tmp_path / ".cache")


def test_a_split_keeps_patients_and_copies_together(tmp_path: Path) -> None:
    dataset(tmp_path, people=40)
    # The same film under two patients: whoever they are, the copies must not part.
    for a, b in ((0, 2), (4, 6), (1, 3), (5, 7)):
        name = "normal" if a % 2 else "pneumonia"
        shutil.copy(tmp_path / name / f"p{a}_0.png", tmp_path / name / f"p{b}_8.png")
    manifest = load_manifest(tmp_path, patient_rule=r"regex:^(p\d+)_")
    people = patients(manifest)
    linked = {"p2": "p0", "p6": "p4", "p3": "p1", "p7": "p5"}
    for seed in range(5):
        split = split_manifest(manifest, fraction=0.2, seed=seed)
        assert split.grouped_by == "patient"
        assert sorted(split.train + split.validation) == list(range(len(manifest.films)))
        families = [{linked.get(people[i], people[i]) for i in side} for side in (split.train, split.validation)]
        assert not families[0] & families[1]
        assert labels(manifest)[split.validation].mean() == pytest.approx(0.5, abs=0.15)
        assert len(split.validation) == pytest.approx(0.2 * len(manifest.films), rel=0.35)


def test_a_split_is_saved_reused_and_has_an_identity(tmp_path: Path) -> None:
    manifest = dataset(tmp_path / "films", people=20)
    path = tmp_path / "run/split.json"
    first = split_manifest(manifest, fraction=0.25, seed=3, path=path)
    assert split_manifest(manifest, fraction=0.25, seed=3, path=path) == first
    assert split_manifest(manifest, fraction=0.25, seed=3) == first
    assert split_manifest(manifest, fraction=0.25, seed=4).identity != first.identity
    assert json.loads(path.read_text())["identity"] == first.identity
    shutil.move(tmp_path / "films", tmp_path / "moved")
    moved = load_manifest(tmp_path / "moved", patient_rule=r"regex:^(p\d+)_")
    assert split_manifest(moved, fraction=0.25, seed=3, path=path).identity == first.identity
    picture(tmp_path / "moved/normal/p99_0.png", 9999)
    more = load_manifest(tmp_path / "moved", patient_rule=r"regex:^(p\d+)_")
    with pytest.raises(UserError, match="films other than"):
        split_manifest(more, fraction=0.25, seed=3, path=path)
    path.write_text("{")
    with pytest.raises(UserError, match="not a split of this project"):
        split_manifest(moved, fraction=0.25, seed=3, path=path)


def test_films_marked_as_test_are_in_no_split_and_no_fold(tmp_path: Path) -> None:
    dataset(tmp_path / "train", people=12)
    dataset(tmp_path / "test", people=4)
    manifest = load_manifest(tmp_path)
    kept = {i for i, f in enumerate(manifest.films) if f.split == "train"}
    split = split_manifest(manifest, fraction=0.25, seed=0)
    assert set(split.train) | set(split.validation) == kept
    assert split.grouped_by == "image"
    assert {i for part in folds(manifest, 3, 0) for i in part} == kept


def test_folds_by_patient(tmp_path: Path) -> None:
    manifest = dataset(tmp_path / "films", people=20)
    path = tmp_path / "folds.json"
    parts = folds(manifest, 5, 0, path)
    assert sorted(i for part in parts for i in part) == list(range(len(manifest.films)))
    patient_ids = [{patients(manifest)[i] for i in part} for part in parts]
    assert sum(len(some) for some in patient_ids) == len(set.union(*patient_ids)) == 20
    assert all(set(labels(manifest)[part]) == {0, 1} for part in parts)
    assert folds(manifest, 5, 0, path) == parts
    with pytest.raises(UserError, match="differs in folds"):
        folds(manifest, 4, 0, path)


def test_too_few_patients_for_the_parts(tmp_path: Path) -> None:
    manifest = dataset(tmp_path, people=4)
    with pytest.raises(UserError, match="smallest class has 2 patients"):
        folds(manifest, 5, 0)
    with pytest.raises(UserError, match="give 2 or more"):
        folds(manifest, 1, 0)
    with pytest.raises(UserError, match="share to hold out"):
        split_manifest(manifest, fraction=0.0, seed=0)


def test_findings_are_stratified_by_the_reported_one(tmp_path: Path) -> None:
    rows = ["file,pneumonia,edema,patient"]
    for n in range(24):
        picture(tmp_path / f"{n}.png", n)
        rows.append(f"{n}.png,{'1' if n % 3 == 0 else '0' if n % 3 == 1 else ''},{n % 2},q{n}")
    (tmp_path / "films.csv").write_text("\n".join(rows))
    manifest = load_manifest(tmp_path / "films.csv", label_columns=["pneumonia", "edema"])
    for part in folds(manifest, 4, 0):
        assert np.nansum(labels(manifest)[part][:, 0]) == 2


def test_pixels_are_squashed_with_antialiasing_and_kept(tmp_path: Path) -> None:
    manifest = dataset(tmp_path / "films", people=4)
    cache = tmp_path / "cache"
    films = load_pixels(manifest, size=32, cache_dir=cache)
    assert (films.shape, films.dtype) == ((12, 32, 32), np.uint8)
    expected = Image.open(manifest.films[5].file).resize((32, 32), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(films[5], np.asarray(expected))
    before = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    load_pixels(manifest, size=32, cache_dir=cache)
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == before
    assert load_pixels(manifest, size=16, cache_dir=cache).shape == (12, 16, 16)


def test_the_cache_goes_by_content_not_by_name(tmp_path: Path) -> None:
    first = dataset(tmp_path / "a", people=4)
    before = load_pixels(first, size=32, cache_dir=tmp_path / "cache").copy()
    picture(tmp_path / "a/normal/p1_0.png", 4321)
    changed = load_pixels(load_manifest(tmp_path / "a"), size=32, cache_dir=tmp_path / "cache")
    differs = [i for i in range(12) if not np.array_equal(before[i], changed[i])]
    assert [Path(first.films[i].file).name for i in differs] == ["p1_0.png"]


def test_a_film_of_one_pixel_is_none(tmp_path: Path) -> None:
    dataset(tmp_path, people=4)
    picture(tmp_path / "normal/p1_0.png", 0, size=1)
    with pytest.raises(UserError, match=r"p1_0\.png: the picture has 9 x 1 pixels"):
        verify(load_manifest(tmp_path), tmp_path / ".cache")


def test_a_full_disk_leaves_no_cache(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits of file sizes are not known to this system")
    manifest = dataset(tmp_path / "films", people=4)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, limits[1]))
    try:
        with pytest.raises(UserError, match="cannot write"):
            load_pixels(manifest, size=32, cache_dir=tmp_path / "cache")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_unreadable_film_leaves_no_cache(tmp_path: Path) -> None:
    dataset(tmp_path / "films", people=4)
    (tmp_path / "films/normal/p1_0.png").write_bytes(b"x")
    with pytest.raises(UserError, match=r"p1_0\.png"):
        load_pixels(load_manifest(tmp_path / "films"), size=32, cache_dir=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_interrupt_leaves_no_cache(tmp_path: Path) -> None:
    manifest = dataset(tmp_path / "films", people=4)
    started = _start(manifest, tmp_path / "cache")
    while started.is_alive() and not list((tmp_path / "cache").glob("*")):
        time.sleep(0.01)
    started.kill()
    started.join()
    films = load_pixels(manifest, size=2000, cache_dir=tmp_path / "cache")
    assert films[-1].any()


def test_two_runs_at_once(tmp_path: Path) -> None:
    manifest = dataset(tmp_path / "films", people=6)
    runs = [_start(manifest, tmp_path / "cache") for _ in range(2)]
    for run in runs:
        run.join()
        assert run.exitcode == 0
    assert len(list((tmp_path / "cache").iterdir())) == 1
    films = load_pixels(manifest, size=2000, cache_dir=tmp_path / "cache")
    np.testing.assert_array_equal(films, load_pixels(manifest, size=2000, cache_dir=tmp_path / "again"))


def _start(manifest: Manifest, cache: Path) -> multiprocessing.process.BaseProcess:
    run = multiprocessing.get_context("spawn").Process(target=_load, args=(str(manifest.source), str(cache)))
    run.start()
    return run


def _load(source: str, cache: str) -> None:
    load_pixels(load_manifest(source, patient_rule=r"regex:^(p\d+)_"), size=2000, cache_dir=Path(cache))


def test_the_copies_among_the_kermany_films_stay_together(kermany: Path) -> None:
    manifest = load_manifest(kermany, patient_rule="kermany")
    split = split_manifest(manifest, fraction=0.15, seed=0)
    people = patients(manifest)
    assert not set(people[split.train]) & set(people[split.validation])
    content = [Path(film.file).read_bytes() for film in manifest.films]
    assert len(content) - len(set(content)) == 26
    assert not {content[i] for i in split.train} & {content[i] for i in split.validation}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes and no /dev/zero")
def test_pipes_and_devices_in_a_table_are_named_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe.npz")
    picture(tmp_path / "a.png", 0)
    table = tmp_path / "films.csv"
    table.write_text("file,label\na.png,normal\n/dev/zero,normal\npipe.png,pneumonia\npipe.npz#train/0,pneumonia\n")
    manifest = load_manifest(table)
    assert len(set(content_keys(manifest))) == 4
    with pytest.raises(UserError, match="3 of 4 films cannot be read") as error:
        verify(manifest, tmp_path / ".cache")
    assert str(error.value).count("pipe or a device") == 2
