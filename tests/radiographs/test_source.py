"""What may be opened as a film: regular files up to a limit, and nothing that could be waited for."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ai_for_sudan.errors import UnreadableFilm
from ai_for_sudan.radiographs import content_hash, open_film, source


def code_of(path: str | Path) -> str:
    with pytest.raises(UnreadableFilm) as caught:
        content_hash(path)
    assert caught.value.reason.isprintable()
    return caught.value.code


def test_a_file_is_hashed_piece_by_piece(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "film").write_bytes(content)
    assert content_hash(tmp_path / "film") == hashlib.sha256(content).hexdigest()
    with open_film(tmp_path / "film") as file:
        assert file.read() == content


@pytest.mark.timeout(20)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have no name on this system")
def test_nothing_is_read_that_never_ends(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to("/dev/zero")
    assert {code_of(tmp_path / "pipe.png"), code_of(tmp_path / "link.png"), code_of("/dev/zero")} == {"no_file"}


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "film.dcm").open("wb") as file:
        file.truncate(source.LARGEST_FILE + 1)
    assert code_of(tmp_path / "film.dcm") == "too_large"
    # one that grows after it was looked at
    monkeypatch.setattr(source, "_check", lambda found, path: None)
    assert code_of(tmp_path / "film.dcm") == "too_large"


def test_other_paths_have_each_their_code(tmp_path: Path) -> None:
    assert code_of(tmp_path) == "folder"
    assert code_of(tmp_path / "a\x1b[31mname") == "missing"
    assert code_of(str(tmp_path / "a\0b")) == "unreadable"
    assert code_of(tmp_path / ("a" * 300)) == "unreadable"
