"""`clinic init`: the configuration as one commented file."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ai_for_sudan.clinic.config import Destination, Modality, check_title, from_facts
from ai_for_sudan.errors import UserError
from ai_for_sudan.files import parse_toml, write_text


@dataclass(frozen=True)
class Answers:
    """What `init` asks.

    Attributes:
        modalities: ``TITLE`` or ``TITLE@ADDRESS``.
        destinations: ``NAME=TITLE@HOST:PORT``, or ``NAME=https://...`` for DICOMweb.
        names: names and addresses of this machine.
    """

    site: str
    language: str
    folder: Path
    reader: str
    title: str
    port: int
    web_port: int
    modalities: Sequence[str]
    destinations: Sequence[str]
    names: Sequence[str]


def write(file: Path, answers: Answers) -> None:
    """Write the configuration, if a server could start with it.

    Raises:
        UserError: an answer is wrong, by its name.
    """
    modalities = [modality(text) for text in answers.modalities]
    destinations = [destination(text) for text in answers.destinations]
    text = _TEXT.format(
        site=_text(answers.site),
        language=_text(answers.language),
        folder=_text(str(answers.folder)),
        reader=_text(answers.reader),
        title=_text(answers.title),
        port=answers.port,
        web_port=answers.web_port,
        names=", ".join(_text(name) for name in answers.names),
        modalities="".join(
            f"\n[[node.modalities]]\ntitle = {_text(m.title)}\naddress = {_text(m.address)}\n" for m in modalities
        ),
        destinations="".join(_destination_text(d) for d in destinations),
    )
    from_facts(file, parse_toml(text))
    write_text(file, text)


def modality(text: str) -> Modality:
    """
    Raises:
        ValueError: the title is no AE title.
    """
    title, _, address = text.partition("@")
    check_title("modality", title.strip())
    return Modality(title.strip(), address.strip())


def destination(text: str) -> Destination:
    """
    Raises:
        UserError: it has another form.
    """
    name, _, where = text.partition("=")
    if re.match(r"https?://", where):
        return Destination(name.strip(), protocol="dicomweb", url=where.strip())
    match = re.fullmatch(r"\s*([^@]+)@(.+):(\d{1,5})\s*", where)
    if match is None:
        raise UserError(f"a PACS must be given as NAME=TITLE@HOST:PORT or NAME=https://..., not '{text}'")
    return Destination(name.strip(), title=match[1], host=match[2], port=int(match[3]))


def _destination_text(there: Destination) -> str:
    lines = [f"\n[[destination]]\nname = {_text(there.name)}", f"protocol = {_text(there.protocol)}"]
    if there.protocol == "dicom":
        lines += [f"host = {_text(there.host)}", f"port = {there.port}", f"title = {_text(there.title)}", "tls = false"]
    else:
        lines += [f"url = {_text(there.url)}", 'user = ""', 'password_file = ""']
    return "\n".join([*lines, 'kinds = ["sr", "sc"]']) + "\n"


def _text(value: str) -> str:
    """A TOML string: JSON's escapes are TOML's too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


_TEXT = """\
# The configuration of a clinic. Change it with any editor, then restart the server.
# `ai-for-sudan clinic doctor` checks everything that is named here and says what to do.

[site]
name = {site}
# "en" or "ar": for new accounts, and for pages before anybody has logged in
language = {language}

[storage]
# films, database, certificates and backups; relative to this file
folder = {folder}
# new films are refused when less than this share of the disk is free
keep_free = 0.05
# films older than this many days are deleted, oldest first; readings, verdicts and the trail stay; 0 keeps them
keep_days = 0
# films are deleted, oldest first, while they fill more than this share of the disk; 0 for no limit
keep_share = 0.0
# remove names and numbers of patients on arrival; not together with a [[destination]]
pseudonymise = false

[reading]
# a shipped reader (listed by ai-for-sudan card) or the path of a reader file
reader = {reader}
# a name of the reader's card; "" for its own
operating_point = ""
# films at once; 0 for one per processor core
workers = 0

[web]
host = "0.0.0.0"
port = {web_port}
# made by `clinic init` and renewed by `clinic certificate`; inside the storage folder
certificate = "tls/clinic.pem"
key = "tls/clinic.key"
# names and addresses by which browsers and phones reach this machine; others are refused
names = [{names}]

[node]
# the DICOM node that modalities send to
enabled = true
title = {title}
host = "0.0.0.0"
port = {port}
# with the certificate of [web]; tls_clients: PEM file of who signs the certificates of modalities
tls = false
tls_clients = ""
# at once
associations = 16

# Who may send films: one block per device. Without an address, the title is enough.
# [[node.modalities]]
# title = "CR1"
# address = "192.168.1.20"
{modalities}
[arrivals]
# what is no radiograph is refused, whichever way it comes: values of Modality; SOP classes as refuse_classes = [...]
refuse = ["CT", "MR", "PT", "NM", "US", "MG", "SEG", "RTDOSE", "RTPLAN", "RTSTRUCT", "PR", "KO"]

[folder]
# a watched folder; "" for none
path = ""
# a file that did not change for so many seconds is whole
quiet_seconds = 3
# delete files there once they are taken over
delete = false

[backup]
# hours between backups; 0 for none; copy them to another machine
every_hours = 24
folder = "backups"
# so many are kept
keep = 7
# with the films: large
films = false

# A PACS that gets the results: one block each.
# [[destination]]
# name = "PACS"
# protocol = "dicom"                       # or "dicomweb", with url, user and password_file
# host = "192.168.1.10"
# port = 104
# title = "PACS"
# tls = false
# kinds = ["sr", "sc"]                     # structured report, and picture
# confirm = "query"                        # what it kept is asked by C-FIND or QIDO; "commitment": by Storage
#                                          # Commitment; "status": not at all, its answer is all that is known
{destinations}"""
