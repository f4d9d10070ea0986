"""Run by Alembic for each migration of a clinic's database."""

import sqlite3
from typing import Any

from alembic import context
from sqlalchemy import event

from ai_for_sudan.clinic.store.database import engine
from ai_for_sudan.clinic.store.tables import Table

made = engine(context.config.attributes["file"])


@event.listens_for(made, "connect")
def prepare(connection: sqlite3.Connection, record: Any) -> None:
    # A table that is made anew is dropped first: its rows must not take those with them that refer to it.
    connection.execute("PRAGMA foreign_keys = OFF")


with made.connect().execution_options(begin="BEGIN IMMEDIATE") as connection:
    context.configure(connection=connection, target_metadata=Table.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
        if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise RuntimeError(f"the migration left a row of {broken[0]} without the one that it refers to")
made.dispose()
