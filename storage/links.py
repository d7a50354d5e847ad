"""Links that let somebody in once: secrets arrive hashed, and whoever uses one takes it away."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.accounts import Account
from storage.rows import at_most_one
from storage.schema import accounts, links


@dataclass(frozen=True, slots=True)
class Link:
    """A link that was mailed and not used yet."""

    secret_hash: bytes = field(repr=False)
    purpose: str
    account_id: str
    created_at: datetime
    expires_at: datetime


async def add(tx: AsyncConnection, link: Link) -> None:
    """Insert a link in place of an earlier one of its kind."""
    theirs = (links.c.account_id == link.account_id) & (links.c.purpose == link.purpose)
    await tx.execute(delete(links).where(theirs))
    await tx.execute(insert(links).values(asdict(link)))


async def newest(connection: AsyncConnection, account_id: str, purpose: str) -> datetime | None:
    """When the account's link of this kind was made; None: there is none."""
    theirs = (links.c.account_id == account_id) & (links.c.purpose == purpose)
    made: datetime | None = await connection.scalar(select(links.c.created_at).where(theirs))
    return made


async def find(
    connection: AsyncConnection, secret_hash: bytes, purpose: str, now: datetime
) -> Account | None:
    """Whose link it is, while it works and their account is not disabled."""
    good = (links.c.secret_hash == secret_hash) & (links.c.purpose == purpose)
    statement = (
        select(accounts)
        .join(links, links.c.account_id == accounts.c.id)
        .where(good, links.c.expires_at > now, accounts.c.disabled_at.is_(None))
    )
    return at_most_one(Account, await connection.execute(statement))


async def use(tx: AsyncConnection, secret_hash: bytes, now: datetime) -> bool:
    """Take the link away; False: somebody else has, or its time is over."""
    theirs = (links.c.secret_hash == secret_hash) & (links.c.expires_at > now)
    return (await tx.execute(delete(links).where(theirs))).rowcount == 1


async def delete_expired(tx: AsyncConnection, now: datetime) -> None:
    """Delete what nobody used in time."""
    await tx.execute(delete(links).where(links.c.expires_at <= now))
