"""Where a reader comes from: this project's commit and no other's, and hashes that follow the content."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ai_for_sudan.contract.provenance import films_sha256, project_commit, weights_sha256

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def repository(folder: Path) -> None:
    for arguments in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all", "--allow-empty"],
    ):
        subprocess.run(["git", *arguments], cwd=folder, check=True)


def package(below: Path) -> Path:
    folder = below / "ai_for_sudan"
    (folder / "contract").mkdir(parents=True)
    (folder / "contract" / "provenance.py").write_text("# here\n")
    return folder


@needs_git
def test_a_checkout_has_its_commit_and_says_when_it_was_changed(tmp_path: Path) -> None:
    folder = package(tmp_path / "src")
    repository(tmp_path)
    commit = project_commit(folder)
    assert len(commit) == 12
    (folder / "contract" / "provenance.py").write_text("# changed\n")
    assert project_commit(folder) == f"{commit}-modified"


@needs_git
@pytest.mark.parametrize("where", ["venv/lib/python3.12/site-packages", "src"])
def test_the_repository_around_an_installed_package_is_not_named(tmp_path: Path, where: str) -> None:
    repository(tmp_path)
    (tmp_path / ".gitignore").write_text("venv\nsrc\n")
    assert project_commit(package(tmp_path / where)) == ""


def test_hashes_follow_the_content_alone() -> None:
    weights = {"b": np.ones((2, 3), np.float32), "a": np.zeros(4, np.int64)}
    assert weights_sha256(weights) == weights_sha256(dict(reversed(weights.items())))
    for other in (
        {**weights, "a": np.ones(4, np.int64)},
        {**weights, "b": np.ones((3, 2), np.float32)},
        {"a": weights["a"]},
    ):
        assert weights_sha256(other) != weights_sha256(weights)
    films = [np.full((4, 4), grey, np.uint8) for grey in (1, 2, 3)]
    assert films_sha256(films) == films_sha256(films[::-1]) != films_sha256(films[:2])
