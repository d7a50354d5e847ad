"""Leases: one holder at a time, told apart from its predecessors by a fence.

A clock decides only *when* somebody else may try. Safety never hangs on it: whoever takes a
lease over raises its fence under the row's lock, and every write under a lease checks that fence
in its own transaction (`hold`). A holder that slept through its lease therefore writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, case, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.errors import LeaseLostError
from storage.schema import EPOCH, leases


@dataclass(frozen=True, slots=True)
class Lease:
    """What its holder shows at every write.

    Attributes:
        name: What is leased, e.g. `sequencer`.
        holder: Who holds it; unique to one running worker, never reused after a restart.
        fence: Grows by one with every change of hands.
    """

    name: str
    holder: str
    fence: int


async def acquire(
    database: Database, name: str, holder: str, lifetime: timedelta, now: datetime
) -> Lease | None:
    """Take a lease that is free or ran out, or renew one's own.

    Returns:
        The lease until `now + lifetime`, or None while somebody else holds it.
    """
    expires_at = now + lifetime
    mine = and_(leases.c.holder == holder, leases.c.expires_at > now)
    take = (
        update(leases)
        .where(leases.c.name == name, or_(mine, leases.c.expires_at <= now))
        .values(
            holder=holder,
            expires_at=expires_at,
            fence=case((mine, leases.c.fence), else_=leases.c.fence + 1),
        )
        .returning(leases.c.fence)
    )
    try:
        async with database.transaction() as tx:
            fence = await tx.scalar(take)
            if fence is None:
                if await tx.scalar(select(leases.c.name).where(leases.c.name == name)):
                    return None
                fence = 1
                await tx.execute(
                    insert(leases).values(
                        name=name, holder=holder, fence=fence, expires_at=expires_at
                    )
                )
    except IntegrityError:  # another node made the very first row between our two statements
        return None
    return Lease(name, holder, fence)


async def hold(tx: AsyncConnection, lease: Lease, now: datetime) -> None:
    """Make sure, until this transaction ends, that the lease is still ours.

    The row stays locked (PostgreSQL: FOR UPDATE; SQLite: the one writer's lock), so nobody can
    take the lease over between this check and the commit.

    Raises:
        LeaseLostError: It ran out, or somebody else holds it.
    """
    row = (
        await tx.execute(
            select(leases.c.holder, leases.c.fence, leases.c.expires_at)
            .where(leases.c.name == lease.name)
            .with_for_update()
        )
    ).one_or_none()
    if row is None or (row.holder, row.fence) != (lease.holder, lease.fence):
        raise LeaseLostError(f"lease {lease.name}: somebody else holds it")
    if row.expires_at <= now:
        raise LeaseLostError(f"lease {lease.name}: it ran out")


async def extend(tx: AsyncConnection, lease: Lease, until: datetime) -> None:
    """Keep a lease that `hold` found to be ours in this transaction."""
    mine = (leases.c.name == lease.name) & (leases.c.fence == lease.fence)
    await tx.execute(update(leases).where(mine).values(expires_at=until))


async def release(database: Database, lease: Lease) -> None:
    """Let the next one have it at once; nothing happens if it is no longer ours.

    The row stays, and with it the fence: a later holder must have a higher one.
    """
    async with database.transaction() as tx:
        await tx.execute(
            update(leases)
            .where(
                leases.c.name == lease.name,
                leases.c.holder == lease.holder,
                leases.c.fence == lease.fence,
            )
            .values(expires_at=EPOCH)
        )
