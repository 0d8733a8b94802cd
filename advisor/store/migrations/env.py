"""Run the steps that `advisor.store.schema` asks for, each in a transaction of its own."""

from typing import Any

from alembic import context
from sqlalchemy import Connection
from sqlmodel import SQLModel

connection: Connection = context.config.attributes["connection"]


def refuse_orphans(ctx: Any, step: Any, heads: Any, run_args: Any) -> None:
    """Roll a step back that leaves a reference without its row: on SQLite nothing else would notice."""
    if ctx.dialect.name == "sqlite":
        orphans = ctx.connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if orphans:
            raise RuntimeError(f"{step.up_revision_id} would leave {len(orphans)} rows without what they refer to")


context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    transaction_per_migration=True,
    transactional_ddl=True,
    render_as_batch=True,
    on_version_apply=refuse_orphans,
)
with context.begin_transaction():
    context.run_migrations()
