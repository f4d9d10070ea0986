"""The store: the database and the films beside it, opened together."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.orm import Session

from ai_for_sudan.clinic.store import database
from ai_for_sudan.clinic.store.files import FilmFiles

DATABASE = "clinic.sqlite3"


class Store:
    """A clinic's database and films.

    Example:
        >>> with Store.open(folder) as store, store.writing() as session:
        ...     trail.record(session, "system", "server.started")
    """

    def __init__(self, folder: Path, keep_free: int) -> None:
        self.folder = folder
        self.file = folder / DATABASE
        self.engine = database.engine(self.file)
        self.films = FilmFiles(folder / "films", keep_free)
        self.results = FilmFiles(folder / "results", keep_free)

    @classmethod
    def open(cls, folder: Path, *, keep_free: int = 0) -> Store:
        """Open the store of a folder; a new one is made, an older one is brought up to date.

        The server calls :func:`database.lock` and makes a backup first; tools beside a running server need neither.

        Raises:
            UserError: the database was written by a newer program, or is none.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = folder / DATABASE
        if database.is_older(file) or database.revision(file) is None:
            database.bring_up_to_date(file)
        return cls(folder, keep_free)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that writes (``BEGIN IMMEDIATE``): on the disk when the block ends well, undone otherwise.

        Never do slow work inside: others wait.
        """
        with database.writing(self.engine) as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that sees one moment and changes nothing."""
        with database.reading(self.engine) as session:
            yield session

    def set_keep_free(self, share: float) -> None:
        """Keep a share of the disk free of films; the database, its log and backups need space too."""
        kept = int(share * shutil.disk_usage(self.folder).total)
        self.films.keep_free = self.results.keep_free = kept

    def close(self) -> None:
        self.engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
