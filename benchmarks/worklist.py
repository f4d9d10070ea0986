"""How long a page of the worklist takes with 10,000 films: ``python benchmarks/worklist.py [FILMS]``.

A real server on loopback, four people who ask at once, every view and a search; milliseconds at the 50th and the 95th
percentile, from the asking to the last byte.
"""

from __future__ import annotations

import random
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import numpy as np

from ai_for_sudan.clinic.config import from_facts
from ai_for_sudan.clinic.store import Store, films, tables
from ai_for_sudan.clinic.web import Desk, passwords, server
from ai_for_sudan.reading import Reader

PEOPLE, CALLS = 4, 60
STATUSES = ("suspected", "uncertain", "not_seen", "refused", "failed")


def fill(store: Store, count: int) -> None:
    """Films as a year leaves them: of a third as many patients, most of them judged."""
    draw = random.Random(0)
    with store.writing() as session:
        session.add_all(tables.Patient(identifier=f"P-{n:06d}", name=f"FAMILY{n}^GIVEN") for n in range(count // 3 + 1))
        session.add(tables.User(name="amina", role="clinician", password=_HASH, must_change_password=False))
        session.flush()
        for n in range(count):
            status = draw.choices(STATUSES, (20, 10, 60, 8, 2))[0]
            study = tables.Study(uid=f"1.2.{n}", patient_id=n // 3 + 1, date="2026-11-02", accession_number=f"A{n}")
            session.add(study)
            session.flush()
            session.add(
                tables.Film(
                    study_id=study.id, file=f"{n:064x}", content=f"{n:064x}", size=1, kind="dicom", origin="dicom",
                    sop_uid=f"1.2.3.{n}", status=status, urgency=films.URGENCY_OF[status], probability=draw.random(),
                    review=draw.choices(("open", "agree", "disagree", "split"), (30, 60, 9, 1))[0], on_worklist=True,
                )
            )  # fmt: skip


_PASSWORD = "seven blue boats"
_HASH = passwords.hashed(_PASSWORD)


def ask(address: str, times: list[float]) -> None:
    draw = random.Random(threading.get_ident())
    with httpx.Client(base_url=address, timeout=60) as client:
        session = client.post("/api/session", json={"name": "amina", "password": _PASSWORD}).json()
        client.headers["X-CSRF-Token"] = session["csrf"]
        for _ in range(CALLS):
            body = {"view": draw.choice(("open", "open", "second", "done", "all")), "page": draw.randrange(3)}
            if draw.random() < 0.3:
                body |= {"search": f"P-00{draw.randrange(1000):04d}", "page": 0}
            began = time.perf_counter()
            answer = client.post("/api/worklist", json=body)
            times.append((time.perf_counter() - began) * 1000)
            answer.raise_for_status()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as name, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        facts = {"storage": {"folder": name}, "web": {"host": "127.0.0.1", "port": port, "certificate": "", "key": ""}}
        config = from_facts(Path(name) / "clinic.toml", facts)
        with Store.open(Path(name)) as store:
            fill(store, count)
            card = Reader.open("mobilenet_v2").card
            desk = Desk(config, store, card, receive=lambda *_, **__: None, health=lambda: {"ok": True})
            running = server(desk)
            thread = threading.Thread(target=running.run)
            thread.start()
            while not running.started:
                time.sleep(0.05)
            times: list[float] = []
            people = [threading.Thread(target=ask, args=(f"http://127.0.0.1:{port}", times)) for _ in range(PEOPLE)]
            for person in people:
                person.start()
            for person in people:
                person.join()
            running.should_exit = True
            thread.join()
    middle, high = np.percentile(times, [50, 95])
    print(f"{count} films, {PEOPLE} people at once, {len(times)} pages: median {middle:.0f} ms, p95 {high:.0f} ms")


if __name__ == "__main__":
    main()
