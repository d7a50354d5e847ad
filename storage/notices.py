"""What somebody is still to be told by mail: a queue that no crash empties.

Whoever writes a notice does it in the transaction of what it tells of. Whoever sends one claims it
first: the claim puts its next try off, so that two nodes do not send it at once, and a node that
dies with it in hand leaves it to the next try. A notice is deleted once it left; so it leaves at
least once, and twice only where a node died between sending and deleting.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.rows import at_most_one
from storage.schema import accounts, controllers, notices

FIRST_PAUSE = timedelta(minutes=1)  # longer than sending may take
LONGEST_PAUSE = timedelta(hours=1)
DOUBLINGS = 6  # of the pause, before it is the longest


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell one account or one practice.

    Attributes:
        kind: Which text (`gateway.mail.texts.NOTICES`).
        account_id: Whom; else the practice `controller_id`.
        address: Of an account that is closed by now.
        detail: JSON object of what the text names: ids and times, no secret and nobody's name.
        due_at: Not before.
        attempts: How often it was tried.
    """

    id: str
    kind: str
    created_at: datetime
    due_at: datetime
    account_id: str | None = None
    controller_id: str | None = None
    address: str | None = field(default=None, repr=False)
    detail: str = "{}"
    attempts: int = 0

    @property
    def values(self) -> Mapping[str, str]:
        """What the text names."""
        return {name: str(value) for name, value in json.loads(self.detail).items()}


@dataclass(frozen=True, slots=True)
class Addressee:
    """Where a notice goes; a practice has no one language."""

    address: str = field(repr=False)
    language: str | None


async def add(tx: AsyncConnection, notice: Notice) -> None:
    """Insert a notice; it leaves once this transaction commits."""
    await tx.execute(insert(notices).values(asdict(notice)))


async def oldest_due(connection: AsyncConnection, now: datetime) -> Notice | None:
    """The notice that is due longest, or None."""
    due = select(notices).where(notices.c.due_at <= now)
    oldest = due.order_by(notices.c.due_at, notices.c.id).limit(1)
    return at_most_one(Notice, await connection.execute(oldest))


async def claim(tx: AsyncConnection, notice: Notice, now: datetime) -> bool:
    """Put the notice's next try off; False: another node has, and sends it.

    Of two that claim at a time the second waits for the first's row, and finds it claimed.
    """
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(notice.attempts, DOUBLINGS))
    unclaimed = (notices.c.id == notice.id) & (notices.c.attempts == notice.attempts)
    statement = update(notices).where(unclaimed)
    claimed = statement.values(due_at=now + pause, attempts=notice.attempts + 1)
    return (await tx.execute(claimed)).rowcount == 1


async def addressee(connection: AsyncConnection, notice: Notice) -> Addressee | None:
    """Where a notice goes now; None: whom it was for is gone."""
    if notice.address is not None:
        return Addressee(notice.address, None)
    if notice.account_id is not None:
        account = select(accounts.c.email, accounts.c.language)
        row = (
            await connection.execute(account.where(accounts.c.id == notice.account_id))
        ).one_or_none()
        return None if row is None else Addressee(row.email, row.language)
    email = select(controllers.c.email).where(controllers.c.id == notice.controller_id)
    address: str | None = await connection.scalar(email)
    return None if address is None else Addressee(address, None)


async def remove(tx: AsyncConnection, notice_id: str) -> bool:
    """Delete a notice that left, or never will; False: somebody else has."""
    statement = delete(notices).where(notices.c.id == notice_id)
    return (await tx.execute(statement)).rowcount == 1


async def remove_of(tx: AsyncConnection, account_id: str) -> None:
    """Delete what an account was still to be told; idempotent."""
    await tx.execute(delete(notices).where(notices.c.account_id == account_id))
