"""Canaries: cases of nobody, that nobody has a reason to open.

SQL as functions, frozen rows out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.rows import at_most_one, every
from storage.schema import canaries


@dataclass(frozen=True, slots=True)
class Canary:
    """A case that is one: who made it so, when, how its practice agreed, and until when."""

    id: str
    case_id: str
    by: str
    at: datetime
    consent: str
    ended_at: datetime | None = None


async def add(tx: AsyncConnection, canary: Canary) -> None:
    """Insert one."""
    await tx.execute(insert(canaries).values(asdict(canary)))


async def of_case(connection: AsyncConnection, case_id: str) -> Canary | None:
    """What a case is or was as a canary, or None."""
    rows = await connection.execute(select(canaries).where(canaries.c.case_id == case_id))
    return at_most_one(Canary, rows)


async def get(connection: AsyncConnection, canary_id: str) -> Canary | None:
    """One, or None."""
    rows = await connection.execute(select(canaries).where(canaries.c.id == canary_id))
    return at_most_one(Canary, rows)


async def list_canaries(connection: AsyncConnection) -> Sequence[Canary]:
    """All that there are and were, the newest first."""
    return every(Canary, await connection.execute(select(canaries).order_by(canaries.c.id.desc())))


async def cases(connection: AsyncConnection) -> frozenset[str]:
    """The cases that are canaries now."""
    statement = select(canaries.c.case_id).where(canaries.c.ended_at.is_(None))
    return frozenset(await connection.scalars(statement))


async def ever(connection: AsyncConnection) -> frozenset[str]:
    """The cases that are or were canaries."""
    return frozenset(await connection.scalars(select(canaries.c.case_id)))


async def end(tx: AsyncConnection, canary_id: str, at: datetime) -> bool:
    """Let its case be one no more; False: it is none."""
    running = (canaries.c.id == canary_id) & canaries.c.ended_at.is_(None)
    return (await tx.execute(update(canaries).where(running).values(ended_at=at))).rowcount == 1
