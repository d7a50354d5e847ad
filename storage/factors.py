"""Second factors of accounts, and their recovery codes: rows in, frozen rows out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Literal

from sqlalchemy import delete, func, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.rows import at_most_one, every
from storage.schema import Instant, factors, recovery_codes

Kind = Literal["totp", "passkey"]


@dataclass(frozen=True, slots=True)
class Factor:
    """One enrolled factor. It counts once it is activated.

    Attributes:
        name: What its owner calls it.
        sealed_secret: Of one-time codes (totp): the shared secret, under the account's key.
        last_step: Of one-time codes: the last step of 30 seconds whose code was taken.
        credential_id: Of passkeys: id of the credential.
        public_key: Of passkeys: COSE key.
        sign_count: Of passkeys: the authenticator's counter.
    """

    id: str
    account_id: str
    kind: Kind
    name: str
    created_at: datetime
    sealed_secret: bytes | None = field(default=None, repr=False)
    last_step: int | None = None
    credential_id: bytes | None = None
    public_key: bytes | None = None
    sign_count: int | None = None
    activated_at: datetime | None = None
    used_at: datetime | None = None


async def add(tx: AsyncConnection, factor: Factor) -> None:
    """Insert a factor."""
    await tx.execute(insert(factors).values(asdict(factor)))


async def of_account(connection: AsyncConnection, account_id: str) -> Sequence[Factor]:
    """All factors of an account, oldest first, those not yet activated too."""
    statement = select(factors).where(factors.c.account_id == account_id)
    return every(Factor, await connection.execute(statement.order_by(factors.c.created_at)))


async def active(connection: AsyncConnection, account_id: str) -> Sequence[Factor]:
    """The factors of an account that count, oldest first."""
    return [it for it in await of_account(connection, account_id) if it.activated_at is not None]


async def with_codes(connection: AsyncConnection, after: str, limit: int) -> Sequence[str]:
    """The next accounts, by id, that have a factor for one-time codes."""
    statement = (
        select(factors.c.account_id)
        .where(factors.c.account_id > after, factors.c.sealed_secret.is_not(None))
        .distinct()
    )
    found = await connection.execute(statement.order_by(factors.c.account_id).limit(limit))
    return list(found.scalars())


async def get(connection: AsyncConnection, account_id: str, factor_id: str) -> Factor | None:
    """One factor of an account, or None."""
    statement = select(factors).where(factors.c.id == factor_id, factors.c.account_id == account_id)
    return at_most_one(Factor, await connection.execute(statement))


async def by_credential(connection: AsyncConnection, credential_id: bytes) -> Factor | None:
    """The passkey of this credential id, or None."""
    statement = select(factors).where(factors.c.credential_id == credential_id)
    return at_most_one(Factor, await connection.execute(statement))


async def take_step(tx: AsyncConnection, factor_id: str, step: int, at: datetime) -> bool:
    """Take the code of a step; whether nobody took it, or a later one, before.

    It is one statement, so of two nodes that check the same code one is told yes. The first code
    activates the factor.
    """
    taken = await tx.execute(
        update(factors)
        .where(
            factors.c.id == factor_id,
            or_(factors.c.last_step.is_(None), factors.c.last_step < step),
        )
        .values(
            last_step=step,
            used_at=at,
            activated_at=func.coalesce(factors.c.activated_at, literal(at, Instant)),
        )
    )
    return taken.rowcount == 1


async def remove_waiting(tx: AsyncConnection, account_id: str) -> None:
    """Delete the factors of an account that were never activated; idempotent."""
    await tx.execute(
        delete(factors).where(factors.c.account_id == account_id, factors.c.activated_at.is_(None))
    )


async def note_use(tx: AsyncConnection, factor_id: str, sign_count: int, at: datetime) -> bool:
    """Note that a passkey signed, and its counter; False if the factor is gone."""
    used = update(factors).where(factors.c.id == factor_id)
    return (await tx.execute(used.values(sign_count=sign_count, used_at=at))).rowcount == 1


async def remove(tx: AsyncConnection, account_id: str, factor_id: str) -> bool:
    """Delete one factor of an account; whether it was there."""
    gone = await tx.execute(
        delete(factors).where(factors.c.id == factor_id, factors.c.account_id == account_id)
    )
    return gone.rowcount == 1


async def remove_all(tx: AsyncConnection, account_id: str) -> None:
    """Delete every factor and recovery code of an account; idempotent."""
    await tx.execute(delete(factors).where(factors.c.account_id == account_id))
    await tx.execute(delete(recovery_codes).where(recovery_codes.c.account_id == account_id))


async def replace_recovery_codes(
    tx: AsyncConnection, account_id: str, hashes: Iterable[bytes]
) -> None:
    """Put new recovery codes in place of all old ones."""
    await tx.execute(delete(recovery_codes).where(recovery_codes.c.account_id == account_id))
    rows = [{"account_id": account_id, "code_hash": it} for it in hashes]
    await tx.execute(insert(recovery_codes).values(rows))


async def take_recovery_code(
    tx: AsyncConnection, account_id: str, code_hash: bytes, at: datetime
) -> bool:
    """Use up a recovery code; whether it was there and unused."""
    used = await tx.execute(
        update(recovery_codes)
        .where(
            recovery_codes.c.account_id == account_id,
            recovery_codes.c.code_hash == code_hash,
            recovery_codes.c.used_at.is_(None),
        )
        .values(used_at=at)
    )
    return used.rowcount == 1


async def used_since(connection: AsyncConnection, account_id: str, at: datetime) -> bool:
    """Whether a factor was used or set up, or a recovery code used, after this moment."""
    theirs = select(factors.c.id).where(
        factors.c.account_id == account_id,
        or_(factors.c.used_at > at, factors.c.activated_at > at),
    )
    codes = select(recovery_codes.c.code_hash).where(
        recovery_codes.c.account_id == account_id, recovery_codes.c.used_at > at
    )
    return (await connection.execute(select(or_(theirs.exists(), codes.exists())))).scalar_one()


async def recovery_codes_left(connection: AsyncConnection, account_id: str) -> int:
    """How many recovery codes of an account are unused."""
    statement = select(func.count()).where(
        recovery_codes.c.account_id == account_id, recovery_codes.c.used_at.is_(None)
    )
    return (await connection.execute(statement.select_from(recovery_codes))).scalar_one()
