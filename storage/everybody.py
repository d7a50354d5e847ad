"""The sessions of many people at once: listed, looked up by id, ended together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.accounts import Account, Session
from storage.rows import at_most_one, every
from storage.schema import accounts, sessions, sign_ins


async def running(
    connection: AsyncConnection,
    at: datetime,
    *,
    controller_id: str | None,
    before: str | None,
    limit: int,
) -> Sequence[tuple[Session, Account]]:
    """Sessions that did not end by time, of everybody or of a controller's people, newest first.

    Args:
        connection: Where to read.
        at: This moment.
        controller_id: Whose people's; None: everybody's.
        before: The id of a session; those that began before it.
        limit: How many at the most.
    """
    running = select(sessions.c.id).join(accounts).where(sessions.c.expires_at > at)
    if controller_id is not None:
        running = running.where(accounts.c.controller_id == controller_id)
    if before is not None:
        running = running.where(sessions.c.id < before)
    ids = list(
        (await connection.execute(running.order_by(sessions.c.id.desc()).limit(limit))).scalars()
    )
    order = sessions.c.id.desc()
    found = every(
        Session,
        await connection.execute(select(sessions).where(sessions.c.id.in_(ids)).order_by(order)),
    )
    whose = {session.account_id for session in found}
    rows = await connection.execute(select(accounts).where(accounts.c.id.in_(whose)))
    people = {account.id: account for account in every(Account, rows)}
    return [(session, people[session.account_id]) for session in found]


async def find(connection: AsyncConnection, session_id: str) -> Session | None:
    """The session of this id, or None."""
    rows = await connection.execute(select(sessions).where(sessions.c.id == session_id))
    return at_most_one(Session, rows)


async def end_every(tx: AsyncConnection, *, controller_id: str | None, but: bytes | None) -> int:
    """End the sessions and sign-ins under way of everybody, or of a controller's people.

    Args:
        tx: The transaction.
        controller_id: Whose people's; None: everybody's.
        but: The hash of the secret of one to keep.
    """
    gone, begun = delete(sessions), delete(sign_ins)
    if controller_id is not None:
        theirs = select(accounts.c.id).where(accounts.c.controller_id == controller_id)
        gone = gone.where(sessions.c.account_id.in_(theirs))
        begun = begun.where(sign_ins.c.account_id.in_(theirs))
    if but is not None:
        gone = gone.where(sessions.c.secret_hash != but)
    await tx.execute(begun)
    return (await tx.execute(gone)).rowcount
