"""`clinic doctor`: looks at everything that a clinic stands on, and says what to do."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from ai_for_sudan.clinic.care import certificate, clock, permissions, sealing
from ai_for_sudan.clinic.config import Config
from ai_for_sudan.clinic.delivery import Away, peer_of
from ai_for_sudan.clinic.store import DATABASE, Store, deliveries, settings, trail
from ai_for_sudan.clinic.store import database as databases
from ai_for_sudan.clinic.store.standing import standing
from ai_for_sudan.clinic.store.tables import now
from ai_for_sudan.errors import UserError
from ai_for_sudan.reading import Reader

#: no file of this program is younger than this: a clock before it is wrong
YOUNGEST = datetime(2026, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: ``ok``, ``warning`` or ``failure``, in words, with what to do."""

    state: str
    what: str
    words: str
    advice: str = ""


def examine(config: Config) -> Iterator[Finding]:
    """Look at everything, beside a running server or without one."""
    yield from _disk(config)
    yield from _database(config)
    yield from _clock(config)
    yield from _certificate(config)
    yield _reader(config)
    yield from _node(config)
    yield _web(config)
    yield from _destinations(config)
    yield from _waiting(config)
    yield from _folder(config)
    yield from _backups(config)


def _disk(config: Config) -> Iterator[Finding]:
    folder = config.storage.folder
    if not folder.is_dir():
        yield Finding("failure", "disk", f"{folder} is not there", "run: ai-for-sudan clinic init")
        return
    usage = shutil.disk_usage(folder)
    free, kept = usage.free / usage.total, config.storage.keep_free
    words = f"{usage.free / 1e9:.1f} GB of {usage.total / 1e9:.1f} GB are free in {folder}"
    if free <= kept:
        advice = "new films are refused; delete what is not needed, move the folder to a larger disk, or set keep_share"
        yield Finding("failure", "disk", words, advice)
    elif free <= kept + 0.05:
        yield Finding("warning", "disk", words, "it will be full soon: set keep_days or keep_share, or a larger disk")
    else:
        yield Finding("ok", "disk", words)
    if others := list(permissions.loose(folder)):
        words = f"other users of this machine can read {len(others)} files and folders in {folder}"
        yield Finding("failure", "rights", words, "restart the server: it takes their rights away")
    else:
        yield Finding("ok", "rights", f"only the owner can read {folder}")
    try:
        probe = folder / ".doctor"
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        advice = f"give this user the right to write there: chown -R the folder ({error.strerror})"
        yield Finding("failure", "disk", f"{folder} cannot be written", advice)


def _database(config: Config) -> Iterator[Finding]:
    file = config.storage.folder / DATABASE
    if not file.exists():
        yield Finding(
            "warning", "database", "there is none yet", "it is made at the first start: ai-for-sudan clinic run"
        )
        return
    try:
        older = databases.is_older(file)
        with sqlite3.connect(f"file:{file.as_posix()}?mode=ro", uri=True) as connection:
            found = connection.execute("PRAGMA quick_check").fetchone()[0]
        connection.close()
    except (UserError, sqlite3.Error) as error:
        yield Finding("failure", "database", str(error), "restore a backup: ai-for-sudan clinic restore")
        return
    if found != "ok":
        yield Finding("failure", "database", f"damaged: {found}", "restore a backup: ai-for-sudan clinic restore")
    elif older:
        yield Finding("warning", "database", "older than this program", "it is brought up to date at the next start")
    else:
        yield Finding("ok", "database", "whole, and of this program's version")
        with Store(config.storage.folder, 0) as store, store.reading() as session:
            try:
                rows, last = trail.verify(session)
                yield Finding("ok", "trail", f"{rows} rows, unbroken; the last hash is {last[:16]}")
            except ValueError as error:
                yield Finding("failure", "trail", str(error), "find out who had the file; compare with a backup")


def _clock(config: Config) -> Iterator[Finding]:
    moment = now()
    words = f"{moment:%Y-%m-%d %H:%M} UTC, here {moment.astimezone():%H:%M (%z)}"
    if moment < YOUNGEST:
        yield Finding("failure", "clock", words, "set the clock: it is older than this program")
        return
    file = config.storage.folder / DATABASE
    if file.exists() and not databases.is_older(file):
        with Store(config.storage.folder, 0) as store:
            if reason := clock.suspect(store):
                advice = "set the clock; when it is right: ai-for-sudan clinic doctor --clock-is-right"
                yield Finding("failure", "clock", f"{words}: {reason}; nothing is deleted by age", advice)
                return
    yield Finding("ok", "clock", words)


def _certificate(config: Config) -> Iterator[Finding]:
    if not config.web.certificate:
        if config.web.host not in ("127.0.0.1", "::1", "localhost"):
            advice = "passwords and films cross the network in the clear: set certificate and key, or host = 127.0.0.1"
            yield Finding("failure", "certificate", "the pages are served without HTTPS", advice)
        return
    file = config.path(config.web.certificate)
    try:
        end = certificate.ends(file)
    except UserError as error:
        yield Finding("failure", "certificate", str(error), "make one: ai-for-sudan clinic certificate")
        return
    words = f"good until {end:%Y-%m-%d}"
    if end < now():
        yield Finding("failure", "certificate", f"ended on {end:%Y-%m-%d}", "run: ai-for-sudan clinic certificate")
    elif end < now() + certificate.RENEW:
        yield Finding("warning", "certificate", words, "make a new one soon: ai-for-sudan clinic certificate")
    else:
        yield Finding("ok", "certificate", words)


def _reader(config: Config) -> Finding:
    try:
        reader = Reader.open(config.reading.reader)
        point = reader.card.operating_point(config.reading.operating_point or None)
    except UserError as error:
        return Finding("failure", "reader", str(error), "choose another under [reading], or reinstall it")
    return Finding("ok", "reader", f"{reader.card.title} passes its self-test; operating point {point.name}")


def _node(config: Config) -> Iterator[Finding]:
    node = config.node
    if not node.enabled:
        return
    if not node.modalities:
        advice = "add [[node.modalities]] with title and address of each device to the configuration"
        yield Finding("warning", "node", "no modality may send films", advice)
    host = "127.0.0.1" if node.host in ("0.0.0.0", "::") else node.host
    try:
        socket.create_connection((host, node.port), timeout=3).close()
        yield Finding("ok", "node", f"'{node.title}' is open at port {node.port}")
    except OSError:
        yield Finding("warning", "node", f"nothing is open at port {node.port}", "start it: ai-for-sudan clinic run")


def _web(config: Config) -> Finding:
    web = config.web
    host = "127.0.0.1" if web.host in ("0.0.0.0", "::") else web.host
    address = f"{'https' if web.certificate else 'http'}://{host}:{web.port}/health"
    context = ssl.create_default_context()
    # This very machine is asked whether it answers, not who it is.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(address, timeout=5, context=context) as answer:
            found = json.load(answer)
        return Finding("ok", "pages", f"answer at port {web.port}: {found.get('status')}")
    except urllib.error.HTTPError as error:
        return Finding("failure", "pages", f"answer at port {web.port} with HTTP {error.code}", "see the server's log")
    except (OSError, ValueError):
        return Finding("warning", "pages", f"do not answer at port {web.port}", "start it: ai-for-sudan clinic run")


def _destinations(config: Config) -> Iterator[Finding]:
    for there in config.destinations:
        try:
            yield Finding("ok", f"PACS {there.name}", peer_of(config, there).check())
        except Away as error:
            advice = "see that it is on, that the address is right, and that it knows this clinic's AE title"
            yield Finding("failure", f"PACS {there.name}", str(error), advice)


def _waiting(config: Config) -> Iterator[Finding]:
    """What waits for whom, as `health` says it."""
    file = config.storage.folder / DATABASE
    if not file.exists() or databases.is_older(file):
        return
    with Store(config.storage.folder, 0) as store, store.reading() as session:
        found = standing(session)
        counts = deliveries.counts(session)
    for problem in found:
        if problem["code"] != "delivery":  # the destination was asked just now
            yield Finding("warning", problem["code"], problem["words"], problem["advice"])
    if config.destinations:
        waiting = sum(n for (_, state), n in counts.items() if state in ("waiting", "sent"))
        yield Finding("ok", "results", f"{waiting} are on their way")


def _folder(config: Config) -> Iterator[Finding]:
    if config.folder.path and not Path(config.folder.path).is_dir():
        yield Finding("failure", "folder", f"{config.folder.path} is not there", "create it, or correct [folder] path")


def _backups(config: Config) -> Iterator[Finding]:
    file = config.storage.folder / DATABASE
    if not file.exists() or databases.is_older(file):
        return
    if not config.backup.every_hours:
        yield Finding("warning", "backup", "the server makes none", "set every_hours, or run clinic backup every day")
        return
    with Store(config.storage.folder, 0) as store, store.reading() as session:
        last = (settings.get(session, "backup") or {}).get("at", "")
    if not last:
        yield Finding("warning", "backup", "none was made yet", "the server makes one in its first minutes")
    elif datetime.fromisoformat(last) < now() - timedelta(hours=3 * config.backup.every_hours):
        yield Finding("failure", "backup", f"the last one is of {last[:16]} UTC", "see the server's log")
    else:
        yield Finding("ok", "backup", f"the last one is of {last[:16]} UTC; copy it to another machine")
    if sealing.public_key(config.storage.folder) is None:
        yield Finding("warning", "backup", "backups are not encrypted", "make a key: ai-for-sudan clinic backup --key")
