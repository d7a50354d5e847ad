"""Tries that may have to wait: one row per door, shared by every node.

A door is a hash of a kind and a value, such as an address that somebody tries to sign in to; what
the value is stands nowhere here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.rows import every, insert_missing
from storage.schema import accounts, devices, throttles


@dataclass(frozen=True, slots=True)
class Tries:
    """What is known of one door.

    Attributes:
        count: Tries that are not (yet) known to be right.
        until: When the next one may be made.
        network: The hash of the network that they come from, where that is counted.
    """

    key: bytes
    count: int
    first_at: datetime
    last_at: datetime
    until: datetime
    network: bytes | None = None


async def hold(tx: AsyncConnection, keys: Collection[bytes], at: datetime) -> Mapping[bytes, Tries]:
    """The rows of these doors, held until the transaction ends; made where there are none.

    Everybody holds them in one order, so that nobody waits for who waits for them.
    """
    fresh = {"count": 0, "first_at": at, "last_at": at, "until": at, "network": None}
    for key in sorted(keys):
        await insert_missing(tx, throttles, {"key": key, **fresh})
    held = select(throttles).where(throttles.c.key.in_(keys)).order_by(throttles.c.key)
    return {row.key: row for row in every(Tries, await tx.execute(held.with_for_update()))}


async def put(tx: AsyncConnection, tries: Tries) -> None:
    """Write a row that is held."""
    await tx.execute(
        update(throttles)
        .where(throttles.c.key == tries.key)
        .values(
            count=tries.count,
            first_at=tries.first_at,
            last_at=tries.last_at,
            until=tries.until,
            network=tries.network,
        )
    )


async def of_network(connection: AsyncConnection, network: bytes, since: datetime) -> int:
    """How many doors somebody in this network has failed at since then."""
    statement = select(func.count()).where(
        throttles.c.network == network, throttles.c.count > 0, throttles.c.last_at >= since
    )
    return (await connection.execute(statement)).scalar_one()


async def delete_old(tx: AsyncConnection, before: datetime) -> None:
    """Delete doors that nobody tried since then."""
    await tx.execute(
        delete(throttles).where(throttles.c.last_at < before, throttles.c.until < before)
    )


async def knows_device(connection: AsyncConnection, secret_hash: bytes, email: str) -> bool:
    """Whether somebody signed in to the account of this address from this device before."""
    statement = (
        select(devices.c.secret_hash)
        .join(accounts, accounts.c.id == devices.c.account_id)
        .where(devices.c.secret_hash == secret_hash, accounts.c.email == email)
    )
    return (await connection.execute(statement)).first() is not None


async def is_device(
    connection: AsyncConnection, secret_hash: bytes, account_id: str | None = None
) -> bool:
    """Whether anybody signed in from this device before, or somebody to this account."""
    statement = select(devices.c.account_id).where(devices.c.secret_hash == secret_hash)
    if account_id is not None:
        statement = statement.where(devices.c.account_id == account_id)
    return (await connection.execute(statement.limit(1))).first() is not None


async def has_devices(connection: AsyncConnection, account_id: str) -> bool:
    """Whether any device of an account is known."""
    theirs = select(devices.c.secret_hash).where(devices.c.account_id == account_id)
    return (await connection.execute(theirs.limit(1))).first() is not None


async def note_device(
    tx: AsyncConnection, secret_hash: bytes, account_id: str, at: datetime
) -> bool:
    """Note that somebody signed in from this device; whether they had not before."""
    theirs = (devices.c.secret_hash == secret_hash) & (devices.c.account_id == account_id)
    if (await tx.execute(update(devices).where(theirs).values(seen_at=at))).rowcount:
        return False
    row = {"secret_hash": secret_hash, "account_id": account_id, "seen_at": at}
    await tx.execute(insert(devices).values(row))
    return True


async def delete_devices(tx: AsyncConnection, before: datetime) -> None:
    """Delete devices that nobody signed in from since then."""
    await tx.execute(delete(devices).where(devices.c.seen_at < before))


async def forget_devices(tx: AsyncConnection, account_id: str) -> None:
    """Delete the devices of an account; idempotent."""
    await tx.execute(delete(devices).where(devices.c.account_id == account_id))
