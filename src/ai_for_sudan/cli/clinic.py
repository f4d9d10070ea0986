"""`ai-for-sudan clinic`: set up, run and look after the server of a clinic."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Callable
from pathlib import Path

from ai_for_sudan.contract.names import DEFAULT_READER
from ai_for_sudan.errors import UserError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.set_defaults(act=None)
    acts = parser.add_subparsers(title="what to do", metavar="ACT", required=True)

    def act(name: str, words: str, run: object) -> argparse.ArgumentParser:
        made = acts.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
        made.add_argument("--config", type=Path, default=Path("clinic.toml"), help="default: %(default)s")
        made.set_defaults(act=run)
        return made

    init = act("init", "set up a clinic: asks what it must and writes the configuration", _init)
    init.add_argument("--yes", action="store_true", help="ask nothing: what is not given here takes its default")
    init.add_argument("--site", help="name of the clinic")
    init.add_argument("--language", choices=("en", "ar"))
    init.add_argument("--folder", type=Path, help="where the films and the database are kept")
    init.add_argument("--reader", help="a shipped reader or a reader file")
    init.add_argument("--title", help="this node's AE title")
    init.add_argument("--port", type=int, help="of the DICOM node")
    init.add_argument("--web-port", type=int, help="of the pages")
    init.add_argument("--modality", action="append", metavar="TITLE[@ADDRESS]", help="who may send films; repeatable")
    init.add_argument("--pacs", action="append", metavar="NAME=TITLE@HOST:PORT or NAME=URL", help="repeatable")
    init.add_argument("--name", action="append", help="a name or address by which browsers reach this machine")
    init.add_argument("--administrator", help="name of the first account")
    act("run", "run the server", _run)
    doctor = act("doctor", "check everything, and say what to do", _doctor)
    doctor.add_argument("--clock-is-right", action="store_true", help="the clock was checked and is right")
    backup = act("backup", "write a backup of a running or stopped clinic", _backup)
    backup.add_argument(
        "--to", type=Path, metavar="PLACE", help="a file, or a folder such as a stick or another machine's share"
    )
    backup.add_argument("--key", action="store_true", help="make the key that closes backups; it is printed once")
    backup.add_argument("--without-films", action="store_true", help="small: everything but the pictures")
    restore = act("restore", "restore a backup on an empty machine", _restore)
    restore.add_argument("backup", type=Path, metavar="FILE.tar")
    restore.add_argument("--key", default="", help="from the paper; asked for where a backup is closed with one")
    restore.add_argument("--folder", type=Path, default=Path("clinic-data"), help="an empty one (default: %(default)s)")
    trail = act("trail", "show the trail, or check its chain", _trail)
    trail.add_argument("--verify", action="store_true", help="check the whole chain")
    trail.add_argument(
        "--against", action="append", default=[], metavar="HASH|FILE", help="a last hash that was kept elsewhere: on "
        "paper, in a backup, a monthly page or a report (DICOM SR); repeatable",
    )  # fmt: skip
    trail.add_argument("--last", type=int, default=50, help="rows to show (default: %(default)s)")
    act("certificate", "make a new certificate for the pages", _certificate)
    password = act(
        "password", "give an account a one-time code, when nobody else can; it is recorded in the trail", _password
    )
    password.add_argument("account")


def run(args: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    before = os.umask(0o077)  # what a clinic writes is for its owner alone
    try:
        return int(args.act(args))
    finally:
        os.umask(before)


def _init(args: argparse.Namespace) -> int:
    from ai_for_sudan.clinic.care import certificate
    from ai_for_sudan.clinic.config import check_title, load
    from ai_for_sudan.clinic.setup import Answers, destination, modality, write

    if args.config.exists():
        raise UserError(f"{args.config} exists already; change it by hand, or move it away to start again")
    answers = Answers(
        site=_ask(args, args.site, "Name of the clinic", "Clinic"),
        language=_ask(args, args.language, "Language of the pages, en or ar", "en", _language),
        folder=Path(_ask(args, args.folder, "Folder for films and database", "clinic-data")),
        reader=args.reader or DEFAULT_READER,
        title=_ask(args, args.title, "AE title of this node", "AIFORSUDAN", lambda text: check_title("title", text)),
        port=int(_ask(args, args.port, "Port of the DICOM node", "11112", _port)),
        web_port=int(_ask(args, args.web_port, "Port of the pages", "8443", _port)),
        modalities=args.modality
        or _list(args, "Who may send films, as TITLE or TITLE@ADDRESS, separated by commas", modality),
        destinations=args.pacs
        or _list(args, "PACS that receives the results, as NAME=TITLE@HOST:PORT, or nothing", destination),
        names=args.name or certificate.own_names(),
    )
    administrator = _ask(args, args.administrator, "Name of the first administrator", "admin")
    write(args.config, answers)
    config = load(args.config)
    certificate.make(
        config.path(config.web.certificate), config.path(config.web.key), config.web.names, config.site.name
    )
    code = _first_account(config.storage.folder, administrator)
    print(f"{args.config} is written, and {config.storage.folder} holds the database and a certificate.")
    print(f"The first account is '{administrator}'; its one-time code is: {code}")
    print(f"Start it:  ai-for-sudan clinic run --config {args.config}")
    print(f"Open it:   https://{config.web.names[0]}:{config.web.port}/")
    print(f"Check it:  ai-for-sudan clinic doctor --config {args.config}")
    return 0


def _ask(
    args: argparse.Namespace,
    given: object,
    question: str,
    default: str,
    check: Callable[[str], object] = lambda text: None,
) -> str:
    """An answer that fits; one that does not is asked for again, and the others are not lost."""
    if given is not None:
        return str(given)
    while not args.yes and sys.stdin.isatty():
        answer = input(f"{question} [{default}]: " if default else f"{question}: ").strip() or default
        try:
            check(answer)
            return answer
        except (ValueError, UserError) as error:
            print(f"  {error}")
    return default


def _list(args: argparse.Namespace, question: str, check: Callable[[str], object]) -> list[str]:
    def parts(text: str) -> list[str]:
        return [part.strip() for part in text.split(",") if part.strip()]

    return parts(_ask(args, None, question, "", lambda text: [check(part) for part in parts(text)]))


def _language(text: str) -> None:
    if text not in ("en", "ar"):
        raise ValueError(f"the language must be en or ar, not '{text}'")


def _port(text: str) -> None:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise ValueError(f"a port is a number from 1 to 65535, not '{text}'")


def _first_account(folder: Path, name: str) -> str:
    from ai_for_sudan.clinic.store import Store
    from ai_for_sudan.clinic.web import accounts
    from ai_for_sudan.clinic.web.refusals import Refusal

    with Store.open(folder) as store:
        try:
            return accounts.create(store, "system", name, name, "administrator")[1]
        except Refusal as error:
            raise UserError(str(error)) from error


def _run(args: argparse.Namespace) -> int:
    from ai_for_sudan.clinic.config import load

    config = load(args.config)
    # pydicom would load it to fetch its example films: 8 MB that a server has no use for, but for a PACS by DICOMweb.
    sys.modules.setdefault("requests", None)  # type: ignore[arg-type]
    from ai_for_sudan.clinic.server import run as serve

    if sys.modules["requests"] is None:
        del sys.modules["requests"]
    serve(config)
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from ai_for_sudan.clinic.care import clock, doctor
    from ai_for_sudan.clinic.config import load
    from ai_for_sudan.clinic.store import Store

    config = load(args.config)
    if args.clock_is_right:
        with Store.open(config.storage.folder) as store:
            clock.is_right(store, f"shell:{_shell_user()}")
    failed = False
    for finding in doctor.examine(config):
        failed |= finding.state == "failure"
        mark = {"ok": "ok  ", "warning": "NOTE", "failure": "FAIL"}[finding.state]
        print(f"{mark}  {finding.what}: {finding.words}")
        if finding.advice:
            print(f"      -> {finding.advice}")
    return 1 if failed else 0


def _backup(args: argparse.Namespace) -> int:
    from ai_for_sudan.clinic.care import sealing
    from ai_for_sudan.clinic.care.backup import back_up
    from ai_for_sudan.clinic.config import load
    from ai_for_sudan.clinic.store import Store, trail

    config = load(args.config)
    if args.key:
        print("Write this down and keep it away from this machine. It is not stored, and not shown again:")
        print(f"\n    {sealing.make_key(config.storage.folder)}\n")
        print("From now on, backups are encrypted; they are restored with this key alone.")
        return 0
    made = back_up(config, films=not args.without_films, to=args.to)
    print(f"{made} ({made.stat().st_size / 1e6:.1f} MB) is written, and was read back.")
    if sealing.public_key(config.storage.folder) is None:
        print("It holds patients' films and all keys, unencrypted: lock it away, or make a key: clinic backup --key")
    with Store.open(config.storage.folder) as store, store.reading() as session:
        print(f"The last hash of the trail, to be kept elsewhere: {trail.head(session)}")
    return 0


def _restore(args: argparse.Namespace) -> int:
    from ai_for_sudan.clinic.care import backup, sealing

    key = args.key
    if not key and sealing.is_sealed(args.backup) and sys.stdin.isatty():
        key = input("The key, from the paper: ")
    manifest = backup.restore(args.backup, args.folder, key)
    written = backup.restore_config(args.folder, args.config)
    print(f"{args.folder} holds the clinic of {manifest['made_at'][:16]} UTC.")
    if manifest["missing"]:
        print(
            f"{manifest['missing']} films and results are not in this backup. Readings and verdicts are. Reports that "
            "had not been sent are made again; pictures cannot be, and are listed as lost: send those films again."
        )
    print(
        f"{args.config} "
        + ("is written." if written else "was there already and is left as it is; check that 'folder' is right.")
    )
    print(f"Check it:  ai-for-sudan clinic doctor --config {args.config}")
    return 0


def _trail(args: argparse.Namespace) -> int:
    from sqlalchemy import select

    from ai_for_sudan.clinic.care.backup import trail_hashes
    from ai_for_sudan.clinic.config import load
    from ai_for_sudan.clinic.store import Store, trail
    from ai_for_sudan.clinic.store.tables import TrailRow

    with Store.open(load(args.config).storage.folder) as store, store.reading() as session:
        if args.verify:
            try:
                count, last = trail.verify(session)
            except ValueError as error:
                print(f"THE TRAIL IS BROKEN: {error}")
                return 1
            print(f"{count} rows, unbroken. The last hash, to be written down elsewhere: {last}")
            known = [digest for kept in args.against for digest in trail_hashes(kept)]
            for digest in known:
                number = trail.row_with(session, digest)
                if number is None:
                    print(f"THE TRAIL WAS WRITTEN ANEW: no row has the hash {digest} that was kept elsewhere")
                    return 1
                print(f"Row {number} has the hash {digest[:16]}... that was kept elsewhere: unchanged up to there.")
            return 0
        rows = session.scalars(select(TrailRow).order_by(TrailRow.id.desc()).limit(max(0, args.last)))
        for row in reversed(list(rows)):
            print(f"{row.id:>7}  {row.at[:19]}Z  {row.at_local}  {row.actor}  {row.act}  {row.subject}  {row.detail}")
    return 0


def _certificate(args: argparse.Namespace) -> int:
    from ai_for_sudan.clinic.care import certificate
    from ai_for_sudan.clinic.config import load
    from ai_for_sudan.clinic.store import Store, trail

    config = load(args.config)
    web = config.web
    if not web.certificate:
        raise UserError("'web.certificate' is empty: this clinic serves no HTTPS")
    certificate.make(
        config.path(web.certificate), config.path(web.key), web.names or certificate.own_names(), config.site.name
    )
    with Store.open(config.storage.folder) as store, store.writing() as session:
        trail.record(session, f"shell:{_shell_user()}", "certificate.made")
    print("A new certificate was made; restart the server to use it. Phones that trust the authority trust it too.")
    return 0


def _password(args: argparse.Namespace) -> int:
    from ai_for_sudan.clinic.config import load
    from ai_for_sudan.clinic.store import Store
    from ai_for_sudan.clinic.web import accounts
    from ai_for_sudan.clinic.web.refusals import Refusal

    with Store.open(load(args.config).storage.folder) as store:
        try:
            code = accounts.reset(store, f"shell:{_shell_user()}", args.account, act="user.emergency")
        except Refusal as error:
            raise UserError(str(error)) from error
    print(f"The one-time code of '{args.account}' is: {code}")
    print("This is recorded in the trail, which every administrator sees.")
    return 0


def _shell_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in containers
        return "unknown"
