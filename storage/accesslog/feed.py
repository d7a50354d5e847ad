"""The log as a stream for whoever follows it: events from a place on, in the order of the log."""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.accesslog.event import commitment
from storage.accesslog.reading import StoredEvent
from storage.schema import events, log_entries


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
    """Give the first places of the tree at or behind an index, each checked."""
    rows = await connection.execute(
        select(
            log_entries.c.index.label("place"),
            log_entries.c.commitment,
            events.c.number,
            events.c.record,
            events.c.salt,
        )
        .outerjoin(events, events.c.index == log_entries.c.index)
        .where(log_entries.c.index >= start)
        .order_by(log_entries.c.index)
        .limit(limit)
    )
    found = []
    for place, committed, number, record, salt in rows:
        if record is None:
            found.append(CheckedEvent(place, None, is_altered=False))
        elif not hmac.compare_digest(commitment(salt or b"", record), committed):
            found.append(CheckedEvent(place, None, is_altered=True))
        else:
            event = StoredEvent(place, number, json.loads(record))
            found.append(CheckedEvent(place, event, is_altered=False))
    return found


async def size(connection: AsyncConnection) -> int:
    """How many places the tree has."""
    last: int | None = await connection.scalar(select(func.max(log_entries.c.index)))
    return 0 if last is None else last + 1


async def waiting_since(connection: AsyncConnection) -> datetime | None:
    """When the oldest event happened that has no place yet; None: all have one."""
    oldest: datetime | None = await connection.scalar(
        select(func.min(events.c.at)).where(events.c.index.is_(None))
    )
    return oldest


async def index_at(connection: AsyncConnection, since: datetime, end: int) -> int:
    """Find a place before `end` behind which nothing is older than `since`, give or take a clock.

    Events stand in the order in which they were written, which is that of time within seconds.
    """
    low, high = 0, end
    while low < high:
        middle = (low + high) // 2
        at = await connection.scalar(
            select(events.c.at)
            .where(events.c.index >= middle, events.c.index < high)
            .order_by(events.c.index)
            .limit(1)
        )
        if at is not None and at < since:
            low = middle + 1
        else:
            high = middle
    return low
