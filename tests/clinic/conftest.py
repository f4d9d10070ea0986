"""Real parts for the tests of the clinic: a reader, a clinic on loopback, an Orthanc."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from clinic_parts import Orthanc, config, running

from ai_for_sudan.clinic.clinic import Clinic
from ai_for_sudan.reading.reader import shipped


@pytest.fixture(scope="session")
def reader_file() -> Path:
    """The smallest shipped reader: it reads the synthetic films as films."""
    return shipped()["custom_cnn"]


@pytest.fixture
def clinic(tmp_path: Path, reader_file: Path) -> Iterator[Clinic]:
    with running(config(tmp_path, reader_file)) as started:
        yield started


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    if shutil.which("Orthanc") is None:
        pytest.skip("Orthanc is not installed: apt-get install orthanc orthanc-dicomweb")
    server = Orthanc(tmp_path / "orthanc")
    server.start()
    yield server
    server.stop()
