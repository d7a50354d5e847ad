"""A database as lines of JSON, the same for SQLite and PostgreSQL: what a back-up holds of it.

    {"format": "kluis/dump/1", "room": "main", "schema": "0001", "at": microseconds}
    {"table": "controllers", "columns": ["id", "name", ...]}
    ["018f...", "Practice North", ...]
    ...
    {"rows": 12345}

Tables come in an order in which every row follows those it names. A column of bytes is base64, a
time is whole microseconds since 1970, everything else is itself. What belongs to running processes,
and what would let somebody in without their password, is left out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, LargeBinary, MetaData, Row, Select, Table, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import schema
from storage.database import Database, Room
from storage.errors import DumpFormatError
from storage.schema import EPOCH, Instant, microseconds

FORMAT = "kluis/dump/1"
LEFT_OUT = frozenset(
    {
        *("sessions", "sign_ins", "spent_tokens", "devices", "throttles", "tokens", "links"),
        "factor_recoveries",
        *("parts", "leases", "nodes", "drops"),
    }
)
"""Processes and their leases are gone when somebody restores; so is whoever was signed in or about
to be, and a token may have been revoked since. A lost second factor is asked for again: that its
owner objected since would be forgotten. Parts lie under upload keys, which are never backed
up."""

METADATA: Mapping[Room, MetaData] = {"main": schema.main, "keystore": schema.keystore}
BATCH = 500  # rows in one statement

_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class DumpHead:
    """The first line: of which room and version of the schema, and when it was read."""

    room: str
    schema: str
    at: datetime


def tables(room: Room) -> Sequence[Table]:
    """The tables of a room that are backed up, each after those it names."""
    return [table for table in METADATA[room].sorted_tables if table.name not in LEFT_OUT]


async def dump(
    database: Database, connection: AsyncConnection, at: datetime, *, but_purpose: str
) -> AsyncIterator[bytes]:
    """Give the lines of a room as this transaction sees it.

    Args:
        database: Which room.
        connection: Reads one consistent state (`Database.reading`).
        at: The time, aware.
        but_purpose: Wrapped keys of this purpose are left out.
    """
    revision = await database.revision(connection)
    head = {"format": FORMAT, "room": database.room, "schema": revision, "at": microseconds(at)}
    yield _line(head)
    count = 0
    for table in tables(database.room):
        yield _line({"table": table.name, "columns": [column.name for column in table.columns]})
        found = await connection.stream(_rows(table, but_purpose))
        async for row in found:
            count += 1
            yield _line(encoded(table, row))
    yield _line({"rows": count})


async def load(tx: AsyncConnection, database: Database, lines: AsyncIterator[bytes]) -> DumpHead:
    """Put a dump in place of whatever the tables hold.

    Args:
        tx: Everything is loaded when it commits, or nothing.
        database: Which room; of this program's schema.
        lines: What `dump` gave, line by line.

    Raises:
        DumpFormatError: Of another room or version, cut short, or not a dump.
    """
    for table in reversed(METADATA[database.room].sorted_tables):
        await tx.execute(delete(table))
    known = {table.name: table for table in tables(database.room)}
    reading = _Reading(known)
    try:
        head = read_head(await anext(lines), database.room, await database.revision(tx))
        async for line in lines:
            reading.take(json.loads(line))
            if reading.is_full:
                await reading.write(tx)
        await reading.write(tx)
        reading.check_end()
    except (ValueError, LookupError, TypeError, StopAsyncIteration, IntegrityError):
        # The cause could quote a row.
        raise DumpFormatError("the dump is cut short or not understood") from None
    return head


def read_head(line: bytes, room: str, revision: str | None) -> DumpHead:
    """Read the first line.

    Raises:
        DumpFormatError: Of another room or version, or none.
    """
    try:
        said = json.loads(line)
        at = EPOCH + timedelta(microseconds=said["at"])
        head = DumpHead(str(said["room"]), str(said["schema"]), at)
        form = said["format"]
    except (ValueError, LookupError, TypeError):
        raise DumpFormatError("not a dump") from None
    if form != FORMAT or head.room != room:
        raise DumpFormatError(f"not a dump of the {room} database")
    if head.schema != revision:
        raise DumpFormatError(
            f"the dump is of version {head.schema}, this program needs {revision}: "
            "restore with the version of Kluis that wrote it, then upgrade"
        )
    return head


def encoded(table: Table, row: Row[Any]) -> list[object]:
    """A row as JSON takes it."""
    return [_encode(column, value) for column, value in zip(table.columns, row, strict=True)]


def decoded(table: Table, columns: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """The reverse of `encoded`, as values of the columns by name."""
    return {
        name: _decode(table.columns[name], value)
        for name, value in zip(columns, values, strict=True)
    }


class _Reading:
    """Rows on their way into tables."""

    def __init__(self, known: Mapping[str, Table]) -> None:
        self._known = known
        self._table: Table | None = None
        self._columns: list[str] = []
        self._batches: list[tuple[Table, list[dict[str, Any]]]] = []
        self._waiting = 0
        self._count = 0
        self._stated: int | None = None

    @property
    def is_full(self) -> bool:
        return self._waiting >= BATCH

    def take(self, line: Any) -> None:
        if self._stated is not None:
            raise ValueError("something follows the end")
        if isinstance(line, list):
            if self._table is None:
                raise ValueError("a row without a table")
            self._batches[-1][1].append(decoded(self._table, self._columns, line))
            self._waiting += 1
            self._count += 1
        elif "table" in line:
            self._table, self._columns = self._known[line["table"]], line["columns"]
            self._batches.append((self._table, []))
        else:
            self._stated = line["rows"]

    async def write(self, tx: AsyncConnection) -> None:
        for table, rows in self._batches:
            if rows:
                await tx.execute(insert(table), rows)
        self._batches = [] if self._table is None else [(self._table, [])]
        self._waiting = 0

    def check_end(self) -> None:
        if self._stated != self._count:
            raise ValueError("rows are missing")


def _rows(table: Table, but_purpose: str) -> Select[Any]:
    found = select(table).order_by(*table.primary_key.columns)
    if table is schema.wrapped_keys:
        return found.where(table.c.purpose != but_purpose)
    return found


def _line(value: object) -> bytes:
    return _dumps(value).encode() + b"\n"


def _encode(column: Column[Any], value: Any) -> object:
    if value is None:
        return None
    if isinstance(column.type, Instant):
        return microseconds(value)
    if isinstance(column.type, LargeBinary):
        return base64.b64encode(value).decode()
    return value


def _decode(column: Column[Any], value: Any) -> object:
    if value is None:
        return None
    if isinstance(column.type, Instant):
        return EPOCH + timedelta(microseconds=value)
    if isinstance(column.type, LargeBinary):
        return base64.b64decode(value, validate=True)
    return value
