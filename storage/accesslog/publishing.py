"""What the log gives out: checkpoints with their cosignatures, tiles, entries, proofs.

Tiles and entries are those of C2SP tlog-tiles, cut to what was signed: so what was once given out
never changes, and may be cached for ever. An entry is a commitment of 32 bytes and says nothing of
anybody; a proof holds the record behind one, and is for those who may see it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Row, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.accesslog.proof import LogProof
from storage.accesslog.tiles import tile_reader
from storage.accesslog.tree import HASH_SIZE, TILE_HEIGHT, TILE_WIDTH, Tree
from storage.errors import LogInconsistentError
from storage.schema import checkpoints, cosignatures, events, log_entries

GRACE = timedelta(seconds=30)  # how long a checkpoint waits for its witnesses before it is shown


@dataclass(frozen=True, slots=True)
class Published:
    """A checkpoint.

    Attributes:
        size: Entries it covers.
        note: As the log signed it.
        lines: The signature lines of witnesses that are here.
    """

    size: int
    note: str
    lines: str

    @property
    def text(self) -> str:
        """The signed and cosigned note."""
        return self.note + self.lines


async def newest(connection: AsyncConnection) -> Published | None:
    """Give the last checkpoint, or None before the first."""
    row = (
        await connection.execute(
            select(checkpoints).order_by(checkpoints.c.size.desc()).limit(1),
        )
    ).one_or_none()
    return None if row is None else await _with_lines(connection, row)


async def published(
    connection: AsyncConnection, witnesses: Collection[str], now: datetime
) -> Published | None:
    """Give the checkpoint to show: the last one that every witness cosigned.

    A log that is used signs faster than witnesses answer, so the very last one often lacks a line.
    It is shown once one of them waited for longer than GRACE: no witness can hold the log back.

    Args:
        connection: Any.
        witnesses: Verifier keys of those that are asked.
        now: The time, aware.
    """
    last = await newest(connection)
    if last is None or not witnesses:
        return last
    due = await connection.scalar(
        select(checkpoints.c.size)
        .where(checkpoints.c.signed_at < now - GRACE)
        .order_by(checkpoints.c.size.desc())
        .limit(1)
    )
    cosigned = await connection.scalar(
        select(cosignatures.c.size)
        .where(cosignatures.c.witness.in_(witnesses), cosignatures.c.size >= (due or 0))
        .group_by(cosignatures.c.size)
        .having(func.count() == len(set(witnesses)))
        .order_by(cosignatures.c.size.desc())
        .limit(1)
    )
    if cosigned is None:
        return last
    row = await connection.execute(select(checkpoints).where(checkpoints.c.size == cosigned))
    return await _with_lines(connection, row.one())


async def cosigned_size(connection: AsyncConnection, witness: str) -> int:
    """Give the size of the last checkpoint that this witness cosigned for us; 0 for none."""
    size: int | None = await connection.scalar(
        select(func.max(cosignatures.c.size)).where(cosignatures.c.witness == witness)
    )
    return size or 0


async def keep_cosignature(tx: AsyncConnection, size: int, witness: str, line: str) -> None:
    """Keep a witness's signature line, in place of one that it gave for this size before."""
    await tx.execute(
        delete(cosignatures).where(cosignatures.c.size == size, cosignatures.c.witness == witness)
    )
    await tx.execute(insert(cosignatures).values(size=size, witness=witness, line=line))


async def consistency_proof(connection: AsyncConnection, old: int, new: int) -> tuple[bytes, ...]:
    """RFC 9162, 2.1.4.1: PROOF(old, D[new])."""
    return await connection.run_sync(
        lambda sync: tuple(Tree(tile_reader(sync)).consistency_proof(old, new))
    )


async def tile(connection: AsyncConnection, level: int, number: int, width: int) -> bytes | None:
    """Give the first `width` hashes of a tile, or None where no checkpoint covers them.

    Raises:
        LogInconsistentError: Fewer are stored than were signed.
    """
    if not await _is_signed(connection, level, number, width):
        return None
    stored = await connection.run_sync(lambda sync: tile_reader(sync)(level, number))
    if len(stored) < width * HASH_SIZE:
        raise LogInconsistentError(f"tile {level}/{number} is cut short")
    return stored[: width * HASH_SIZE]


async def entries(connection: AsyncConnection, number: int, width: int) -> bytes | None:
    """Give an entry bundle: each entry behind its length in two bytes.

    Returns:
        None where no checkpoint covers it.

    Raises:
        LogInconsistentError: Fewer are stored than were signed.
    """
    if not await _is_signed(connection, 0, number, width):
        return None
    start = number * TILE_WIDTH
    stored = await connection.scalars(
        select(log_entries.c.commitment)
        .where(log_entries.c.index >= start, log_entries.c.index < start + width)
        .order_by(log_entries.c.index)
    )
    found = stored.all()
    if len(found) != width:
        raise LogInconsistentError(f"entries of tile {number} are missing")
    return b"".join(len(entry).to_bytes(2) + entry for entry in found)


@dataclass(frozen=True, slots=True)
class ProvenEntry:
    """One entry with its proof.

    Attributes:
        controller_id: Whose it is; None for the house's own.
        proof: Its `extra` is JSON with the `record` as committed to and its `salt` in base64;
            nothing once the record was pruned.
    """

    controller_id: str | None
    proof: LogProof


async def prove(
    connection: AsyncConnection, index: int, witnesses: Collection[str], now: datetime
) -> ProvenEntry | None:
    """Prove that an entry is under the published checkpoint, or failing that under the last.

    Returns:
        None while no checkpoint covers it.
    """
    event = (
        await connection.execute(
            select(events.c.controller_id, events.c.record, events.c.salt).where(
                events.c.index == index
            )
        )
    ).one_or_none()
    checkpoint = await published(connection, witnesses, now)
    if checkpoint is not None and checkpoint.size <= index:
        checkpoint = await newest(connection)
    if event is None or checkpoint is None or checkpoint.size <= index:
        return None
    size = checkpoint.size
    hashes = await connection.run_sync(
        lambda sync: tuple(Tree(tile_reader(sync)).inclusion_proof(index, size))
    )
    extra = None
    if event.record is not None:
        salt = base64.b64encode(event.salt).decode()
        extra = json.dumps({"record": event.record, "salt": salt}).encode()
    return ProvenEntry(event.controller_id, LogProof(index, hashes, checkpoint.text, extra))


async def _is_signed(connection: AsyncConnection, level: int, number: int, width: int) -> bool:
    signed: int = await connection.scalar(select(func.max(checkpoints.c.size))) or 0
    last = number * TILE_WIDTH + width
    return 0 < width <= TILE_WIDTH and last <= signed >> (level * TILE_HEIGHT)


async def _with_lines(connection: AsyncConnection, row: Row[tuple[object, ...]]) -> Published:
    lines = await connection.scalars(
        select(cosignatures.c.line)
        .where(cosignatures.c.size == row.size)
        .order_by(cosignatures.c.witness)
    )
    return Published(row.size, row.note, "".join(lines))
