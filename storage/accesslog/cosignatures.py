"""Checkpoints as they are given out: with the signature lines of their witnesses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Row, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.schema import checkpoints, cosignatures

GRACE = timedelta(seconds=30)  # how long a checkpoint waits for its witnesses before it is shown


@dataclass(frozen=True, slots=True)
class Published:
    """A signed checkpoint.

    Attributes:
        size: Entries it covers.
        note: The signed note, with every cosignature that is here.
        signed_at: When the log signed it.
    """

    size: int
    note: str
    signed_at: datetime


async def newest(connection: AsyncConnection) -> Published | None:
    """Give the last checkpoint, or None before the first."""
    last = (
        await connection.execute(
            select(checkpoints).order_by(checkpoints.c.size.desc()).limit(1),
        )
    ).one_or_none()
    return None if last is None else await _with_lines(connection, last)


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
    row = (
        await connection.execute(select(checkpoints).where(checkpoints.c.size == cosigned))
    ).one()
    return await _with_lines(connection, row)


async def cosigned_size(connection: AsyncConnection, witness: str) -> int:
    """Give the size of the last checkpoint that this witness cosigned for us; 0 for none."""
    size: int | None = await connection.scalar(
        select(func.max(cosignatures.c.size)).where(cosignatures.c.witness == witness)
    )
    return size or 0


async def keep(tx: AsyncConnection, size: int, witness: str, line: str) -> None:
    """Keep a witness's signature line, in place of one that it gave for this size before."""
    await tx.execute(
        delete(cosignatures).where(cosignatures.c.size == size, cosignatures.c.witness == witness)
    )
    await tx.execute(insert(cosignatures).values(size=size, witness=witness, line=line))


async def _with_lines(connection: AsyncConnection, row: Row[tuple[object, ...]]) -> Published:
    lines = await connection.scalars(
        select(cosignatures.c.line)
        .where(cosignatures.c.size == row.size)
        .order_by(cosignatures.c.witness)
    )
    return Published(row.size, row.note + "".join(lines), row.signed_at)
