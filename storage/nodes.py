"""Which processes are alive, with which keys, and which key versions each has let go of."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.rows import insert_missing
from storage.schema import drops, nodes


async def beat(tx: AsyncConnection, node_id: str, now: datetime, until: datetime) -> None:
    """Say that this node lives until then."""
    alive = await tx.execute(update(nodes).where(nodes.c.id == node_id).values(expires_at=until))
    if alive.rowcount == 0:
        await tx.execute(insert(nodes).values(id=node_id, started_at=now, expires_at=until))


async def use(tx: AsyncConnection, node_id: str, edition: str) -> None:
    """Note which edition of the keys this node works with (KeyProvider.edition)."""
    await tx.execute(update(nodes).where(nodes.c.id == node_id).values(edition=edition))


async def using_others(connection: AsyncConnection, edition: str, now: datetime) -> frozenset[str]:
    """Living nodes that work with another edition of the keys, or have not said with which."""
    other = func.coalesce(nodes.c.edition, "") != edition
    statement = select(nodes.c.id).where(nodes.c.expires_at > now, other)
    return frozenset((await connection.execute(statement)).scalars())


async def leave(tx: AsyncConnection, node_id: str) -> None:
    """Sign this node off; idempotent."""
    await tx.execute(delete(drops).where(drops.c.node_id == node_id))
    await tx.execute(delete(nodes).where(nodes.c.id == node_id))


async def dropped(tx: AsyncConnection, node_id: str, controller_id: str, version: int) -> None:
    """Note that this node holds the version no more; idempotent."""
    row = {"node_id": node_id, "controller_id": controller_id, "version": version}
    await insert_missing(tx, drops, row)


async def has_dropped(
    connection: AsyncConnection, node_id: str, controller_id: str, version: int
) -> bool:
    """Whether this node said so."""
    row = {"node_id": node_id, "controller_id": controller_id, "version": version}
    return (await connection.execute(select(drops.c.node_id).filter_by(**row))).first() is not None


async def still_holding(
    connection: AsyncConnection, controller_id: str, version: int, now: datetime
) -> frozenset[str]:
    """Living nodes that have not said that they dropped this version."""
    said = select(drops.c.node_id).where(
        drops.c.controller_id == controller_id, drops.c.version == version
    )
    statement = select(nodes.c.id).where(nodes.c.expires_at > now, nodes.c.id.not_in(said))
    return frozenset((await connection.execute(statement)).scalars())
