"""Requests to remove a second factor that somebody lost: asked, agreed, and then removed or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.rows import at_most_one, every
from storage.schema import factor_recoveries as table


@dataclass(frozen=True, slots=True)
class FactorRecovery:
    """One request.

    Attributes:
        state: asked, agreed (waits until `due_at`), stopped or done.
        asked_by: Account of who asked; `agreed_by` is another one.
    """

    id: str
    account_id: str
    reason: str
    state: str
    asked_by: str
    asked_at: datetime
    agreed_by: str | None = None
    due_at: datetime | None = None
    ended_at: datetime | None = None


OPEN = ("asked", "agreed")


async def add(tx: AsyncConnection, recovery: FactorRecovery) -> None:
    """Insert a request."""
    await tx.execute(insert(table).values(asdict(recovery)))


async def get(connection: AsyncConnection, recovery_id: str) -> FactorRecovery | None:
    """One request, or None."""
    rows = await connection.execute(select(table).where(table.c.id == recovery_id))
    return at_most_one(FactorRecovery, rows)


async def open_of(connection: AsyncConnection, account_id: str) -> FactorRecovery | None:
    """The request that is open for an account, or None."""
    theirs = (table.c.account_id == account_id) & table.c.state.in_(OPEN)
    return at_most_one(FactorRecovery, await connection.execute(select(table).where(theirs)))


async def every_open(connection: AsyncConnection) -> Sequence[FactorRecovery]:
    """All that are open, oldest first."""
    found = select(table).where(table.c.state.in_(OPEN)).order_by(table.c.asked_at, table.c.id)
    return every(FactorRecovery, await connection.execute(found))


async def due(connection: AsyncConnection, now: datetime) -> Sequence[FactorRecovery]:
    """What was agreed to and has waited long enough."""
    over = (table.c.state == "agreed") & (table.c.due_at <= now)
    return every(FactorRecovery, await connection.execute(select(table).where(over)))


async def step(tx: AsyncConnection, recovery: FactorRecovery, state: str, **columns: Any) -> bool:
    """Take a request from the state it was seen in to another; False: it is there no more."""
    seen = (table.c.id == recovery.id) & (table.c.state == recovery.state)
    moved = update(table).where(seen).values(state=state, **columns)
    return (await tx.execute(moved)).rowcount == 1


async def stop_of(tx: AsyncConnection, account_id: str, at: datetime) -> None:
    """Stop what is open for an account; idempotent."""
    theirs = (table.c.account_id == account_id) & table.c.state.in_(OPEN)
    await tx.execute(update(table).where(theirs).values(state="stopped", ended_at=at))
