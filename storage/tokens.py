"""Bearer tokens: rows in, frozen rows out. A secret arrives hashed; a row opens nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.rows import at_most_one, every
from storage.schema import tokens


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token of an account. `scope` is JSON of what it is limited to (gateway/access)."""

    id: str
    secret_hash: bytes = field(repr=False)
    account_id: str
    name: str
    scope: str
    created_at: datetime
    expires_at: datetime | None = None
    used_at: datetime | None = None
    revoked_at: datetime | None = None


async def add(tx: AsyncConnection, token: Token) -> None:
    """Insert a token."""
    await tx.execute(insert(tokens).values(asdict(token)))


async def find(connection: AsyncConnection, secret_hash: bytes) -> Token | None:
    """The token of this secret, or None."""
    rows = await connection.execute(select(tokens).where(tokens.c.secret_hash == secret_hash))
    return at_most_one(Token, rows)


async def running(connection: AsyncConnection, account_id: str, at: datetime) -> Sequence[Token]:
    """The tokens of an account that are good at this moment, newest first."""
    good = select(tokens).where(
        tokens.c.account_id == account_id,
        tokens.c.revoked_at.is_(None),
        tokens.c.expires_at.is_(None) | (tokens.c.expires_at > at),
    )
    order = (tokens.c.created_at.desc(), tokens.c.id.desc())
    return every(Token, await connection.execute(good.order_by(*order)))


async def touch(tx: AsyncConnection, token_id: str, at: datetime) -> None:
    """Note that a token was used."""
    await tx.execute(update(tokens).where(tokens.c.id == token_id).values(used_at=at))


async def revoke(
    tx: AsyncConnection, account_id: str, at: datetime, token_id: str | None = None
) -> int:
    """Revoke one token of an account, or all that are still good; how many."""
    statement = update(tokens).where(
        tokens.c.account_id == account_id, tokens.c.revoked_at.is_(None)
    )
    if token_id is not None:
        statement = statement.where(tokens.c.id == token_id)
    return (await tx.execute(statement.values(revoked_at=at))).rowcount


async def forget_names(tx: AsyncConnection, account_id: str) -> None:
    """Take away what the owner called the tokens of an account; idempotent."""
    await tx.execute(update(tokens).where(tokens.c.account_id == account_id).values(name=""))
