"""One database: engine, transactions, migrations.

SQLite runs in WAL with synchronous=FULL (NORMAL loses acknowledged rows when the power fails) and
one writer at a time; PostgreSQL by asyncpg. The same SQL runs on both.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from storage.errors import SchemaError

Room = Literal["main", "keystore"]

SQLITE_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "secure_delete=ON",
    "trusted_schema=OFF",
    "busy_timeout=10000",
)


class _Connection(sqlite3.Connection):
    """One whose closing ends its transaction.

    A task that is cancelled may leave a cursor behind; while it lives, SQLite puts closing off,
    and with it the end of the transaction and its lock (sqlite3_close_v2).
    """

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # closed already, or the disk is gone
            self.rollback()
        super().close()


class Database:
    """A pool of connections to one database, and the only way to a transaction."""

    def __init__(self, url: str, room: Room) -> None:
        """Make the engine; nothing connects yet.

        Args:
            url: `sqlite+aiosqlite:///path` or `postgresql+asyncpg://...`.
            room: Which set of tables lives here.
        """
        self.room = room
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine: AsyncEngine = create_async_engine(
            self.url,
            pool_pre_ping=not self.is_sqlite,
            hide_parameters=True,
            connect_args={"factory": _Connection} if self.is_sqlite else {},
        )
        # SQLite has one writer. Waiting for it here is fair and cheap; in SQLite it is neither.
        self._writer = asyncio.Lock() if self.is_sqlite else None
        if self.is_sqlite:
            self._create_private_file()
            event.listen(self.engine.sync_engine, "connect", prepare_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_sqlite)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Wait for SQLite's only writer to be free, and be it; PostgreSQL has many."""
        if self._writer is None:
            yield
        else:
            async with self._writer:
                yield

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Write: everything in the block commits durably, or nothing of it."""
        async with self.alone(), self.engine.connect() as connection:
            await connection.execution_options(kluis_write=True)
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Read one consistent state; whatever the block writes is rolled back."""
        async with self.engine.connect() as connection:
            if not self.is_sqlite:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            await connection.begin()
            try:
                yield connection
            finally:
                await connection.rollback()

    async def migrate(self) -> None:
        """Bring the schema to this program's version; safe to repeat."""
        await asyncio.to_thread(os.umask, 0o077)
        async with self.engine.connect() as connection:
            await connection.execution_options(kluis_write=True)
            async with connection.begin():
                await connection.run_sync(self._upgrade)

    async def check_schema(self) -> None:
        """Refuse to work on a schema that is older or newer. Raises SchemaError."""
        head = ScriptDirectory.from_config(self._alembic()).get_current_head()
        async with self.reading() as connection:
            found = await self.revision(connection)
        if found != head:
            raise SchemaError(
                f"{self.room} database is at version {found}, this program needs {head}: "
                "`kluis serve` of this version brings an older one up to date when it starts"
            )

    async def revision(self, connection: AsyncConnection) -> str | None:
        """The version of the schema that this transaction sees."""
        return await connection.run_sync(_current_revision)

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()

    def _alembic(self) -> Config:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.set_main_option(
            "version_locations", str(Path(__file__).parent / "migrations" / self.room)
        )
        config.set_main_option("path_separator", "os")
        config.attributes["room"] = self.room
        return config

    def _upgrade(self, connection: Connection) -> None:
        config = self._alembic()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    def _create_private_file(self) -> None:
        path = self.url.database
        if path and path != ":memory:":
            # Never open a database that is there: closing any descriptor of it drops the locks
            # that this process holds on it (POSIX), and SQLite relies on them.
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _current_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def prepare_sqlite(connection: Any, _record: object = None) -> None:
    """Make a new connection to a SQLite file durable, strict and ours to begin and commit."""
    # The driver must not open transactions of its own: see _begin_sqlite.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in SQLITE_PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once; one that reads first and upgrades later would deadlock.
    write = connection.get_execution_options().get("kluis_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
