"""What a clinic's server takes on this machine, measured: ``python benchmarks/clinic.py [PART ...]``.

Parts: ``start`` (to ready, memory idle), ``ingest`` (films a second, stored, read and confirmed by Orthanc, beside
dcmtk's storescp), ``latency`` (from the end of C-STORE to SR and SC confirmed in Orthanc), ``load`` (many films by 8
associations), ``kill`` (many kills), ``results`` (report and picture of a film). Each prints one
JSON line, with the load of the machine beside it: on a busy machine every figure is worse. What happens meanwhile
stands on standard error. Films are sent by dcmtk's storescu, which takes little of the cores that it shares with the
server.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "clinic"))
import test_faults as faults
from clinic_parts import Counted, Orthanc, dcmtk, film, free_port, send, wait_for
from sqlalchemy import func, select

from ai_for_sudan.clinic.store import Store
from ai_for_sudan.clinic.store.tables import Delivery, Film
from ai_for_sudan.reading.reader import shipped

READER = shipped()["mobilenet_v2"]
SIDE = 1024
PICTURES = ("normal_01", "pneumonia_01")


def family(pid: int) -> list[int]:
    """A process and its children, which decode films; each thread has those that it started."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [pid, *(int(child) for found in lists for child in found.read_text().split())]


def memory(pid: int) -> tuple[float, float]:
    """MB of a process and of its children: resident (RSS, what they share is counted twice) and their part (PSS)."""
    rss = pss = 0.0
    for one in family(pid):
        rows = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()[1:]
        sizes = {row.split(":")[0]: float(row.split()[1]) / 1e3 for row in rows}
        rss, pss = rss + sizes["Rss"], pss + sizes["Pss"]
    return rss, pss


def processor_ms(pid: int) -> float:
    """Of a process and of its children, also of those that ended: what a film costs, however busy the machine is."""
    ticks = 0
    for one in family(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime: proc(5)
    return 1e3 * ticks / os.sysconf("SC_CLK_TCK")


class Watch:
    """Looks at a server while something goes on: its most memory, and what it costs."""

    def __init__(self, server: faults.Server) -> None:
        assert server.process is not None
        self._pid = server.process.pid
        self._before = processor_ms(self._pid)
        self.rss = self.pss = 0.0

    def until(self, over: Callable[[], bool], progress: Callable[[], str]) -> None:
        told = time.monotonic()
        while not over():
            try:
                rss, pss = memory(self._pid)
            except OSError:  # a decoder has just been replaced
                continue
            self.rss, self.pss = max(self.rss, rss), max(self.pss, pss)
            if time.monotonic() - told > 10:
                told = time.monotonic()
                say(progress())
            time.sleep(0.1)

    def spent(self) -> float:
        return processor_ms(self._pid) - self._before

    def most(self) -> dict[str, int]:
        return {"most_rss_mb": round(self.rss), "most_pss_mb": round(self.pss)}


def say(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


def waiting(store: Store) -> int:
    with store.reading() as session:
        return session.scalar(select(func.count()).select_from(Film).where(Film.status == "waiting")) or 0


def unconfirmed(store: Store) -> int:
    with store.reading() as session:
        return session.scalar(select(func.count()).select_from(Delivery).where(Delivery.state != "confirmed")) or 0


def files(folder: Path, numbers: range, side: int) -> list[Path]:
    """Films on the disk, as a modality has them."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for number in numbers:
        made.append(folder / f"{number}.dcm")
        film(PICTURES[number % 2], number=number, side=side).save_as(made[-1], enforce_file_format=True)
    return made


def storescu(port: int, films: list[Path], called: str = "AIFORSUDAN") -> subprocess.Popen[bytes]:
    """dcmtk sends films over one association; it ends at the first that is not taken."""
    program = dcmtk("storescu")
    if program is None:
        sys.exit("dcmtk is not installed: apt-get install dcmtk")
    return subprocess.Popen([program, "-aet", "CR1", "-aec", called, "-xe", "-R", "127.0.0.1", str(port), *films])


def sent(senders: list[subprocess.Popen[bytes]]) -> bool:
    """Whether all have ended; all must have ended well."""
    ended = [sender.poll() for sender in senders]
    assert not any(ended), f"storescu ended with {ended}"
    return None not in ended


@contextmanager
def serving(folder: Path, more: str = "") -> Iterator[tuple[faults.Server, Store]]:
    """A server that has read its first film."""
    server = faults.Server(folder, READER, more)
    server.start()
    with server.store() as store:
        assert send(server.port, [film(number=0)]) == [0]
        wait_for(lambda: waiting(store) == 0, 60)
        yield server, store
    server.end()


@contextmanager
def pacs(folder: Path) -> Iterator[str]:
    """A real Orthanc; the lines of the configuration that name it."""
    orthanc = Orthanc(folder)
    orthanc.start()
    yield f'[[destination]]\nname = "Orthanc"\nhost = "127.0.0.1"\nport = {orthanc.dicom}\ntitle = "ORTHANC"\n'
    orthanc.stop()


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
    say("waits for the housekeeper, who gives memory back")
    time.sleep(65)
    assert server.process is not None
    rss, pss = memory(server.process.pid)
    server.end()
    return {"seconds_to_ready": [round(t, 2) for t in times], "idle_rss_mb": round(rss), "idle_pss_mb": round(pss)}


def ingest(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """The same films by two associations to storescp, which only stores, to a clinic, and to one with a PACS."""
    films = files(folder / "films", range(1, args.films + 1), SIDE)
    halves = [films[0::2], films[1::2]]
    alone = _storescp(folder / "scp", halves)
    say(f"storescp stores {alone:.1f} a second")
    found: dict[str, Any] = {"films": len(films), "side": SIDE, "storescp_films_per_second": round(alone, 1)}
    with serving(folder / "clinic") as (server, store):
        found |= _ingest(server, store, halves)
    found["ratio_to_storescp"] = round(found["read_per_second"] / alone, 2)
    with pacs(folder / "orthanc") as more, serving(folder / "with_pacs", more) as (server, store):
        wait_for(lambda: faults.all_done(store), 60)
        found |= {f"with_pacs_{name}": value for name, value in _ingest(server, store, halves).items()}
    return found


def _storescp(folder: Path, halves: list[list[Path]]) -> float:
    folder.mkdir()
    port = free_port()
    scp = subprocess.Popen([str(dcmtk("storescp")), "--output-directory", folder, "--fork", str(port)])
    time.sleep(1)
    began = time.perf_counter()
    senders = [storescu(port, half, called="ANY") for half in halves]
    wait_for(lambda: sent(senders), 600)
    seconds = time.perf_counter() - began
    scp.kill()
    return sum(map(len, halves)) / seconds


def _ingest(server: faults.Server, store: Store, halves: list[list[Path]]) -> dict[str, Any]:
    count, watch = sum(map(len, halves)), Watch(server)
    began = time.perf_counter()
    senders = [storescu(server.port, half) for half in halves]
    watch.until(lambda: sent(senders), lambda: "sends")
    stored = time.perf_counter() - began
    watch.until(lambda: waiting(store) == 0, lambda: f"{waiting(store)} films wait to be read")
    read = time.perf_counter() - began
    watch.until(lambda: faults.all_done(store), lambda: f"{unconfirmed(store)} results wait to be confirmed")
    confirmed = time.perf_counter() - began
    found = {
        "stored_per_second": round(count / stored, 1), "read_per_second": round(count / read, 1),
        "processor_ms_per_film": round(watch.spent() / count, 1), **watch.most(),
    }  # fmt: skip
    with store.reading() as session:
        if session.scalar(select(func.count()).select_from(Delivery)):
            found["confirmed_per_second"] = round(count / confirmed, 1)
    return found


def latency(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Two films a second; the store's own times of confirmation beside the moment at which C-STORE was answered."""
    folder.mkdir()
    with pacs(folder / "orthanc") as more, serving(folder / "clinic", more) as (server, store):
        wait_for(lambda: faults.all_done(store), 120)
        ended: dict[str, float] = {}
        began = time.time()
        for number in range(1, args.films + 1):
            one = film(PICTURES[number % 2], number=number, side=SIDE)
            time.sleep(max(0.0, began + number / 2 - time.time()))
            assert send(server.port, [one]) == [0]
            ended[str(one.SOPInstanceUID)] = time.time()
            if number % 20 == 0:
                say(f"{number} of {args.films} films sent")
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
    waits.sort()
    return {
        "films": len(waits), "side": SIDE, "median_s": round(waits[len(waits) // 2], 2),
        "p95_s": round(waits[int(0.95 * len(waits))], 2), "most_s": round(waits[-1], 2),
    }  # fmt: skip


def load(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Many films by 8 associations at once, a few dozen an association as modalities send them."""
    count = args.films // 8
    folder.mkdir()
    with serving(folder / "clinic") as (server, store):
        watch = Watch(server)

        def some(number: int) -> int:
            for first in range(0, count, 50):
                numbers = range(number * 100_000 + first + 1, number * 100_000 + min(first + 50, count) + 1)
                batch = files(folder / str(number), numbers, side=512)
                assert storescu(server.port, batch).wait() == 0
                for file in batch:
                    file.unlink()
            return count

        began = time.perf_counter()
        sending = Counted(8, some)
        watch.until(
            lambda: None not in sending.found and waiting(store) == 0,
            lambda: f"{waiting(store)} wait to be read; at most {watch.rss:.0f} MB (RSS), {watch.pss:.0f} MB (PSS)",
        )
        accepted, seconds = sum(sending.join()), time.perf_counter() - began
        spent = watch.spent()
    return {
        "sent": 8 * count, "accepted": accepted, "seconds": round(seconds), **watch.most(),
        "films_per_second": round(accepted / seconds, 1), "processor_ms_per_film": round(spent / accepted, 1),
    }  # fmt: skip


def kill(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Kills at random moments under load."""
    server = faults.Server(folder, READER)
    server.start()
    modalities = [faults.Modality(server.port, 1_000_000 * n) for n in range(4)]
    chance = random.Random(1)
    for number in range(args.kills):
        time.sleep(chance.uniform(0.1, 3))
        server.kill()
        server.start()
        if number % 10 == 9:
            say(f"{number + 1} of {args.kills} kills")
    for modality in modalities:
        modality.stop()
    taken = [uid for modality in modalities for uid in modality.taken]
    with server.store() as store:
        wait_for(lambda: faults.all_done(store), 600)
        faults.nothing_lost(store, taken)
    server.end()
    return {"kills": args.kills, "films_taken": len(taken), "lost": 0}


def results(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Processor time for the report and picture of a film, and the memory that the first ones need."""
    from ai_for_sudan.clinic.arrivals import look
    from ai_for_sudan.clinic.results import objects
    from ai_for_sudan.clinic.results.identifiers import Source
    from ai_for_sudan.clinic.store.tables import Study
    from ai_for_sudan.clinic.work import OpenReader

    folder.mkdir()
    one = film(side=SIDE, SpecificCharacterSet="ISO_IR 192")
    one.save_as(folder / "film.dcm", enforce_file_format=True)
    row, pixels = OpenReader(str(READER), "").read(folder / "film.dcm", "film")
    facts = look(folder / "film.dcm").facts
    source = Source(Film(**facts.film), Study(**facts.study), facts.identity)
    before = memory(os.getpid())[0]
    objects(source, row, pixels)
    more = memory(os.getpid())[0] - before
    began = time.process_time()
    for _ in range(20):
        objects(source, row, pixels)
    return {"ms": round((time.process_time() - began) * 50, 1), "mb": round(more)}


PARTS = {"start": start, "ingest": ingest, "latency": latency, "load": load, "kill": kill, "results": results}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["start", "ingest", "latency"], choices=[*PARTS])
    parser.add_argument("--films", type=int, default=200)
    parser.add_argument("--kills", type=int, default=100)
    args = parser.parse_args()
    for part in args.parts:
        say(part)
        with tempfile.TemporaryDirectory() as folder:
            found = PARTS[part](Path(folder) / part, args)
        print(
            json.dumps({"part": part, **found, "load": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}),
            flush=True,
        )


if __name__ == "__main__":
    main()
