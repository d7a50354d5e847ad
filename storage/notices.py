"""What somebody is still to be told, by mail or webhook: a queue that no crash empties.

Whoever writes a notice does it in the transaction of what it tells of. Whoever sends one claims it
first: the claim puts its next try off, so that two nodes do not send it at once, and a node that
dies with it in hand leaves it to the next try. A notice is deleted once it left; so it leaves at
least once, and twice only where a node died between sending and deleting. One that could not leave
for long is dead: it stays to be seen, and is not tried before somebody asks for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.rows import at_most_one, every
from storage.schema import accounts, controllers, notices

FIRST_PAUSE = timedelta(minutes=1)  # longer than sending may take
LONGEST_PAUSE = timedelta(hours=1)
DOUBLINGS = 6  # of the pause, before it is the longest
EVERY_HOOK = "*"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell one account, one practice or one program.

    Attributes:
        kind: Which text (`gateway.mail.texts.NOTICES`), or the type of a webhook's message.
        account_id: Whom; else the practice `controller_id`.
        address: Of an account that is closed by now.
        hook: The webhook of this name, and nobody by mail; EVERY_HOOK: one for each is to be made.
        detail: JSON object of what the text names: ids and times, no secret and nobody's name.
        due_at: Not before.
        attempts: How often it was tried.
        failure: A word for why it did not leave the last time.
        dead_at: Since when it is not tried any more.
    """

    id: str
    kind: str
    created_at: datetime
    due_at: datetime
    account_id: str | None = None
    controller_id: str | None = None
    address: str | None = field(default=None, repr=False)
    hook: str | None = None
    detail: str = "{}"
    attempts: int = 0
    failure: str | None = None
    dead_at: datetime | None = None

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


async def oldest_due(
    connection: AsyncConnection, now: datetime, hook: str | None = None
) -> Notice | None:
    """The notice to a hook (None: by mail) that is due longest, or None."""
    due = select(notices).where(notices.c.due_at <= now, notices.c.dead_at.is_(None))
    due = due.where(notices.c.hook.is_(None) if hook is None else notices.c.hook == hook)
    oldest = due.order_by(notices.c.due_at, notices.c.id).limit(1)
    return at_most_one(Notice, await connection.execute(oldest))


async def claim(tx: AsyncConnection, notice: Notice, now: datetime) -> bool:
    """Put the notice's next try off; False: another node has, and sends it.

    Of two that claim at a time the second waits for the first's row, and finds it claimed.
    """
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(notice.attempts, DOUBLINGS))
    unclaimed = (notices.c.id == notice.id) & (notices.c.attempts == notice.attempts)
    statement = update(notices).where(unclaimed, notices.c.dead_at.is_(None))
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


async def fail(
    tx: AsyncConnection, notice_id: str, failure: str, dead_at: datetime | None = None
) -> None:
    """Say why a notice did not leave; with a time it is dead from then on."""
    statement = update(notices).where(notices.c.id == notice_id)
    await tx.execute(statement.values(failure=failure, dead_at=dead_at))


async def revive(tx: AsyncConnection, notice_id: str, now: datetime) -> bool:
    """Have a dead notice tried again as if it were new; False: it is not dead, or not there."""
    statement = update(notices).where(notices.c.id == notice_id, notices.c.dead_at.is_not(None))
    anew = statement.values(created_at=now, due_at=now, attempts=0, dead_at=None)
    return (await tx.execute(anew)).rowcount == 1


async def get(connection: AsyncConnection, notice_id: str) -> Notice | None:
    """One notice, or None."""
    rows = await connection.execute(select(notices).where(notices.c.id == notice_id))
    return at_most_one(Notice, rows)


async def list_notices(
    connection: AsyncConnection, *, dead: bool | None, before: str | None, limit: int
) -> Sequence[Notice]:
    """Notices that did not leave yet, the newest first.

    Args:
        connection: Where to read.
        dead: Only those that are dead, or only those that wait; None: all.
        before: Only those older than this notice.
        limit: At most so many.
    """
    statement = select(notices)
    if dead is not None:
        is_dead = notices.c.dead_at.is_not(None)
        statement = statement.where(is_dead if dead else ~is_dead)
    if before is not None:
        statement = statement.where(notices.c.id < before)
    rows = await connection.execute(statement.order_by(notices.c.id.desc()).limit(limit))
    return every(Notice, rows)


async def hooks_waiting(connection: AsyncConnection) -> Sequence[str]:
    """The names of hooks for which notices wait that are not dead, EVERY_HOOK among them."""
    names = select(notices.c.hook).where(notices.c.hook.is_not(None), notices.c.dead_at.is_(None))
    return list((await connection.execute(names.distinct())).scalars())


async def dead_since(connection: AsyncConnection, moment: datetime) -> Sequence[Notice]:
    """Notices that were dead before a moment."""
    return every(
        Notice, await connection.execute(select(notices).where(notices.c.dead_at < moment))
    )


async def count_dead(connection: AsyncConnection) -> int:
    """How many notices are dead."""
    dead = select(func.count()).select_from(notices).where(notices.c.dead_at.is_not(None))
    return await connection.scalar(dead) or 0


async def has_waiting(connection: AsyncConnection, kind: str, account_id: str) -> bool:
    """Whether an account is still to be told something of a kind."""
    waiting = select(notices.c.id).where(notices.c.kind == kind, notices.c.account_id == account_id)
    return await connection.scalar(waiting.where(notices.c.dead_at.is_(None)).limit(1)) is not None


async def remove(tx: AsyncConnection, notice_id: str) -> bool:
    """Delete a notice that left, or never will; False: somebody else has."""
    statement = delete(notices).where(notices.c.id == notice_id)
    return (await tx.execute(statement)).rowcount == 1


async def remove_of(tx: AsyncConnection, account_id: str) -> None:
    """Delete what an account was still to be told; idempotent."""
    await tx.execute(delete(notices).where(notices.c.account_id == account_id))
