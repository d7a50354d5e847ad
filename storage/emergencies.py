"""Emergencies: who opened which case without being assigned, why, until when, and what was found.

SQL as functions, frozen rows out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.rows import at_most_one, every
from storage.schema import cases, emergencies


@dataclass(frozen=True, slots=True)
class Emergency:
    """One emergency. `verdict` is None until somebody else has reviewed it."""

    id: str
    case_id: str
    controller_id: str
    account_id: str
    reason: str
    starts_at: datetime
    ends_at: datetime
    review_due_at: datetime
    reviewed_by: str | None = None
    reviewed_at: datetime | None = None
    verdict: str | None = None
    words: str | None = None


async def add(tx: AsyncConnection, emergency: Emergency) -> None:
    """Insert an emergency."""
    await tx.execute(insert(emergencies).values(asdict(emergency)))


async def get(connection: AsyncConnection, emergency_id: str) -> Emergency | None:
    """One emergency, or None."""
    rows = await connection.execute(select(emergencies).where(emergencies.c.id == emergency_id))
    return at_most_one(Emergency, rows)


async def running(
    connection: AsyncConnection, case_id: str, account_id: str, now: datetime
) -> Emergency | None:
    """The emergency by which this account may see this case now, or None."""
    statement = select(emergencies).where(
        emergencies.c.case_id == case_id,
        emergencies.c.account_id == account_id,
        emergencies.c.ends_at > now,
    )
    return at_most_one(Emergency, await connection.execute(statement.limit(1)))


async def running_of(
    connection: AsyncConnection, account_id: str, now: datetime
) -> Sequence[Emergency]:
    """The emergencies by which an account may see cases now; of what is erased it sees nothing."""
    statement = (
        select(emergencies)
        .join(cases, cases.c.id == emergencies.c.case_id)
        .where(
            emergencies.c.account_id == account_id,
            emergencies.c.ends_at > now,
            cases.c.frozen_at.is_(None),
        )
    )
    return every(Emergency, await connection.execute(statement.order_by(emergencies.c.id)))


async def end(tx: AsyncConnection, emergency_id: str, at: datetime) -> None:
    """End what still runs; idempotent."""
    late = emergencies.c.id == emergency_id, emergencies.c.ends_at > at
    await tx.execute(update(emergencies).where(*late).values(ends_at=at))


async def list_emergencies(
    connection: AsyncConnection,
    *,
    controller_id: str | None,
    reviewed: bool,
    before: str | None,
    limit: int,
) -> Sequence[Emergency]:
    """Emergencies, the newest first.

    Args:
        connection: Where to read.
        controller_id: Only those for cases of this controller; None: all.
        reviewed: Those that were reviewed, too.
        before: Only older than this emergency's id.
        limit: At most so many.
    """
    statement = select(emergencies).order_by(emergencies.c.id.desc()).limit(limit)
    if controller_id is not None:
        statement = statement.where(emergencies.c.controller_id == controller_id)
    if not reviewed:
        statement = statement.where(emergencies.c.verdict.is_(None))
    if before is not None:
        statement = statement.where(emergencies.c.id < before)
    return every(Emergency, await connection.execute(statement))


async def review(
    tx: AsyncConnection, emergency_id: str, *, by: str, at: datetime, verdict: str, words: str
) -> bool:
    """Note the verdict, and end what still runs; False: somebody else was first."""
    open_still = emergencies.c.id == emergency_id, emergencies.c.verdict.is_(None)
    said = {"reviewed_by": by, "reviewed_at": at, "verdict": verdict, "words": words}
    done = await tx.execute(update(emergencies).where(*open_still).values(said))
    await end(tx, emergency_id, at)
    return done.rowcount == 1
