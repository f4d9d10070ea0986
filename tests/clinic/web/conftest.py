"""A real server on loopback with a few films in it, and people who are logged in."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from ai_for_sudan.clinic import arrivals
from ai_for_sudan.clinic.config import from_facts
from ai_for_sudan.clinic.store import Store, deliveries, films, tables
from ai_for_sudan.clinic.web import Desk, passwords, server
from ai_for_sudan.clinic.work import OpenReader

ROOT = Path(__file__).resolve().parents[3]
SAMPLES, APP = ROOT / "samples", ROOT / "app"
PASSWORD = "seven blue boats"


@pytest.fixture(scope="session")
def reader() -> OpenReader:
    return OpenReader("mobilenet_v2", "")


class Person(httpx.Client):
    """A browser of somebody who is logged in: it repeats the CSRF token as the pages do."""

    def log_in(self, name: str, password: str = PASSWORD) -> Person:
        answer = self.post("/api/session", json={"name": name, "password": password})
        assert answer.status_code == 200, answer.text
        self.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return self


@dataclass
class Clinic:
    desk: Desk
    address: str
    reader: OpenReader
    open_clients: list[httpx.Client] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return self.desk.store

    def nobody(self) -> Person:
        client = Person(base_url=self.address, timeout=30)
        self.open_clients.append(client)
        return client

    def user(self, name: str, role: str = "clinician", full_name: str = "") -> str:
        with self.store.writing() as session:
            session.add(
                tables.User(
                    name=name,
                    full_name=full_name,
                    role=role,
                    password=_HASHED,
                    must_change_password=False,
                    language="en",
                )
            )
        return name

    def person(self, name: str, role: str = "clinician") -> Person:
        return self.nobody().log_in(self.user(name, role))

    def film(self, content: bytes, **known: Any) -> int:
        """Put a film in and read it."""
        file = self.store.films.open_incoming()
        file.write(content)
        file.close()
        number = self.desk.receive(Path(file.name), **{"origin": "upload", "source": "", **known}).film
        self.read(number)
        return number

    def read(self, number: int) -> None:
        with self.store.reading() as session:
            file = session.get_one(tables.Film, number).file
        found, _ = self.reader.read(self.store.films.path(file), f"film {number}")
        with self.store.writing() as session:
            films.keep_reading(session, session.get_one(tables.Film, number), found)

    def trail(self, act: str = "") -> list[tables.TrailRow]:
        from sqlalchemy import select

        with self.store.reading() as session:
            rows = select(tables.TrailRow).where(tables.TrailRow.act.startswith(act)).order_by(tables.TrailRow.id)
            return list(session.scalars(rows))


_HASHED = passwords.hashed(PASSWORD)


@dataclass(frozen=True)
class Address:
    """One address, as the server's own document describes it; nobody is named where everybody may call."""

    method: str
    path: str
    roles: tuple[str, ...]
    body: str


def addresses(clinic: Clinic) -> list[Address]:
    """Every address of a server, by its OpenAPI document."""
    with httpx.Client(base_url=clinic.address) as client:
        paths = client.get("/openapi.json").json()["paths"]
    return [
        Address(
            method.upper(),
            path,
            tuple(sorted({role for way in known.get("security", []) for roles in way.values() for role in roles})),
            next(iter(known.get("requestBody", {}).get("content", {})), ""),
        )
        for path, methods in paths.items()
        for method, known in methods.items()
    ]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def start(tmp_path: Path, reader: OpenReader) -> Iterator[Callable[..., Clinic]]:
    """Starts servers: a configuration's tables as keyword arguments."""
    running: list[tuple[Any, threading.Thread, Clinic]] = []

    def begin(
        static: Path | None = None, health: dict[str, Any] | None = None, app: Path | None = None, **facts: Any
    ) -> Clinic:
        port = free_port()
        facts = {"site": {"name": "Test clinic"}, **facts}
        web = {"host": "127.0.0.1", "port": port, "certificate": "", "key": "", **facts.pop("web", {})}
        config = from_facts(
            tmp_path / "clinic.toml",
            {"storage": {"folder": str(tmp_path / "data"), **facts.pop("storage", {})}, "web": web, **facts},
        )
        store = Store.open(config.storage.folder)
        desk = Desk(
            config=config, store=store, card=reader.reader.card, receive=partial(arrivals.receive, store),
            health=lambda: health or {"ok": True, "problems": []}, static=static or tmp_path, app=app,
        )  # fmt: skip
        running_server = server(desk)
        thread = threading.Thread(target=running_server.run, daemon=True)
        thread.start()
        clinic = Clinic(desk, f"http://127.0.0.1:{port}", reader)
        running.append((running_server, thread, clinic))
        for _ in range(400):
            if running_server.started:
                return clinic
            time.sleep(0.02)
        raise AssertionError("the server did not start")

    yield begin
    for running_server, thread, clinic in running:
        for client in clinic.open_clients:
            client.close()
        running_server.should_exit = True
        clinic.desk.hub.close()
        thread.join(10)
        clinic.store.close()


@pytest.fixture
def clinic(start: Callable[..., Clinic]) -> Clinic:
    return start()


@pytest.fixture(scope="session")
def film() -> bytes:
    return (SAMPLES / "pneumonia_01.png").read_bytes()


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages."""
    if shutil.which("npx") is None or not (APP / "node_modules").exists():
        pytest.skip("Node 20 and app/node_modules are needed to build the pages; run: npm ci --prefix app")
    folder = tmp_path_factory.mktemp("pages") / "static"
    subprocess.run(
        ["npx", "vite", "build", "--config", "vite.clinic.config.ts"],
        cwd=APP,
        env={**os.environ, "CLINIC_OUT_DIR": str(folder)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return folder


@pytest.fixture
def busy(start: Callable[..., Clinic], pages: Path) -> Clinic:
    """A clinic on an ordinary morning: films of every status, verdicts, a PACS that is away."""
    clinic = start(
        static=pages,
        site={"name": "Omdurman clinic"},
        health={
            "ok": True,
            "problems": [
                {
                    "code": "delivery",
                    "words": "main PACS does not answer at 10.0.0.5:4242 (connection refused)",
                    "advice": "see whether it is switched on and its cable is plugged in; nothing is lost meanwhile",
                },
            ],
        },
    )
    numbers = [
        clinic.film(path.read_bytes())
        for path in [*sorted(SAMPLES.glob("n*.png"))[:4], *sorted(SAMPLES.glob("p*.png"))[:4]]
    ]
    people = [
        clinic.user("amina", "administrator", "Dr Amina Idris"),
        clinic.user("omar", "clinician", "Dr Omar Bakri"),
    ]
    clinic.user("huda", "viewer", "Huda")
    with clinic.store.writing() as session:
        patients = [tables.Patient(identifier=f"P-{n:04d}", name="Doe^Jane", sex="F") for n in range(3)]
        session.add_all(patients)
        session.flush()
        for place, number in enumerate(numbers):
            film = session.get_one(tables.Film, number)
            film.age_years, film.origin = [0.5, 3.0, 4.5][place % 3], ["dicom", "phone", "upload"][place % 3]
            study = session.get_one(tables.Study, film.study_id)
            study.patient_id, study.date, study.accession_number = (
                patients[place % 3].id,
                f"2026-11-{place + 1:02d}",
                "A17",
            )
        users = {user.name: user.id for user in session.query(tables.User)}
        for number, said in ((numbers[0], ("agree", "disagree")), (numbers[-1], ("agree",))):
            reading = films.newest_reading(session, number)
            for name, agreement in zip(people, said, strict=False):
                films.sign(
                    session,
                    tables.Verdict(
                        film_id=number, reading_id=reading.id, user_id=users[name], agreement=agreement,
                        note="Right lower lobe.",
                    ),
                )  # fmt: skip
        # Statuses that the samples do not have.
        for number, status, codes in (
            (numbers[1], "uncertain", ["abstained"]),
            (numbers[2], "refused", ["lateral"]),
            (numbers[3], "failed", ["truncated"]),
        ):
            film = session.get_one(tables.Film, number)
            reading = films.newest_reading(session, number)
            reading.status, reading.codes, film.status = status, codes, status
            film.urgency, film.on_worklist = films.URGENCY_OF[status], status != "refused"
        deliveries.set_destinations(session, {"main PACS": ("sr", "sc"), "archive": ("sr",)})
        session.flush()
        result = tables.Result(
            reading_id=films.newest_reading(session, numbers[0]).id, kind="sr", sop_uid="1.2", sop_class="1",
            series_uid="1", file="0" * 64, size=1,
        )  # fmt: skip
        session.add(result)
        session.flush()
        deliveries.enqueue(session, [result])
        session.flush()
        deliveries.mark_away(session, "main PACS", "main PACS does not answer at 10.0.0.5:4242 (connection refused)")
    clinic.numbers = numbers
    return clinic
