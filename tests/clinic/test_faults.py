"""Faults that a clinic must survive, each short; the long ones are in ``benchmarks/clinic.py``."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from clinic_parts import Counted, Orthanc, config, film, free_port, running, send, wait_for
from sqlalchemy import func, select

from ai_for_sudan.clinic.arrivals import look
from ai_for_sudan.clinic.clinic import Clinic
from ai_for_sudan.clinic.health import health, memory
from ai_for_sudan.clinic.store import Store, films
from ai_for_sudan.clinic.store.tables import Delivery, Film, FilmReading, Job, Result
from ai_for_sudan.errors import UserError

CONFIG = """\
[storage]
folder = "data"
keep_free = 0.0
[reading]
reader = "{reader}"
workers = 2
[web]
host = "127.0.0.1"
port = {web}
certificate = ""
key = ""
[node]
title = "AIFORSUDAN"
host = "127.0.0.1"
port = {node}
[[node.modalities]]
title = "CR1"
[backup]
every_hours = 0
"""


class Server:
    """A clinic as a process of its own, which can be killed."""

    def __init__(self, folder: Path, reader: Path, more: str = "", **environment: str) -> None:
        self.folder, self.port, self.web = folder, free_port(), free_port()
        folder.mkdir(exist_ok=True)
        text = CONFIG.format(reader=reader, web=self.web, node=self.port) + more
        (folder / "clinic.toml").write_text(text)
        self._environment = os.environ | environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "ai_for_sudan", "clinic", "run", "--config", str(self.folder / "clinic.toml")]
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(command, env=self._environment, stderr=log, stdout=log)
        assert wait_for(self._open), (self.folder / "log").read_text()[-2000:]

    def _open(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        return False

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=60)

    def store(self) -> Store:
        return Store.open(self.folder / "data")


class Modality:
    """Sends films without pause, again until each was answered with success, as a modality does."""

    def __init__(self, port: int, seed: int) -> None:
        self.taken: list[str] = []
        self._port, self._stop, self._number = port, threading.Event(), seed
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._number += 1
            one = film(number=self._number, side=256)
            while not self._stop.is_set():
                try:
                    if send(self._port, [one]) == [0]:
                        self.taken.append(str(one.SOPInstanceUID))
                        break
                except (OSError, RuntimeError):
                    pass
                time.sleep(0.05)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def nothing_lost(store: Store, taken: list[str]) -> None:
    with store.reading() as session:
        rows = {row.sop_uid: row for row in session.scalars(select(Film))}
        assert set(taken) <= set(rows), "a film that was answered with success is gone"
        for row in rows.values():
            file = store.films.path(row.file)
            assert hashlib.sha256(file.read_bytes()).hexdigest() == row.file and look(file).content == row.content
        assert len(rows) == session.scalar(select(func.count()).select_from(Film))


def all_done(store: Store) -> bool:
    with store.reading() as session:
        left = session.scalar(select(func.count()).select_from(Job).where(Job.state.in_(("waiting", "running"))))
        on_their_way = session.scalar(select(func.count()).select_from(Delivery).where(Delivery.state != "confirmed"))
        return not left and not on_their_way


def test_a_server_that_is_killed_at_random_moments_loses_and_doubles_nothing(
    tmp_path: Path, reader_file: Path, orthanc: Orthanc
) -> None:
    pacs = f'[[destination]]\nname = "Orthanc"\nhost = "127.0.0.1"\nport = {orthanc.dicom}\ntitle = "ORTHANC"\n'
    kills = 3
    server = Server(tmp_path / "clinic", reader_file, pacs)
    server.start()
    modalities = [Modality(server.port, 1_000_000 * n) for n in range(2)]
    chance = random.Random(7)
    try:
        for _ in range(kills):
            time.sleep(chance.uniform(0.3, 2.5))
            server.kill()
            server.start()
        time.sleep(1)
    finally:
        for modality in modalities:
            modality.stop()
    taken = [uid for modality in modalities for uid in modality.taken]
    with server.store() as store:
        assert len(taken) >= kills and wait_for(lambda: all_done(store), 120)
        nothing_lost(store, taken)
        with store.reading() as session:
            readings = Counter(session.scalars(select(FilmReading.film_id)))
            results = set(session.scalars(select(Result.sop_uid)))
            states = Counter(session.scalars(select(Delivery.state)))
            count = session.scalar(select(func.count()).select_from(Film))
        assert set(readings.values()) == {1} and len(readings) == count
        assert states == {"confirmed": 2 * len(readings)}
    there = [one["MainDicomTags"]["SOPInstanceUID"] for one in orthanc.find()]
    assert sorted(there) == sorted(results)
    assert server.end() == 0


def test_a_power_cut_that_drops_every_unsynced_write_loses_no_film_that_was_taken(
    tmp_path: Path, reader_file: Path
) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("no C compiler for the library that keeps what was synced")
    shim, shadow, data = tmp_path / "drop.so", tmp_path / "shadow", tmp_path / "clinic" / "data"
    shadow.mkdir()
    source = Path(__file__).parent / "drop_unsynced.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", shim, source, "-ldl", "-lpthread"], check=True)
    environment = {"LD_PRELOAD": str(shim), "ROOT": str(data), "SHADOW": str(shadow)}
    server = Server(tmp_path / "clinic", reader_file, **environment)
    server.start()
    modality = Modality(server.port, 1)
    time.sleep(4)
    server.kill()
    modality.stop()
    assert len(modality.taken) >= 3
    image = tmp_path / "after" / "data"
    unsynced = rebuild(data, shadow, image)
    assert unsynced >= 0
    after = Server(tmp_path / "after", reader_file)
    after.start()
    with after.store() as store:
        assert wait_for(lambda: all_done(store), 60)
        nothing_lost(store, modality.taken)
    assert after.end() == 0


def rebuild(folder: Path, shadow: Path, image: Path) -> int:
    """The folder as a disk would hold it that lost every unsynced write; the number of files that are gone."""
    image.mkdir(parents=True)
    names = shadow / f"d{folder.stat().st_ino}"
    gone = 0
    # A folder whose names were never synced may hold none of them, or those that were there at its making.
    entries = [line.split(" ", 1) for line in names.read_text().splitlines()] if names.exists() else []
    kept = {name for _, name in entries}
    for inode, name in entries:
        inside = folder / name
        if inside.is_dir():
            gone += rebuild(inside, shadow, image / name)
        elif (shadow / f"f{inode}").exists():
            shutil.copy(shadow / f"f{inode}", image / name)
    return gone + sum(1 for entry in folder.iterdir() if entry.name not in kept)


def test_eight_associations_at_once_are_all_accepted_in_constant_memory(tmp_path: Path, reader_file: Path) -> None:
    with running(config(tmp_path, reader_file)) as clinic:
        port = clinic.node.port

        def some(number: int) -> list[int]:
            return send(port, [film(number=1000 * number + n) for n in range(12)])

        Counted(8, some).join()
        before = memory()
        statuses = [status for found in Counted(8, lambda n: some(n + 8)).join() for status in found]
        assert statuses == [0] * 96
        assert wait_for(lambda: _read(clinic) == 192, 180)
        assert memory() < before + 120_000_000


def _read(clinic: Clinic) -> int:
    with clinic.store.reading() as session:
        return sum(number for status, number in films.counts(session).items() if status != "waiting")


def test_a_full_disk_refuses_new_films_in_words_and_recovers_by_itself(tmp_path: Path, reader_file: Path) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("a small disk cannot be mounted here (needs root)")
    try:
        settings = config(tmp_path, reader_file)
        settings = dataclasses.replace(settings, storage=dataclasses.replace(settings.storage, folder=place / "data"))
        settings = dataclasses.replace(settings, storage=dataclasses.replace(settings.storage, keep_free=0.3))
        settings = dataclasses.replace(settings, backup=dataclasses.replace(settings.backup, every_hours=0.0))
        with running(settings) as clinic:
            ballast = place / "ballast"
            ballast.write_bytes(bytes(6_000_000))
            statuses: list[int] = []
            for number in range(60):
                statuses += send(clinic.node.port, [film(number=number)])
                if statuses[-1] != 0:
                    break
            assert statuses[0] == 0 and statuses[-1] == 0xA700
            assert {problem["code"] for problem in health(clinic)["problems"]} >= {"disk_full"}
            with clinic.store.reading() as session:
                rows = list(session.scalars(select(Film)))
            assert len(rows) == statuses.count(0)
            assert all(clinic.store.films.path(row.file).read_bytes()[128:132] == b"DICM" for row in rows)
            ballast.unlink()
            assert send(clinic.node.port, [film(number=99)]) == [0]
            assert wait_for(lambda: _read(clinic) == len(rows) + 1)
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def test_two_servers_on_one_database_are_refused(clinic: Clinic) -> None:
    with pytest.raises(UserError, match="another server"):
        Clinic.open(clinic.config)


def test_port_checks_leave_neither_threads_nor_memory_behind(clinic: Clinic) -> None:
    def knock(count: int) -> None:
        for _ in range(count):
            socket.create_connection(("127.0.0.1", clinic.node.port)).close()

    knock(100)
    assert wait_for(lambda: threading.active_count() < 40)
    before, threads = memory(), threading.active_count()
    knock(400)
    assert wait_for(lambda: threading.active_count() <= threads + 2)
    assert memory() < before + 30_000_000
    assert send(clinic.node.port, [film()]) == [0]


def test_a_film_that_takes_the_process_with_it_each_time_is_answered_as_failed(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clinic.store.writing() as session:
        clinic.workers.stop()
    with running(dataclasses.replace(clinic.config, storage=dataclasses.replace(
        clinic.config.storage, folder=clinic.config.storage.folder.parent / "other"))) as other:  # fmt: skip
        monkeypatch.setattr(other.reader, "read", lambda path, name: pytest.fail("it must not be read again"))
        with other.store.writing() as session:
            session.add(Job(kind="read", key="1", attempts=3, state="waiting"))
        other.receive(_file(other), origin="upload")
        with other.store.reading() as session:
            assert wait_for(lambda: _read(other) == 1)
            row = session.scalars(select(Film)).one()
            assert row.status == "failed" and films.newest_reading(session, row.id).codes == ["worker_lost"]  # type: ignore[union-attr]


def _file(clinic: Clinic) -> Path:
    from dicom_film import as_bytes

    with clinic.store.films.open_incoming() as file:
        file.write(as_bytes(film()))
    return Path(file.name)


def test_a_server_that_is_asked_to_end_ends_in_order(tmp_path: Path, reader_file: Path) -> None:
    server = Server(tmp_path / "clinic", reader_file)
    server.start()
    assert send(server.port, [film()]) == [0]
    assert server.end() == 0
    with server.store() as store:
        nothing_lost(store, [])
