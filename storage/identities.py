"""Who a sign-on provider says somebody is: rows in, frozen rows out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.rows import at_most_one, every
from storage.schema import identities, sessions, spent_tokens


@dataclass(frozen=True, slots=True)
class LinkedIdentity:
    """One subject of one issuer, and whose account that is. An account has one of an issuer."""

    issuer: str
    subject: str
    account_id: str
    created_at: datetime


async def find(connection: AsyncConnection, issuer: str, subject: str) -> LinkedIdentity | None:
    """The account of a subject, or None."""
    known = select(identities).where(identities.c.issuer == issuer, identities.c.subject == subject)
    return at_most_one(LinkedIdentity, await connection.execute(known))


async def of_account(connection: AsyncConnection, account_id: str) -> Sequence[LinkedIdentity]:
    """Every identity of an account, oldest first."""
    known = select(identities).where(identities.c.account_id == account_id)
    rows = await connection.execute(known.order_by(identities.c.created_at))
    return every(LinkedIdentity, rows)


async def link(tx: AsyncConnection, identity: LinkedIdentity) -> None:
    """Insert an identity.

    Raises:
        IntegrityError: It is linked already, or the account has another one of the issuer.
    """
    await tx.execute(insert(identities).values(asdict(identity)))


async def unlink(tx: AsyncConnection, account_id: str) -> int:
    """Delete every identity of an account; how many there were."""
    theirs = delete(identities).where(identities.c.account_id == account_id)
    return (await tx.execute(theirs)).rowcount


async def spend(tx: AsyncConnection, digest: bytes, expires_at: datetime, now: datetime) -> bool:
    """Note that a token was obeyed; False if it was before. Forgets those that are too old.

    A False ends the transaction on PostgreSQL: raise.
    """
    await tx.execute(delete(spent_tokens).where(spent_tokens.c.expires_at < now))
    try:
        await tx.execute(insert(spent_tokens).values(digest=digest, expires_at=expires_at))
    except IntegrityError:
        return False
    return True


async def end_sessions(
    tx: AsyncConnection, *, account_id: str | None, provider_session: str | None
) -> int:
    """End sessions that a sign-on began: of an account, of a provider's session, or of both."""
    theirs = delete(sessions).where(sessions.c.proofs.contains("oidc"))
    if account_id is not None:
        theirs = theirs.where(sessions.c.account_id == account_id)
    if provider_session is not None:
        theirs = theirs.where(sessions.c.provider_session == provider_session)
    return (await tx.execute(theirs)).rowcount
