"""What a clinic's server takes on this machine, measured: ``python benchmarks/clinic.py [PART ...]``.

Parts: ``start`` (to ready, memory idle), ``ingest`` (films a second beside dcmtk's storescp), ``latency`` (from the end
of C-STORE to SR and SC confirmed in Orthanc), ``load`` (10,000 films by 8 associations), ``kill`` (100 kills). Each
prints one JSON line, with the load of the machine beside it: on a busy machine every figure is worse.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "clinic"))
import test_faults as faults
from clinic_parts import Counted, Orthanc, film, free_port, send, wait_for
from sqlalchemy import func, select

from ai_for_sudan.clinic.store import Store
from ai_for_sudan.clinic.store.tables import Delivery, Film
from ai_for_sudan.reading.reader import shipped

READER = shipped()["mobilenet_v2_int8"]
SIDE = 1024


def family(pid: int) -> list[int]:
    """A process and its children, which decode films; each thread has those that it started."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [pid, *(int(child) for found in lists for child in found.read_text().split())]


def resident(pid: int) -> int:
    """Bytes of a process and of its children."""
    pages = (Path(f"/proc/{one}/statm").read_text().split()[1] for one in family(pid))
    return sum(int(count) for count in pages) * os.sysconf("SC_PAGE_SIZE")


def processor_seconds(pid: int) -> float:
    """Of a process and of its children: what a film costs, however busy the machine is."""
    ticks = 0
    for one in family(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # utime, stime: proc(5)
    return ticks / os.sysconf("SC_CLK_TCK")


def waiting(store: Store) -> int:
    with store.reading() as session:
        return session.scalar(select(func.count()).select_from(Film).where(Film.status == "waiting")) or 0


def start(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    server = faults.Server(folder, READER)
    server.start()
    server.end()
    times = []
    for _ in range(3):
        began = time.perf_counter()
        server.start()
        times.append(time.perf_counter() - began)
        if len(times) < 3:
            server.end()
    time.sleep(65)  # the housekeeper gives memory back
    assert server.process is not None
    idle = resident(server.process.pid)
    server.end()
    return {"seconds_to_ready": [round(t, 2) for t in times], "idle_mb": round(idle / 1e6)}


def ingest(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """The same films by two associations to storescp, which only stores, and to the clinic, which also reads."""
    films = [film(("normal_01", "pneumonia_01")[n % 2], number=n, side=SIDE) for n in range(args.films)]
    halves = [films[0::2], films[1::2]]
    (folder / "scp").mkdir(parents=True)
    port = free_port()
    command = [str(shutil.which("storescp")), "--output-directory", str(folder / "scp"), "--fork", str(port)]
    scp = subprocess.Popen(command)
    time.sleep(1)
    began = time.perf_counter()
    Counted(2, lambda n: send(port, halves[n], called="ANY")).join()
    alone = len(films) / (time.perf_counter() - began)
    scp.kill()
    server = faults.Server(folder / "clinic", READER)
    server.start()
    assert server.process is not None
    before = processor_seconds(server.process.pid)
    began = time.perf_counter()
    statuses = Counted(2, lambda n: send(server.port, halves[n])).join()
    stored = time.perf_counter() - began
    with server.store() as store:
        wait_for(lambda: waiting(store) == 0, 600)
    read = time.perf_counter() - began
    cost = (processor_seconds(server.process.pid) - before) / len(films)
    server.end()
    assert all(status == 0 for half in statuses for status in half)
    return {
        "films": len(films), "side": SIDE, "storescp_films_per_second": round(alone, 1),
        "clinic_stored_per_second": round(len(films) / stored, 1),
        "clinic_read_per_second": round(len(films) / read, 1),
        "ratio_to_storescp": round(len(films) / read / alone, 2),
        "processor_seconds_per_film": round(cost, 3),
    }  # fmt: skip


def latency(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Two films a second; the store's own times of confirmation beside the moment at which C-STORE was answered."""
    orthanc = Orthanc(folder / "orthanc")
    folder.mkdir(exist_ok=True)
    orthanc.start()
    pacs = f'[[destination]]\nname = "Orthanc"\nhost = "127.0.0.1"\nport = {orthanc.dicom}\ntitle = "ORTHANC"\n'
    server = faults.Server(folder / "clinic", READER, pacs)
    server.start()
    send(server.port, [film(number=0)])  # the first result loads what makes results
    with server.store() as store:
        wait_for(lambda: faults.all_done(store), 120)
        ended: dict[str, float] = {}
        began = time.time()
        for number in range(1, args.films + 1):
            one = film(("normal_02", "pneumonia_02")[number % 2], number=number, side=SIDE)
            time.sleep(max(0.0, began + number / 2 - time.time()))
            assert send(server.port, [one]) == [0]
            ended[str(one.SOPInstanceUID)] = time.time()
        wait_for(lambda: faults.all_done(store), 300)
        with store.reading() as session:
            waits = []
            for row in session.scalars(select(Film).where(Film.sop_uid.in_(ended))):
                confirmed = [
                    session.scalars(select(Delivery.confirmed_at).where(Delivery.result_id == result.id)).one()
                    for reading in row.readings
                    for result in reading.results
                ]
                assert len(confirmed) == 2
                waits.append(max(moment.timestamp() for moment in confirmed) - ended[row.sop_uid])
    server.end()
    orthanc.stop()
    waits.sort()
    return {
        "films": len(waits), "side": SIDE, "median_s": round(waits[len(waits) // 2], 2),
        "p95_s": round(waits[int(0.95 * len(waits))], 2), "most_s": round(waits[-1], 2),
    }  # fmt: skip


def load(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Many films by 8 associations at once."""
    server = faults.Server(folder, READER)
    server.start()
    assert server.process is not None
    most, count = 0, args.films // 8

    def some(number: int) -> int:
        taken = 0
        for first in range(0, count, 50):
            films = [film(number=number * 100_000 + n, side=512) for n in range(first, min(first + 50, count))]
            taken += sum(status == 0 for status in send(server.port, films))
        return taken

    began = time.perf_counter()
    sending = Counted(8, some)
    with server.store() as store:
        while any(found is None for found in sending.found) or waiting(store):
            most = max(most, resident(server.process.pid))
            time.sleep(1)
    accepted = sum(sending.join())
    seconds = time.perf_counter() - began
    server.end()
    return {
        "sent": 8 * count, "accepted": accepted, "seconds": round(seconds), "most_memory_mb": round(most / 1e6),
        "films_per_second": round(accepted / seconds, 1),
    }  # fmt: skip


def kill(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Kills at random moments under load."""
    server = faults.Server(folder, READER)
    server.start()
    modalities = [faults.Modality(server.port, 1_000_000 * n) for n in range(4)]
    chance = random.Random(1)
    for _ in range(args.kills):
        time.sleep(chance.uniform(0.1, 3))
        server.kill()
        server.start()
    for modality in modalities:
        modality.stop()
    taken = [uid for modality in modalities for uid in modality.taken]
    with server.store() as store:
        wait_for(lambda: faults.all_done(store), 600)
        faults.nothing_lost(store, taken)
    server.end()
    return {"kills": args.kills, "films_taken": len(taken), "lost": 0}


PARTS = {"start": start, "ingest": ingest, "latency": latency, "load": load, "kill": kill}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["start", "ingest", "latency"], choices=[*PARTS])
    parser.add_argument("--films", type=int, default=200)
    parser.add_argument("--kills", type=int, default=100)
    args = parser.parse_args()
    for part in args.parts:
        with tempfile.TemporaryDirectory() as folder:
            found = PARTS[part](Path(folder) / part, args)
        print(
            json.dumps({"part": part, **found, "load": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}),
            flush=True,
        )


if __name__ == "__main__":
    main()
