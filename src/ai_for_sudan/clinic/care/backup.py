"""Backups of a running clinic in one file, and the way back onto a bare machine."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import re
import sqlite3
import tarfile
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from ai_for_sudan import __version__
from ai_for_sudan.clinic.care import permissions, sealing
from ai_for_sudan.clinic.config import Config
from ai_for_sudan.clinic.pseudonyms import KEY as PSEUDONYMS
from ai_for_sudan.clinic.store import DATABASE, Store, settings, trail
from ai_for_sudan.clinic.store import database as databases
from ai_for_sudan.clinic.store.tables import now
from ai_for_sudan.errors import UserError
from ai_for_sudan.files import replacing, sha256, write_text

LOG = logging.getLogger(__name__)
MANIFEST, CONFIG = "manifest.json", "clinic.toml"
#: folders of immutable files, named by their SHA-256
FILES = ("films", "results")


def back_up(config: Config, *, films: bool = True, reason: str = "by-hand", to: Path | None = None) -> Path:
    """Write a backup; the server may be running (SQLite's backup API takes one moment of the database).

    Args:
        films: with films and results; without them it is small, and holds all but the pictures.
        to: the file, or the folder, such as a stick or another machine's share; without one, the folder of backups.
            What was written is read back and compared.

    Where a key was made (:mod:`ai_for_sudan.clinic.care.sealing`), the file opens with its paper alone.

    Raises:
        UserError: there is no database yet, or no space.
    """
    folder = config.storage.folder
    if not (folder / DATABASE).exists():
        raise UserError(f"{folder} holds no database yet: there is nothing to back up")
    public = sealing.public_key(folder)
    name = f"clinic-{now():%Y%m%dT%H%M%SZ}-{reason}.tar" + (".sealed" if public else "")
    target = to or config.path(config.backup.folder)
    if to is None or to.is_dir():
        target = target / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".backup-") as scratch, replacing(target) as temporary:
        copy = Path(scratch) / DATABASE
        _copy_database(folder / DATABASE, copy)
        needed = _files_of(copy) if films else {}
        manifest = {
            "format": 1,
            "made_at": now().isoformat(),
            "program": __version__,
            "schema": databases.revision(copy),
            "database": sha256(copy),
            "films": films,
            "count": {kind: len(names) for kind, names in needed.items()},
            # Kept elsewhere, it shows later whether the trail was rewritten.
            "trail": _trail_head(copy),
        }
        plain = Path(scratch) / "backup.tar" if public else temporary
        with tarfile.open(plain, "w") as archive:
            _add_text(archive, MANIFEST, json.dumps(manifest, indent=2))
            archive.add(copy, DATABASE)
            if config.file.exists():
                archive.add(config.file, CONFIG)
            for extra in (PSEUDONYMS, sealing.PUBLIC, "tls"):
                if (folder / extra).exists():
                    archive.add(folder / extra, extra)
            for kind, names in needed.items():
                for name in sorted(names):
                    file = folder / kind / name[:2] / name
                    if file.exists():  # retention may have deleted it a moment ago
                        archive.add(file, f"{kind}/{name[:2]}/{name}")
        if public:
            sealing.seal(plain, temporary, public)
        temporary.chmod(0o600)
        written = sha256(temporary)
    target.chmod(0o600)
    if sha256(target) != written:
        raise UserError(f"{target} is not what was written to it: the medium is faulty; write it to another one")
    return target


def _trail_head(database: Path) -> dict[str, Any]:
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT id, hash FROM trail ORDER BY id DESC LIMIT 1").fetchone()
    connection.close()
    return {"rows": rows[0], "hash": rows[1]} if rows else {"rows": 0, "hash": trail.FIRST}


def _copy_database(source: Path, target: Path) -> None:
    with sqlite3.connect(f"file:{source.as_posix()}?mode=ro", uri=True) as old, sqlite3.connect(target) as new:
        old.backup(new, pages=1000, sleep=0.01)
    old.close()
    new.execute("PRAGMA journal_mode = DELETE")
    new.close()


def _files_of(database: Path) -> dict[str, set[str]]:
    with sqlite3.connect(database) as connection:
        films = {row[0] for row in connection.execute("SELECT file FROM films WHERE deleted_at IS NULL")}
        results = {row[0] for row in connection.execute("SELECT file FROM results")}
    connection.close()
    return {"films": films, "results": results}


def trail_hashes(kept: str) -> list[str]:
    """The last hashes of a trail that something from elsewhere holds.

    Args:
        kept: a hash, or a file: a backup that is not closed, a monthly page, or a report of the clinic (DICOM SR).

    Raises:
        UserError: it holds none.
    """
    if re.fullmatch("[0-9a-f]{64}", kept):
        return [kept]
    try:
        with tarfile.open(kept) as archive:
            content = archive.extractfile(MANIFEST).read()  # type: ignore[union-attr]
    except (tarfile.TarError, KeyError):
        content = Path(kept).read_bytes()
    except OSError as error:
        raise UserError(f"{kept} is neither a hash of 64 digits nor a file that can be read") from error
    found = re.findall(rb'trail[^0-9a-f]{1,12}(?:rows": \d+,\s*"hash": ")?([0-9a-f]{64})', content)
    if not found:
        raise UserError(f"{kept} holds no hash of a trail")
    return [digest.decode() for digest in found]


def back_up_when_due(config: Config, store: Store) -> Path | None:
    """The server's own backup, every so many hours; older ones of its own are deleted."""
    if not config.backup.every_hours:
        return None
    with store.reading() as session:
        last = (settings.get(session, "backup") or {}).get("at", "")
    moment = now()
    due = (moment - timedelta(hours=config.backup.every_hours)).isoformat()
    if due < last <= moment.isoformat():  # one from the future was made by a wrong clock
        return None
    made = back_up(config, films=config.backup.films, reason="automatic")
    with store.writing() as session:
        settings.put(session, "backup", {"at": moment.isoformat(), "file": made.name})
        trail.record(session, "system", "backup.made", films=config.backup.films)
    for old in sorted(made.parent.glob("clinic-*-automatic.tar*"))[: -config.backup.keep]:
        old.unlink()
    return made


def restore(file: Path, folder: Path, key: str = "") -> dict[str, Any]:
    """Unpack a backup into an empty folder, and check all of it.

    Films that the backup does not hold count as deleted: their readings, verdicts and reports stay, and their pictures
    that had not been sent are named as lost.

    Args:
        key: of a closed backup, from its paper.

    Returns:
        the manifest, and ``missing``: films that the database names and the backup does not hold.

    Raises:
        UserError: no backup, damaged, made by a newer program, or the folder holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UserError(
            f"{folder} is not empty: a restore never overwrites anything; give another folder, or move this one away"
        )
    if sealing.is_sealed(file):
        with tempfile.NamedTemporaryFile(dir=folder.parent, prefix=".restore-", suffix=".tar") as plain:
            sealing.unseal(file, plain, key)
            plain.flush()
            return restore(Path(plain.name), folder)
    try:
        with tarfile.open(file) as archive:
            first = archive.next()
            if first is None or first.name != MANIFEST:
                raise UserError(f"{file} is not a backup of a clinic")
            manifest: dict[str, Any] = json.load(archive.extractfile(first))  # type: ignore[arg-type]
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for member in archive:
                if member.offset != first.offset:
                    _unpack(archive, member, folder)
    except (OSError, tarfile.TarError, ValueError, EOFError) as error:
        raise UserError(f"{file} cannot be restored: {error}; try an older backup") from error
    database = folder / DATABASE
    if not database.exists() or sha256(database) != manifest.get("database"):
        raise UserError(f"{file} is damaged: its database is not the one that was backed up; try an older backup")
    databases.is_older(database)
    with sqlite3.connect(database) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchone()[0]
    connection.close()
    if found != "ok":
        raise UserError(f"{file} is damaged: {found}; try an older backup")
    missing = {
        name for kind, names in _files_of(database).items() for name in names
        if not (folder / kind / name[:2] / name).exists()
    }  # fmt: skip
    with sqlite3.connect(database) as connection:
        for kind, names in _files_of(database).items():
            if kind == "films":
                gone = [(now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"), name) for name in names if name in missing]
                connection.executemany("UPDATE films SET deleted_at = ? WHERE file = ?", gone)
    connection.close()
    permissions.repair(folder)
    return manifest | {"missing": len(missing)}


_NAMES = re.compile(
    rf"({re.escape(DATABASE)}|{CONFIG}|{PSEUDONYMS}|{sealing.PUBLIC}|tls/[\w.-]+|(films|results)/[0-9a-f]{{2}}/[0-9a-f]{{64}})"
)


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """One file under a name that a backup has; nothing else is ever written, whatever the archive says."""
    if member.isdir() and member.name == "tls":
        return
    if not member.isfile() or not _NAMES.fullmatch(member.name):
        raise ValueError(f"it holds {member.name[:80]!r}, which no backup of a clinic does")
    target = folder / member.name
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    source = archive.extractfile(member)
    assert source is not None
    digest = hashlib.sha256()
    with target.open("wb") as written:
        target.chmod(0o600)
        while piece := source.read(1 << 20):
            digest.update(piece)
            written.write(piece)
    kind, _, name = member.name.partition("/")
    if kind in FILES and name[3:] != digest.hexdigest():
        raise ValueError(f"the film {name[3:11]}... is damaged")


def _add_text(archive: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode()
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def restore_config(folder: Path, file: Path) -> bool:
    """Put the configuration of a restored backup in its place, with the folder where it lies now.

    Returns:
        whether it was written: one that is there already stays.
    """
    kept = folder / CONFIG
    if not kept.exists():
        return False
    text = kept.read_text(encoding="utf-8")
    kept.unlink()
    if file.exists():
        return False
    where = json.dumps(folder.resolve().as_posix(), ensure_ascii=False)
    write_text(file, re.sub(r"(?m)^folder = .*$", lambda _: f"folder = {where}", text, count=1))
    return True
