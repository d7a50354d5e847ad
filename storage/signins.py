"""Sign-ins that wait for a second factor or a passkey: a few minutes and a few tries each."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.rows import at_most_one
from storage.schema import sign_ins


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """A sign-in under way; its ticket is known here only by its hash.

    Attributes:
        account_id: Whose; None as long as nobody has said who they are (passkeys).
        proof: What they proved already, or None.
        provider_session: The sign-on provider's name of its session, or None.
        issuer: Who vouches for `subject`, where it is to be linked once this is complete.
        subject: Who it is to the issuer.
        role: What the provider's groups make of them once this is complete; None: no change.
    """

    secret_hash: bytes = field(repr=False)
    account_id: str | None
    proof: str | None
    created_at: datetime
    expires_at: datetime
    attempts: int = 0
    provider_session: str | None = None
    issuer: str | None = None
    subject: str | None = None
    role: str | None = None


async def add(tx: AsyncConnection, pending: PendingSignIn) -> None:
    """Insert a sign-in."""
    await tx.execute(insert(sign_ins).values(asdict(pending)))


async def get(
    connection: AsyncConnection, secret_hash: bytes, at: datetime
) -> PendingSignIn | None:
    """The sign-in, and no try is counted; None if it is unknown or over."""
    known = select(sign_ins).where(
        sign_ins.c.secret_hash == secret_hash, sign_ins.c.expires_at > at
    )
    return at_most_one(PendingSignIn, await connection.execute(known))


async def take(
    tx: AsyncConnection, secret_hash: bytes, at: datetime, limit: int
) -> PendingSignIn | None:
    """Count one try, and give the sign-in; None if it is unknown, over, or had all its tries."""
    counted = (
        update(sign_ins)
        .where(
            sign_ins.c.secret_hash == secret_hash,
            sign_ins.c.expires_at > at,
            sign_ins.c.attempts < limit,
        )
        .values(attempts=sign_ins.c.attempts + 1)
    )
    if (await tx.execute(counted)).rowcount == 0:
        return None
    rows = await tx.execute(select(sign_ins).where(sign_ins.c.secret_hash == secret_hash))
    return at_most_one(PendingSignIn, rows)


async def end(tx: AsyncConnection, secret_hash: bytes) -> bool:
    """Delete a sign-in; whether it was still there. Of two who end it, one is told yes."""
    gone = await tx.execute(delete(sign_ins).where(sign_ins.c.secret_hash == secret_hash))
    return gone.rowcount == 1


async def end_provider_session(tx: AsyncConnection, provider_session: str) -> None:
    """Delete the sign-ins that began in a session of the sign-on provider."""
    theirs = sign_ins.c.provider_session == provider_session
    await tx.execute(delete(sign_ins).where(theirs))


async def end_subject(tx: AsyncConnection, issuer: str, subject: str) -> None:
    """Delete the sign-ins that are to link a subject; idempotent."""
    theirs = (sign_ins.c.issuer == issuer) & (sign_ins.c.subject == subject)
    await tx.execute(delete(sign_ins).where(theirs))


async def end_all(tx: AsyncConnection, account_id: str) -> None:
    """Delete every sign-in of an account that is under way; idempotent."""
    await tx.execute(delete(sign_ins).where(sign_ins.c.account_id == account_id))


async def delete_expired(tx: AsyncConnection, at: datetime) -> None:
    """Delete what ended by time."""
    await tx.execute(delete(sign_ins).where(sign_ins.c.expires_at <= at))
