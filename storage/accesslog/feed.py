"""The log as a stream for whoever follows it: events from a place on, in the order of the log."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.accesslog.reading import StoredEvent
from storage.schema import events


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
