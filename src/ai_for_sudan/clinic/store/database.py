"""The database: one SQLite file in WAL mode, opened by one server at a time, brought up to date by Alembic."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session

from ai_for_sudan.errors import UserError
from ai_for_sudan.files import alone

#: how long a transaction waits for another one's end, in milliseconds
BUSY_TIMEOUT = 20_000
MIGRATIONS = Path(__file__).parent / "migrations"


def engine(file: Path) -> Engine:
    """An engine whose connections obey foreign keys, wait for each other, and lose nothing when the power fails."""
    made = create_engine(f"sqlite:///{file}", pool_size=24, max_overflow=24, pool_timeout=60)

    @event.listens_for(made, "connect")
    def prepare(connection: sqlite3.Connection, record: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so, not where pysqlite guesses
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
        connection.execute("PRAGMA journal_mode = WAL")
        # NORMAL may lose the last transactions in a power cut: a film that was answered with success would be gone.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # Without it, REPLACE deletes rows behind the back of the triggers that forbid it.
        connection.execute("PRAGMA recursive_triggers = ON")

    @event.listens_for(made, "begin")
    def begin(connection: Any) -> None:
        # A transaction that will write takes the lock at once: one that upgrades later can only fail.
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return made


@contextmanager
def writing(made: Engine) -> Iterator[Session]:
    """A transaction that writes; committed (and on disk) when the block ends well."""
    with (
        made.connect().execution_options(begin="BEGIN IMMEDIATE") as connection,
        Session(connection, expire_on_commit=False) as session,
    ):
        yield session
        session.commit()


@contextmanager
def reading(made: Engine) -> Iterator[Session]:
    """A transaction that sees one moment of the database and changes nothing."""
    with Session(made, expire_on_commit=False) as session:
        yield session
        session.expunge_all()  # what was read stays readable; a rollback would empty it
        session.rollback()


def _known() -> list[str]:
    """The revisions that this program knows, oldest first: files of migrations are named by them."""
    return sorted(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def newest() -> str:
    """The revision that this program brings a database to."""
    return _known()[-1]


def revision(file: Path) -> str | None:
    """The revision that a database has; ``None`` for one that holds nothing yet.

    Raises:
        UserError: the file is not a database, or cannot be opened.
    """
    if not file.exists():
        return None
    try:
        # Alembic itself is only loaded where something must be brought up to date: it takes time and memory.
        with closing(sqlite3.connect(file, timeout=BUSY_TIMEOUT / 1000)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
                return None
            found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise UserError(f"{file} cannot be opened as a database of the clinic: {error}") from error
    return str(found[0]) if found else None


def is_older(file: Path) -> bool:
    """Whether the database must be brought up to date before it is used.

    Raises:
        UserError: it was written by a newer program.
    """
    found = revision(file)
    if found is not None and found not in _known():
        raise UserError(
            f"the database {file} was written by a newer version of this program (schema {found}; this one knows "
            f"{newest()}); install the newer version again, or restore a backup made with this one: "
            "ai-for-sudan clinic restore"
        )
    return found is not None and found != newest()


def bring_up_to_date(file: Path) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["file"] = file
    command.upgrade(config, "head")


def lock(file: Path) -> ExitStack:
    """Make this process the only server of a database until the stack is closed, or the process ends, however it ends.

    Raises:
        UserError: another server has it.
    """
    held = ExitStack()
    try:
        held.enter_context(alone(file))
    except UserError as error:
        raise UserError(
            f"another server is using {file.parent}; two servers on one database would read and send films twice: stop "
            "that one first, or give this one another data folder"
        ) from error
    return held
