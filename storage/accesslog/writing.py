"""How a batch of events reaches the disk: one commit, on a connection that does nothing else.

A batch is small and its commit is a flush of the disk, so what counts is the way there. On SQLite
that is one turn of one thread, where the ordinary connection takes eight; on PostgreSQL one
statement, which is its own transaction.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any, NamedTuple, Protocol

from storage.database import Database, prepare_sqlite

_COLUMNS = "id, at, controller_id, case_id, record, salt"
_SQLITE = f"INSERT INTO events ({_COLUMNS}) VALUES "
_POSTGRESQL = (
    f"INSERT INTO events ({_COLUMNS}) "
    "SELECT * FROM unnest($1::text[], $2::int8[], $3::text[], $4::text[], $5::text[], $6::bytea[])"
)


class Row(NamedTuple):
    """An event as a row that has no place yet; `at` is in microseconds since 1970."""

    id: str
    at: int
    controller_id: str | None
    case_id: str | None
    record: str
    salt: bytes


class Writer(Protocol):
    """Commits batches; one at a time."""

    async def write(self, rows: Sequence[Row]) -> None:
        """Return once all are durable. Whatever is raised: none of them is."""

    async def close(self) -> None:
        """Give up the connection."""


def writer(database: Database) -> Writer:
    """Give the writer for this kind of database; nothing connects yet."""
    return _SqliteWriter(database) if database.is_sqlite else _PostgresqlWriter(database)


class _SqliteWriter:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = ThreadPoolExecutor(1, "access-log")
        self._connection: sqlite3.Connection | None = None

    async def write(self, rows: Sequence[Row]) -> None:
        async with self._database.alone():
            await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, rows)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown()

    def _commit(self, rows: Sequence[Row]) -> None:
        if self._connection is None:
            connection = sqlite3.connect(self._database.url.database or "")
            prepare_sqlite(connection)
            self._connection = connection
        try:
            # A writer takes the lock at once: see storage/database.py.
            self._connection.execute("BEGIN IMMEDIATE")
            # One statement for all rows: between two of them the thread would have to wait for the
            # interpreter, which the event loop gives up only every few milliseconds.
            values = ", ".join(["(?, ?, ?, ?, ?, ?)"] * len(rows))
            self._connection.execute(_SQLITE + values, [value for row in rows for value in row])
            self._connection.execute("COMMIT")
        except BaseException:
            # Closing rolls back whatever state a full disk left it in; the next batch reconnects.
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class _PostgresqlWriter:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._stack = AsyncExitStack()
        self._connection: Any = None  # asyncpg's; its package is optional

    async def write(self, rows: Sequence[Row]) -> None:
        if self._connection is None or self._connection.is_closed():
            await self.close()
            connection = await self._stack.enter_async_context(self._database.engine.connect())
            pooled = await connection.get_raw_connection()
            self._connection = pooled.driver_connection
        columns = zip(*rows, strict=True)
        await self._connection.execute(_POSTGRESQL, *map(list, columns))

    async def close(self) -> None:
        self._connection = None
        await self._stack.aclose()
