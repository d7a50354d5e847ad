"""Breach notices: SQL as functions, rows out. A version, once written, is never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.rows import at_most_one, every
from storage.schema import breach_notices


@dataclass(frozen=True, slots=True)
class BreachNotice:
    """One version of what one controller is told of one incident; versions count from 1.

    `phase` is a word of gateway.incidents.notices.
    """

    id: str
    incident_id: str
    controller_id: str
    version: int
    phase: str
    created_by: str
    created_at: datetime
    sealed_body: bytes = field(repr=False)
    sent_by: str | None = None
    sent_at: datetime | None = None
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None


async def add(tx: AsyncConnection, notice: BreachNotice) -> None:
    """Insert a version. The incident is locked, so no other has its number."""
    await tx.execute(insert(breach_notices).values(asdict(notice)))


async def get(connection: AsyncConnection, notice_id: str) -> BreachNotice | None:
    """One notice, or None."""
    found = await connection.execute(select(breach_notices).where(breach_notices.c.id == notice_id))
    return at_most_one(BreachNotice, found)


async def of_incident(connection: AsyncConnection, incident_id: str) -> Sequence[BreachNotice]:
    """All versions of an incident's notices, by controller and version."""
    statement = select(breach_notices).where(breach_notices.c.incident_id == incident_id)
    columns = breach_notices.c.controller_id, breach_notices.c.version
    return every(BreachNotice, await connection.execute(statement.order_by(*columns)))


async def sent_to(
    connection: AsyncConnection, controller_id: str, *, before: str | None, limit: int
) -> Sequence[BreachNotice]:
    """What a controller was sent, the newest first; only what is older than `before`."""
    statement = select(breach_notices).where(
        breach_notices.c.controller_id == controller_id, breach_notices.c.sent_at.is_not(None)
    )
    if before is not None:
        statement = statement.where(breach_notices.c.id < before)
    newest = statement.order_by(breach_notices.c.id.desc()).limit(limit)
    return every(BreachNotice, await connection.execute(newest))


async def newest_version(connection: AsyncConnection, notice: BreachNotice) -> int:
    """The number of the newest version for the notice's controller and incident."""
    theirs = (breach_notices.c.incident_id == notice.incident_id) & (
        breach_notices.c.controller_id == notice.controller_id
    )
    number = await connection.scalar(select(func.max(breach_notices.c.version)).where(theirs))
    return number or 0


async def send(tx: AsyncConnection, notice_id: str, by: str, at: datetime) -> bool:
    """Say that a notice was sent; False: it was before."""
    unsent = (breach_notices.c.id == notice_id) & breach_notices.c.sent_at.is_(None)
    sent = update(breach_notices).where(unsent).values(sent_by=by, sent_at=at)
    return (await tx.execute(sent)).rowcount == 1


async def acknowledge(tx: AsyncConnection, notice_id: str, by: str, at: datetime) -> bool:
    """Say that a notice was read; False: somebody said so before."""
    unread = (breach_notices.c.id == notice_id) & breach_notices.c.acknowledged_at.is_(None)
    read = update(breach_notices).where(unread).values(acknowledged_by=by, acknowledged_at=at)
    return (await tx.execute(read)).rowcount == 1
