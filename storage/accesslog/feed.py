"""The log as a stream for whoever follows it: events from a place on, in the order of the log."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, LargeBinary, Select, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.accesslog.event import MAX_INTEGER, commitment
from storage.accesslog.reading import StoredEvent
from storage.schema import EPOCH, events, log_entries
from storage.schema.columns import microseconds


@dataclass(frozen=True, slots=True)
class CheckedEvent:
    """A place of the log, held against its commitment in the tree.

    Attributes:
        index: The place.
        event: What is there; None where it was pruned, lost or altered.
        is_altered: The record is there, and is not what the tree holds.
    """

    index: int
    event: StoredEvent | None
    is_altered: bool


async def events_from(connection: AsyncConnection, start: int, limit: int) -> Sequence[StoredEvent]:
    """Give the first events at or behind an index; those without a place yet are not among them.

    Indices are given in one order and never filled in later, so a follower that goes on behind
    the last one it saw misses nothing. Pruned events are left out.
    """
    rows = await connection.execute(
        select(events.c.index.label("place"), events.c.number, events.c.record)
        .where(events.c.index >= start, events.c.record.is_not(None))
        .order_by(events.c.index)
        .limit(limit)
    )
    return [StoredEvent(row.place, row.number, json.loads(row.record)) for row in rows]


async def checked_from(
    connection: AsyncConnection, start: int, limit: int
) -> Sequence[CheckedEvent]:
    """Give the first places of the tree at or behind an index, each checked.

    Whatever somebody wrote into the columns, every place is given: it is altered, no failure.
    """
    places = _PLACES if connection.dialect.name == "postgresql" else _ANYTHING
    rows = await connection.execute(
        places.where(log_entries.c.index >= start).order_by(log_entries.c.index).limit(limit)
    )
    return [_checked(*row) for row in rows]


async def checked_at(
    connection: AsyncConnection, places: Sequence[int]
) -> Mapping[int, CheckedEvent]:
    """Give these places of the tree, each checked; those that it has not are left out."""
    wanted = _PLACES if connection.dialect.name == "postgresql" else _ANYTHING
    rows = await connection.execute(wanted.where(log_entries.c.index.in_(places)))
    return {row[0]: _checked(*row) for row in rows}


def _checked(
    place: int, committed: bytes, number: int | None, record: str | bytes | None, salt: bytes | None
) -> CheckedEvent:
    if record is None:
        return CheckedEvent(place, None, is_altered=False)
    altered = CheckedEvent(place, None, is_altered=True)
    try:
        text = record if isinstance(record, str) else record.decode()
        if not hmac.compare_digest(commitment(salt or b"", text), committed):
            return altered
        content = json.loads(text)
    except ValueError:  # no UTF-8, or no JSON
        return altered
    if not isinstance(content, dict) or content.get("number") != number:
        return altered
    return CheckedEvent(place, StoredEvent(place, number, content), is_altered=False)


def _places(as_bytes: Callable[[ColumnElement[Any]], ColumnElement[Any]]) -> Select[Any]:
    return select(
        log_entries.c.index,
        as_bytes(log_entries.c.commitment),
        cast(events.c.number, BigInteger),
        as_bytes(events.c.record),
        as_bytes(events.c.salt),
    ).outerjoin(events, events.c.index == log_entries.c.index)


_PLACES = _places(lambda column: column)
_ANYTHING = _places(lambda column: cast(column, LargeBinary))
"""SQLite keeps anything in any column: text that is none, or bytes."""


async def size(connection: AsyncConnection) -> int:
    """How many places the tree has."""
    last: int | None = await connection.scalar(select(func.max(log_entries.c.index)))
    return 0 if last is None else last + 1


async def waiting_since(connection: AsyncConnection) -> datetime | None:
    """When the oldest event happened that has no place yet; None: all have one."""
    oldest: int | None = await connection.scalar(
        select(func.min(_AT)).where(events.c.index.is_(None))
    )
    if oldest is None:
        return None
    return EPOCH + timedelta(microseconds=min(max(oldest, 0), MAX_INTEGER))


async def index_at(connection: AsyncConnection, since: datetime, end: int) -> int:
    """Find a place before `end` behind which nothing is older than `since`, give or take a clock.

    Events stand in the order in which they were written, which is that of time within seconds.
    """
    low, high = 0, end
    while low < high:
        middle = (low + high) // 2
        at = await connection.scalar(
            select(_AT)
            .where(events.c.index >= middle, events.c.index < high)
            .order_by(events.c.index)
            .limit(1)
        )
        if at is not None and at < microseconds(since):
            low = middle + 1
        else:
            high = middle
    return low


_AT = cast(events.c.at, BigInteger)  # whatever SQLite holds there, a number
