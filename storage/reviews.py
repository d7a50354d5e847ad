"""What weekly reviews said, and what they are made from. SQL as functions, frozen rows out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.alerts import Alert
from storage.rows import every
from storage.schema import alerts, checkpoints, review_verdicts


@dataclass(frozen=True, slots=True)
class ReviewVerdict:
    """What somebody says of one alert or access of a week."""

    week: str
    item: str
    verdict: str
    by: str
    at: datetime
    words: str


async def add(tx: AsyncConnection, verdict: ReviewVerdict) -> bool:
    """Insert a verdict; False: there is one."""
    try:
        async with tx.begin_nested():
            await tx.execute(insert(review_verdicts).values(asdict(verdict)))
    except IntegrityError:
        return False
    return True


async def of_week(connection: AsyncConnection, week: str) -> Sequence[ReviewVerdict]:
    """Every verdict of a week, in the order in which they were given."""
    statement = select(review_verdicts).where(review_verdicts.c.week == week)
    ordered = statement.order_by(review_verdicts.c.at, review_verdicts.c.item)
    return every(ReviewVerdict, await connection.execute(ordered))


async def raised(connection: AsyncConnection, since: datetime, until: datetime) -> Sequence[Alert]:
    """The alerts first raised in a time; the most severe first, then those found most often."""
    statement = select(alerts).where(alerts.c.raised_at >= since, alerts.c.raised_at < until)
    ranked = statement.order_by(alerts.c.severity.desc(), alerts.c.count.desc(), alerts.c.id)
    return every(Alert, await connection.execute(ranked))


async def root_behind(connection: AsyncConnection, size: int) -> tuple[int, bytes] | None:
    """Size and root of the first checkpoint that covers so many places; None: not signed yet."""
    statement = select(checkpoints.c.size, checkpoints.c.root).where(checkpoints.c.size >= size)
    row = (await connection.execute(statement.order_by(checkpoints.c.size).limit(1))).one_or_none()
    return None if row is None else (row.size, row.root)
