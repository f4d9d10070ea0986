"""The one file that a clinic configures: TOML, commented, written by ``clinic init`` and read at every start."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ai_for_sudan.contract import record
from ai_for_sudan.contract.names import DEFAULT_READER
from ai_for_sudan.errors import UserError
from ai_for_sudan.files import read_toml

#: PS3.5 6.2: 1 to 16 characters, no backslash, no control characters
AE_TITLE = re.compile(r"[ -\[\]-~]{1,16}")


@dataclass(frozen=True)
class Site:
    name: str = "Clinic"
    #: ``en`` or ``ar``: of new accounts and of pages before anybody logged in
    language: str = "en"


@dataclass(frozen=True)
class Storage:
    folder: Path = Path("clinic-data")
    #: share of the disk that is never filled
    keep_free: float = 0.05
    #: films older than this are deleted, their readings and verdicts stay; 0 keeps them for ever
    keep_days: int = 0
    #: films are deleted, oldest first, while they fill more than this share of the disk; 0 for no limit
    keep_share: float = 0.0
    pseudonymise: bool = False


@dataclass(frozen=True)
class Reading:
    reader: str = DEFAULT_READER
    #: of the reader's card; empty for its own
    operating_point: str = ""
    #: films at once; 0 for one a core
    workers: int = 0


@dataclass(frozen=True)
class Web:
    host: str = "0.0.0.0"
    port: int = 8443
    #: PEM files; both empty: plain HTTP, for a proxy on this machine only
    certificate: str = "tls/clinic.pem"
    key: str = "tls/clinic.key"
    #: names and addresses that browsers and phones use for this server; others are refused
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Modality:
    """Who may send films. An empty address takes the title from anywhere."""

    title: str
    address: str = ""


@dataclass(frozen=True)
class Node:
    enabled: bool = True
    title: str = "AIFORSUDAN"
    host: str = "0.0.0.0"
    port: int = 11112
    tls: bool = False
    #: PEM file of who signs the certificates of modalities; with it, they must show one
    tls_clients: str = ""
    associations: int = 16
    modalities: tuple[Modality, ...] = ()


@dataclass(frozen=True)
class Arrivals:
    """What is no radiograph and would only fill the disk: it is refused, whichever way it comes."""

    #: values of (0008,0060) Modality
    refuse: tuple[str, ...] = ("CT", "MR", "PT", "NM", "US", "MG", "SEG", "RTDOSE", "RTPLAN", "RTSTRUCT", "PR", "KO")
    #: SOP Class UIDs; by DICOM they are not even negotiated. CT, MR, ultrasound, nuclear medicine, PET, mammography
    refuse_classes: tuple[str, ...] = (
        "1.2.840.10008.5.1.4.1.1.2",
        "1.2.840.10008.5.1.4.1.1.2.1",
        "1.2.840.10008.5.1.4.1.1.4",
        "1.2.840.10008.5.1.4.1.1.4.1",
        "1.2.840.10008.5.1.4.1.1.6.1",
        "1.2.840.10008.5.1.4.1.1.3.1",
        "1.2.840.10008.5.1.4.1.1.20",
        "1.2.840.10008.5.1.4.1.1.128",
        "1.2.840.10008.5.1.4.1.1.1.2",
    )


@dataclass(frozen=True)
class Folder:
    """A watched folder; empty for none."""

    path: str = ""
    #: a file that was not written to for so many seconds is whole
    quiet_seconds: float = 3.0
    #: files that were taken over are deleted there; otherwise they stay as they are
    delete: bool = False


@dataclass(frozen=True)
class Destination:
    """A PACS that gets the results: by ``dicom`` (host, port, title) or by ``dicomweb`` (url, user, password_file)."""

    name: str
    protocol: str = "dicom"
    host: str = ""
    port: int = 104
    title: str = ""
    tls: bool = False
    url: str = ""
    user: str = ""
    password_file: str = ""
    #: PEM file of who signs its certificate; empty for the machine's own list
    tls_authority: str = ""
    kinds: tuple[str, ...] = ("sr", "sc")
    #: how it is known that it kept a result: ``query`` (C-FIND, QIDO), ``commitment`` (Storage Commitment), or
    #: ``status``, its answer alone, for one that can do neither
    confirm: str = "query"


@dataclass(frozen=True)
class Backup:
    #: hours between backups that the server makes by itself; 0 for none
    every_hours: float = 24.0
    folder: str = "backups"
    keep: int = 7
    #: with the films; without them a backup is small, and holds all but the pictures
    films: bool = False


@dataclass(frozen=True)
class Config:
    """All of the file. Relative paths are below the storage folder, but for the storage folder itself."""

    file: Path = field(metadata={"key": ""})
    site: Site = Site()
    storage: Storage = Storage()
    reading: Reading = Reading()
    web: Web = Web()
    node: Node = Node()
    arrivals: Arrivals = Arrivals()
    folder: Folder = Folder()
    backup: Backup = Backup()
    destinations: tuple[Destination, ...] = field(default=(), metadata={"key": "destination"})

    def path(self, name: str) -> Path:
        """Where a relative path of the file lies."""
        return self.storage.folder / name


def load(file: Path) -> Config:
    """Read the configuration.

    Raises:
        UserError: not there, not valid TOML, or the first entry that is unknown or wrong, by its name.
    """
    if not file.exists():
        raise UserError(f"there is no {file}; write it with: ai-for-sudan clinic init --config {file}")
    return from_facts(file, read_toml(file))


def from_facts(file: Path, facts: dict[str, Any]) -> Config:
    """The configuration of a parsed file; see :func:`load`."""
    try:
        config = record.from_facts(Config, facts, name=file)
        _check(config)
    except ValueError as error:
        raise UserError(f"{file}: {error}") from error
    folder = config.storage.folder
    if not folder.is_absolute():
        folder = file.resolve().parent / folder
    return dataclasses.replace(config, storage=dataclasses.replace(config.storage, folder=folder))


def _check(config: Config) -> None:
    """What types cannot say."""
    storage, node = config.storage, config.node
    for name, share in (("keep_free", storage.keep_free), ("keep_share", storage.keep_share)):
        if not 0 <= share < 1:
            raise ValueError(f"'storage.{name}' must be at least 0 and less than 1, not {share:g}")
    numbers = {
        "storage.keep_days": storage.keep_days,
        "reading.workers": config.reading.workers,
        "folder.quiet_seconds": config.folder.quiet_seconds,
        "backup.every_hours": config.backup.every_hours,
        "backup.keep": config.backup.keep - 1,
        "node.associations": node.associations - 1,
    }
    for name, number in numbers.items():
        if not 0 <= number < 1e6:
            raise ValueError(f"'{name}' is out of range")
    for name, port in (("web.port", config.web.port), ("node.port", node.port)):
        if not 0 <= port <= 65535:
            raise ValueError(f"'{name}' must be a port from 1 to 65535, not {port}")
    if bool(config.web.certificate) != bool(config.web.key):
        raise ValueError("'web.certificate' and 'web.key' belong together: give both or neither")
    if config.site.language not in ("en", "ar"):
        raise ValueError(f'\'site.language\' must be "en" or "ar", not "{config.site.language}"')
    for where, title in [("node.title", node.title), *(("node.modalities.title", m.title) for m in node.modalities)]:
        check_title(where, title)
    seen: set[str] = set()
    for destination in config.destinations:
        _check_destination(destination)
        if destination.name in seen:
            raise ValueError(f"two destinations are named '{destination.name}'")
        seen.add(destination.name)
    if storage.pseudonymise and config.destinations:
        raise ValueError(
            "'storage.pseudonymise' removes what a PACS files results by: do not give a [[destination]] with it, or "
            "switch it off"
        )


def check_title(where: str, title: str) -> None:
    if not AE_TITLE.fullmatch(title) or not title.strip():
        raise ValueError(f"'{where}' must be an AE title of 1 to 16 plain characters, not {title!r}")


def _check_destination(destination: Destination) -> None:
    where = f"destination '{destination.name}'"
    if not re.fullmatch(r"[\w .-]{1,40}", destination.name):
        raise ValueError(f"{where}: a name has 1 to 40 letters, digits, spaces, dots and dashes")
    if destination.protocol == "dicom":
        check_title(f"{where}: title", destination.title)
        if not destination.host or not 1 <= destination.port <= 65535:
            raise ValueError(f"{where} needs 'host' and 'port'")
    elif destination.protocol == "dicomweb":
        if not re.match(r"https?://[^/]", destination.url):
            raise ValueError(f"{where} needs 'url', such as \"https://pacs.local/dicom-web\"")
    else:
        raise ValueError(f'{where}: \'protocol\' must be "dicom" or "dicomweb", not "{destination.protocol}"')
    ways = ("query", "commitment", "status") if destination.protocol == "dicom" else ("query", "status")
    if destination.confirm not in ways:
        raise ValueError(f"{where}: 'confirm' must be {', '.join(ways)}, not '{destination.confirm}'")
    if not destination.kinds or not set(destination.kinds) <= {"sr", "sc"}:
        raise ValueError(f'{where}: \'kinds\' holds "sr", "sc" or both')
