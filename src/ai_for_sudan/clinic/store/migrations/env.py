"""Run by Alembic for each migration of a clinic's database."""

from alembic import context

from ai_for_sudan.clinic.store.database import engine
from ai_for_sudan.clinic.store.tables import Table

made = engine(context.config.attributes["file"])
with made.connect().execution_options(begin="BEGIN IMMEDIATE") as connection:
    context.configure(connection=connection, target_metadata=Table.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
made.dispose()
