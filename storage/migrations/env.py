"""Alembic's entry: one connection, handed in by storage.database."""

from __future__ import annotations

from alembic import context

from storage import schema

metadata = {"main": schema.main, "keystore": schema.keystore}[context.config.attributes["room"]]

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    user_module_prefix="",
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
