"""`make demo-clinic`: a clinic and a real Orthanc on this machine, with the synthetic films, for a look around.

Both forget everything when it ends.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
ORTHANC, ORTHANC_HTTP, NODE, PAGES = 14242, 18042, 11112, 8443


def film(file: Path, number: int) -> Dataset:
    """A synthetic film as a CR device would send it."""
    with Image.open(file) as picture:
        grey = np.asarray(picture.convert("L"), dtype=np.uint16) * 16
    dataset = Dataset()
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID = (generate_uid() for _ in range(3))
    dataset.PatientID, dataset.PatientName, dataset.PatientAge = f"DEMO{number:02}", f"DEMO^FILM {number}", "003Y"
    dataset.PatientBirthDate, dataset.PatientSex, dataset.ReferringPhysicianName = "", "MF"[number % 2], ""
    dataset.StudyDate, dataset.StudyTime = time.strftime("%Y%m%d"), time.strftime("%H%M%S")
    dataset.AccessionNumber, dataset.StudyID = f"ACC{number:04}", str(number)
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "CR", "CHEST", "AP"
    dataset.SeriesNumber, dataset.InstanceNumber, dataset.Manufacturer = "1", "1", "Synthetic"
    dataset.PatientOrientation = ["L", "F"]
    dataset.Rows, dataset.Columns = grey.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = grey.tobytes()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def orthanc(folder: Path) -> subprocess.Popen[bytes] | None:
    program = shutil.which("Orthanc")
    if program is None:
        print("Orthanc is not installed (apt-get install orthanc orthanc-dicomweb): the demo runs without a PACS.")
        return None
    folder.mkdir()
    facts = {
        "Name": "Demo PACS", "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"),
        "HttpPort": ORTHANC_HTTP, "DicomPort": ORTHANC, "DicomAet": "ORTHANC", "RemoteAccessAllowed": False,
        "DicomModalities": {"clinic": ["AIFORSUDAN", "127.0.0.1", NODE]}, "AuthenticationEnabled": False,
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(facts))
    log = (folder / "log").open("wb")
    return subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)


def send() -> int:
    ae = AE(ae_title="CR1")
    ae.add_requested_context(ComputedRadiographyImageStorage, ExplicitVRLittleEndian)
    for _ in range(60):
        association = ae.associate("127.0.0.1", NODE, ae_title="AIFORSUDAN")
        if association.is_established:
            break
        time.sleep(0.5)
    else:
        sys.exit("the clinic's node does not answer")
    films = [film(file, number) for number, file in enumerate(sorted(SAMPLES.glob("*.png")), 1)]
    taken = sum(association.send_c_store(dataset).get("Status") == 0 for dataset in films)
    association.release()
    return taken


def results() -> int:
    query = json.dumps({"Level": "Instance", "Query": {}}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{ORTHANC_HTTP}/tools/find", data=query)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return len(json.load(answer))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="end when the results have arrived")
    once = parser.parse_args().once
    # ended like Ctrl-C, so that nothing of it stays
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    running: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="demo-clinic-") as name:
        folder = Path(name)
        try:
            pacs = orthanc(folder / "orthanc")
            running += [pacs] if pacs else []
            program = [sys.executable, "-m", "ai_for_sudan", "clinic"]
            there = ["--pacs", f"Orthanc=ORTHANC@127.0.0.1:{ORTHANC}"] if pacs else []
            subprocess.run(
                [*program, "init", "--yes", "--site", "Demo", "--modality", "CR1", *there], cwd=folder, check=True
            )
            running.append(subprocess.Popen([*program, "run"], cwd=folder, stderr=(folder / "log").open("wb")))
            print(f"{send()} synthetic films were sent to the clinic.", flush=True)
            if pacs:
                end = time.monotonic() + 180
                while (found := results()) < 48 and time.monotonic() < end:
                    time.sleep(1)
                print(f"{found} reports and pictures are in Orthanc: http://127.0.0.1:{ORTHANC_HTTP}/app/explorer.html")
            print(f"The clinic is at https://127.0.0.1:{PAGES}/ (Ctrl+C ends it).", flush=True)
            while not once and running[-1].poll() is None:
                time.sleep(1)
        except KeyboardInterrupt:
            print()
        finally:
            for process in reversed(running):
                process.terminate()
                process.wait(timeout=90)


if __name__ == "__main__":
    main()
