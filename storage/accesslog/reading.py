"""What the log shows: the events of a case, and the proof that one of them is in the tree."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.accesslog.tiles import tile_reader
from storage.accesslog.tree import Tree
from storage.schema import checkpoints, events, log_entries


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as the log has it.

    Attributes:
        index: Its place in the tree; None within its first second.
        number: Its controller's running number; None as long.
        record: NEN 7513 fields, see `AccessEvent.from_record`.
    """

    index: int | None
    number: int | None
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Everything `tree.verify_inclusion` needs, with the signed checkpoint.

    Attributes:
        index: The entry's place.
        size: The checkpoint's size in entries.
        hashes: RFC 9162 inclusion proof, from the leaf's sibling upwards.
        commitment: The entry itself, 32 bytes; its leaf hash is `tree.leaf_hash(commitment)`.
        note: The signed checkpoint with the root.
        record: The event as the log committed to it, canonical JSON; None once pruned.
        salt: Key of the HMAC-SHA256 that makes the commitment from the record; None once pruned.
    """

    index: int
    size: int
    hashes: tuple[bytes, ...]
    commitment: bytes
    note: str
    record: str | None
    salt: bytes | None


async def events_of_case(connection: AsyncConnection, case_id: str) -> list[StoredEvent]:
    """Every event of a case in the order of the log; those without a place yet come last."""
    rows = await connection.execute(
        select(events.c.index.label("place"), events.c.number, events.c.record)
        .where(events.c.case_id == case_id, events.c.record.is_not(None))
        .order_by(events.c.index.is_(None), events.c.index, events.c.id)
    )
    return [StoredEvent(row.place, row.number, json.loads(row.record)) for row in rows]


@dataclass(frozen=True, slots=True)
class EvidentEvent:
    """An event of a controller's series with what proves it; record and salt until pruned."""

    number: int
    index: int
    record: str | None
    salt: bytes | None


async def events_of_controller(
    connection: AsyncConnection, controller_id: str, after: int, limit: int
) -> list[EvidentEvent]:
    """The controller's events behind running number `after`, by number, `limit` at the most.

    Events that wait for their place are not among them.
    """
    columns = events.c.number, events.c.index.label("place"), events.c.record, events.c.salt
    rows = await connection.execute(
        select(*columns)
        .where(events.c.controller_id == controller_id, events.c.number > after)
        .order_by(events.c.number)
        .limit(limit)
    )
    return [EvidentEvent(*row) for row in rows]


async def events_of_actor(
    connection: AsyncConnection, actor_id: str, after: int, places: int
) -> tuple[list[StoredEvent], int | None]:
    """What somebody did or tried, in the order of the log.

    No index leads to it: a stretch of the log is looked through, so that nobody's question takes
    longer than that.

    Args:
        connection: Where to read.
        actor_id: Who.
        after: The place behind which to look; -1: from the beginning.
        places: How many places to look at.

    Returns:
        Their events there, and the place behind which to go on; None: the log ends there.
    """
    end = after + places
    stretch = (events.c.index > after) & (events.c.index <= end)
    rows = await connection.execute(
        select(events.c.index.label("place"), events.c.number, events.c.record)
        .where(stretch, events.c.record.contains(actor_id, autoescape=True))
        .order_by(events.c.index)
    )
    found = [StoredEvent(row.place, row.number, json.loads(row.record)) for row in rows]
    last = (await connection.execute(select(func.max(events.c.index)))).scalar_one()
    theirs = [event for event in found if event.record["user"]["id"] == actor_id]
    return theirs, end if last is not None and last > end else None


async def proof(connection: AsyncConnection, event_id: str) -> InclusionProof | None:
    """Prove that an event is under the last checkpoint.

    Returns:
        None while no checkpoint covers the event, or when there is no such event.
    """
    entry = (
        await connection.execute(
            select(
                log_entries.c.index.label("place"),
                log_entries.c.commitment,
                events.c.record,
                events.c.salt,
            )
            .join(events, events.c.index == log_entries.c.index)
            .where(events.c.id == event_id)
        )
    ).one_or_none()
    last = (
        await connection.execute(
            select(checkpoints.c.size, checkpoints.c.note)
            .order_by(checkpoints.c.size.desc())
            .limit(1)
        )
    ).one_or_none()
    if entry is None or last is None or last.size <= entry.place:
        return None
    index, size = entry.place, last.size
    hashes = await connection.run_sync(
        lambda sync: Tree(tile_reader(sync)).inclusion_proof(index, size)
    )
    return InclusionProof(
        index, size, tuple(hashes), entry.commitment, last.note, entry.record, entry.salt
    )


async def known_events(connection: AsyncConnection, ids: Collection[str]) -> set[str]:
    """Give those of these event ids that are in the log."""
    return set(await connection.scalars(select(events.c.id).where(events.c.id.in_(ids))))


async def cases_at(connection: AsyncConnection, places: Collection[int]) -> set[str]:
    """Give the cases of the events at these places of the log, whose records are not pruned."""
    statement = select(events.c.case_id).where(events.c.index.in_(places))
    return {case_id for case_id in await connection.scalars(statement) if case_id is not None}
