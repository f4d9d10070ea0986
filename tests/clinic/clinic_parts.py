"""What the tests of the clinic are made of: synthetic films as DICOM, a clinic on loopback, a real Orthanc."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE

from ai_for_sudan.clinic.clinic import Clinic
from ai_for_sudan.clinic.config import Config, Destination, Modality, Node, Reading, Storage, Web

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
TITLE = "AIFORSUDAN"


def film(name: str = "normal_01", *, number: int = 1, side: int = 512, **elements: Any) -> Dataset:
    """A synthetic film as a CR image; ``number`` makes its pixels and identifiers its own."""
    with Image.open(SAMPLES / f"{name}.png") as picture:
        grey = np.asarray(picture.convert("L").resize((side, side)), dtype=np.uint16) * 16
    grey[0, :8] = [(number >> 8 * place) & 0xFF for place in range(8)]
    dataset = Dataset()
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID = (generate_uid() for _ in range(3))
    dataset.PatientID, dataset.PatientName = f"P{number}", "TEST^FILM"
    dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = "20230101", "F", "003Y"
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20261101", "101500", "1"
    dataset.AccessionNumber, dataset.ReferringPhysicianName = f"A{number}", ""
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "CR", "CHEST", "PA"
    dataset.SeriesNumber, dataset.InstanceNumber, dataset.Manufacturer = "1", "1", "Test"
    dataset.PatientOrientation = ["L", "F"]
    dataset.Rows = dataset.Columns = side
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = grey.tobytes()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def config(at: Path, reader: Path | str, **changes: Any) -> Config:
    """A clinic on loopback that takes films from the modality ``CR1``."""
    made = Config(
        file=at / "clinic.toml",
        storage=Storage(folder=at / "data", keep_free=0.0),
        reading=Reading(reader=str(reader), workers=2),
        web=Web(host="127.0.0.1", port=0, certificate="", key=""),
        node=Node(title=TITLE, host="127.0.0.1", port=0, modalities=(Modality("CR1"),)),
    )
    return dataclasses.replace(made, **changes)


@contextlib.contextmanager
def running(configuration: Config) -> Iterator[Clinic]:
    clinic = Clinic.open(configuration)
    try:
        clinic.start()
        yield clinic
    finally:
        clinic.stop()


def send(
    port: int, datasets: list[Dataset], *, title: str = "CR1", called: str = TITLE, tls: tuple[Any, str] | None = None
) -> list[int]:
    """C-STORE by pynetdicom over one association; the statuses, 0xFFFF where there was no answer."""
    ae = AE(ae_title=title)
    for kind, syntax in {(d.SOPClassUID, d.file_meta.TransferSyntaxUID) for d in datasets}:
        ae.add_requested_context(kind, syntax)
    association = ae.associate("127.0.0.1", port, ae_title=called, tls_args=tls)
    if not association.is_established:
        return []
    try:
        return [int(association.send_c_store(dataset).get("Status", 0xFFFF)) for dataset in datasets]
    finally:
        association.release()


def dcmtk(name: str) -> str | None:
    """A program of dcmtk, and not that of pynetdicom, which has the same name and lies beside Python."""
    here = Path(sys.executable).parent
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return shutil.which(name, path=os.pathsep.join(folder for folder in folders if Path(folder) != here))


def wait_for(what: Callable[[], Any], seconds: float = 60) -> Any:
    """The first true value; the last one when the time is up, so that an assertion shows it."""
    end = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


class Orthanc:
    """A real Orthanc on loopback, with DICOMweb."""

    def __init__(self, folder: Path, modality_port: int = 0) -> None:
        self.folder, self.http, self.dicom = folder, free_port(), free_port()
        self.modality_port = modality_port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        plugin = next(iter(sorted(Path("/usr/lib/orthanc").glob("libOrthancDicomWeb*"))), None)
        configuration = {
            "StorageDirectory": str(self.folder / "db"),
            "IndexDirectory": str(self.folder / "db"),
            "HttpPort": self.http,
            "DicomPort": self.dicom,
            "DicomAet": "ORTHANC",
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomModalities": {"clinic": [TITLE, "127.0.0.1", self.modality_port]},
            "Plugins": [str(plugin)] if plugin else [],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            "StableAge": 1,
        }
        file = self.folder / "orthanc.json"
        file.write_text(json.dumps(configuration))
        log = (self.folder / "orthanc.log").open("ab")
        self._process = subprocess.Popen([str(shutil.which("Orthanc")), str(file)], stdout=log, stderr=log)
        wait_for(lambda: self.up(), 30)

    def up(self) -> bool:
        try:
            return bool(self.get("/system"))
        except OSError:
            return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=10) as answer:
            return json.load(answer)

    def delete(self, path: str) -> None:
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", method="DELETE")
        urllib.request.urlopen(request, timeout=10).close()

    def content(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=10) as answer:
            return bytes(answer.read())

    def find(self, **query: str) -> list[dict[str, Any]]:
        body = json.dumps({"Level": "Instance", "Query": query, "Expand": True}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}/tools/find", data=body)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return list(json.load(answer))

    def destination(self, **changes: Any) -> Destination:
        made = Destination(name="Orthanc", host="127.0.0.1", port=self.dicom, title="ORTHANC")
        return dataclasses.replace(made, **changes)


class Counted:
    """Runs a function in some threads at once and keeps what each returns."""

    def __init__(self, count: int, work: Callable[[int], Any]) -> None:
        self.found: list[Any] = [None] * count

        def run(number: int) -> None:
            self.found[number] = work(number)

        self._threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
        for thread in self._threads:
            thread.start()

    def join(self) -> list[Any]:
        for thread in self._threads:
            thread.join()
        return self.found
