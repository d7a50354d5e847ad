"""Requests for erasure and the punctures that serve them: the state of a row is the queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.rows import at_most_one, every
from storage.schema import erasures, punctures


@dataclass(frozen=True, slots=True)
class Erasure:
    """One request to erase one case.

    Steps: frozen, punctured, proved, deleted, recorded, done.
    """

    id: str
    case_id: str
    controller_id: str
    step: str
    requested_by: str
    requested_at: datetime
    reason: str
    puncture_id: str | None = None
    evidence: str | None = field(default=None, repr=False)
    body: str | None = None
    event_id: str | None = None
    certificate: str | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Puncture:
    """One move of a controller's key from an old version to a new one.

    Steps: begun, created, rewrapped, backed_up, dropped, destroyed.
    """

    id: str
    controller_id: str
    step: str
    old_version: int
    new_version: int
    created_at: datetime
    finished_at: datetime | None = None


async def add(tx: AsyncConnection, erasure: Erasure) -> None:
    """Insert a request."""
    await tx.execute(insert(erasures).values(asdict(erasure)))


async def of_case(connection: AsyncConnection, case_id: str) -> Erasure | None:
    """The erasure of a case, or None."""
    rows = await connection.execute(select(erasures).where(erasures.c.case_id == case_id))
    return at_most_one(Erasure, rows)


async def unfinished(connection: AsyncConnection) -> Sequence[Erasure]:
    """Every erasure that is not done, oldest first."""
    statement = select(erasures).where(erasures.c.step != "done").order_by(erasures.c.id)
    return every(Erasure, await connection.execute(statement))


async def of_puncture(connection: AsyncConnection, puncture_id: str) -> Sequence[Erasure]:
    """The erasures that share this puncture."""
    statement = select(erasures).where(erasures.c.puncture_id == puncture_id)
    return every(Erasure, await connection.execute(statement))


async def change(tx: AsyncConnection, erasure_id: str, **columns: Any) -> None:
    """Set columns of an erasure."""
    await tx.execute(update(erasures).where(erasures.c.id == erasure_id).values(**columns))


async def add_puncture(tx: AsyncConnection, puncture: Puncture) -> None:
    """Insert a puncture."""
    await tx.execute(insert(punctures).values(asdict(puncture)))


async def get_puncture(connection: AsyncConnection, puncture_id: str) -> Puncture:
    """One puncture."""
    rows = await connection.execute(select(punctures).where(punctures.c.id == puncture_id))
    return every(Puncture, rows)[0]


async def change_puncture(tx: AsyncConnection, puncture_id: str, **columns: Any) -> None:
    """Set columns of a puncture."""
    await tx.execute(update(punctures).where(punctures.c.id == puncture_id).values(**columns))


async def punctures_at(connection: AsyncConnection, step: str) -> Sequence[Puncture]:
    """Every puncture at this step."""
    statement = select(punctures).where(punctures.c.step == step)
    return every(Puncture, await connection.execute(statement))
