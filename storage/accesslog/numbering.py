"""Which events come next in the tree, and how they are put there.

Thousands of rows a second pass here while appenders wait for the same disk, so the two big
statements are written for each database: they cost half of what the general ones do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select

from storage.accesslog.event import commitment, numbered
from storage.accesslog.tiles import tile_reader, write_tiles
from storage.accesslog.tree import extend, leaf_hash
from storage.schema import events, log_entries

_PLACE = {
    "sqlite": (
        "WITH next (place, number, record, id) AS (VALUES {rows}) "
        'UPDATE events SET "index" = next.place, number = next.number, record = next.record '
        "FROM next WHERE events.id = next.id"
    ),
    "postgresql": (
        'UPDATE events SET "index" = next.place, number = next.number, record = next.record '
        "FROM unnest($1::int8[], $2::int8[], $3::text[], $4::text[]) "
        "AS next (place, number, record, id) WHERE events.id = next.id"
    ),
}
_ENTER = {
    "sqlite": 'INSERT INTO log_entries ("index", commitment) VALUES {rows}',
    "postgresql": (
        'INSERT INTO log_entries ("index", commitment) '
        "SELECT * FROM unnest($1::int8[], $2::bytea[])"
    ),
}


BATCH = 256  # events numbered in one transaction at the most; appenders wait as long on SQLite


@dataclass(frozen=True, slots=True)
class Waiting:
    """Events that have no place yet, and the last number that each of their controllers has."""

    rows: Sequence[Row[Any, Any, Any, Any]]
    last_numbers: Mapping[str | None, int]


@dataclass(frozen=True, slots=True)
class Placed:
    """An event with the place it gets.

    Attributes:
        id: Of the event.
        index: Its place in the tree.
        number: Its place among the events of its controller.
        record: Its record with that number.
        entry: The commitment to that record.
    """

    id: str
    index: int
    number: int
    record: str
    entry: bytes


def log_size(connection: Connection) -> int:
    """How many entries the tree has."""
    last: int | None = connection.scalar(select(func.max(log_entries.c.index)))
    return 0 if last is None else last + 1


def waiting(connection: Connection, limit: int) -> Waiting:
    """Read the events that have no place yet, oldest id first, at most so many."""
    rows = connection.execute(
        select(events.c.id, events.c.controller_id, events.c.record, events.c.salt)
        .where(events.c.index.is_(None))
        .order_by(events.c.id)
        .limit(limit)
    ).all()
    last = {row.controller_id: 0 for row in rows}
    for controller_id in last:
        # One seek in the index. Events of no controller, the processor's own, are a series too.
        highest = select(func.max(events.c.number)).where(events.c.controller_id == controller_id)
        last[controller_id] = connection.scalar(highest) or 0
    return Waiting(rows, last)


def in_batches(waiting: Waiting, size: int) -> Iterator[list[Placed]]:
    """Give waiting events the places from `size` on; each batch is made when it is asked for."""
    last = dict(waiting.last_numbers)
    for start in range(0, len(waiting.rows), BATCH):
        batch = []
        for index, row in enumerate(waiting.rows[start : start + BATCH], size + start):
            event_id, controller_id, text, salt = row
            number = last[controller_id] = last[controller_id] + 1
            record = numbered(text, number)
            batch.append(Placed(event_id, index, number, record, commitment(salt, record)))
        yield batch


def place(connection: Connection, batch: Sequence[Placed]) -> None:
    """Write the places, commitments and tiles of the next events."""
    places = [(event.index, event.number, event.record, event.id) for event in batch]
    _write_all(connection, _PLACE, places)
    _write_all(connection, _ENTER, [(event.index, event.entry) for event in batch])
    leaves = [leaf_hash(event.entry) for event in batch]
    write_tiles(connection, extend(batch[0].index, leaves, tile_reader(connection)))


def _write_all(
    connection: Connection, statements: Mapping[str, str], rows: Sequence[tuple[object, ...]]
) -> None:
    """Write all rows by one statement: PostgreSQL takes columns, SQLite as many values."""
    statement = statements[connection.dialect.name]
    if connection.dialect.name == "sqlite":
        row = f"({', '.join('?' * len(rows[0]))})"
        statement = statement.format(rows=", ".join([row] * len(rows)))
        connection.exec_driver_sql(statement, tuple(value for row in rows for value in row))
    else:
        connection.exec_driver_sql(statement, tuple(map(list, zip(*rows, strict=True))))
