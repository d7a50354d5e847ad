"""Wrapped keys, kept in a database of their own so that it is backed up apart.

A wrapped key is opaque bytes here. Case, index and upload keys are wrapped under a version of
their controller's key; file keys under their case key (then `version` is None). While a case is
given another key, its file keys are there twice: under the one and under the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.errors import StaleKeyVersionError
from storage.rows import at_most_one, every, insert_missing
from storage.schema import closed_accounts, controller_versions, erasure_ledger, wrapped_keys


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """One wrapped key and the place it is bound to.

    `version` of the controller's key wraps it; or, where that is None, the case key `under`.
    """

    purpose: str
    object_id: str
    controller_id: str
    case_id: str | None
    version: int | None
    wrapped: bytes = field(repr=False)
    created_at: datetime
    under: str = ""


@dataclass(frozen=True, slots=True)
class ControllerVersion:
    """One version of a controller's key: creating, current, retiring or destroyed."""

    controller_id: str
    version: int
    state: str
    created_at: datetime
    destroyed_at: datetime | None = None


async def record_version(tx: AsyncConnection, version: ControllerVersion) -> None:
    """Note a version before the provider creates it; idempotent."""
    if version.version not in {v.version for v in await versions(tx, version.controller_id)}:
        await tx.execute(insert(controller_versions).values(asdict(version)))


async def make_current(tx: AsyncConnection, controller_id: str, version: int) -> None:
    """From here on keys are written under this version alone; older ones retire. Idempotent.

    Only a version that is being created comes forward. Whoever was held up for so long that the
    key has moved on since changes nothing: a destroyed version is never current again.
    """
    of_controller = controller_versions.c.controller_id == controller_id
    rows = select(controller_versions).where(of_controller).with_for_update()
    known = every(ControllerVersion, await tx.execute(rows))
    if max(known, key=lambda each: each.version) != next(
        (each for each in known if each.version == version and each.state == "creating"), None
    ):
        return
    await tx.execute(
        update(controller_versions)
        .where(of_controller, controller_versions.c.state == "current")
        .values(state="retiring")
    )
    await tx.execute(
        update(controller_versions)
        .where(of_controller, controller_versions.c.version == version)
        .values(state="current")
    )


async def mark_destroyed(
    tx: AsyncConnection, controller_id: str, version: int, at: datetime
) -> None:
    """Note that the provider has destroyed this version."""
    await tx.execute(
        update(controller_versions)
        .where(
            controller_versions.c.controller_id == controller_id,
            controller_versions.c.version == version,
        )
        .values(state="destroyed", destroyed_at=at)
    )


async def versions(connection: AsyncConnection, controller_id: str) -> Sequence[ControllerVersion]:
    """All versions of a controller's key, oldest first."""
    statement = (
        select(controller_versions)
        .where(controller_versions.c.controller_id == controller_id)
        .order_by(controller_versions.c.version)
    )
    return every(ControllerVersion, await connection.execute(statement))


async def all_versions(connection: AsyncConnection) -> Sequence[ControllerVersion]:
    """All versions of every controller's key, oldest first."""
    order = (controller_versions.c.controller_id, controller_versions.c.version)
    rows = await connection.execute(select(controller_versions).order_by(*order))
    return every(ControllerVersion, rows)


async def count_by_version(connection: AsyncConnection) -> Mapping[tuple[str, int], int]:
    """How many keys are wrapped under each controller's each version."""
    place = (wrapped_keys.c.controller_id, wrapped_keys.c.version)
    statement = select(*place, func.count()).where(wrapped_keys.c.version.is_not(None))
    found = await connection.execute(statement.group_by(*place))
    return {(controller_id, version): count for controller_id, version, count in found}


async def current_version(connection: AsyncConnection, controller_id: str) -> int | None:
    """The version that keys are wrapped under now, or None before the first."""
    statement = select(controller_versions.c.version).where(
        controller_versions.c.controller_id == controller_id,
        controller_versions.c.state == "current",
    )
    return (await connection.execute(statement)).scalar_one_or_none()


async def add(tx: AsyncConnection, key: WrappedKey) -> None:
    """Insert a wrapped key.

    Raises:
        StaleKeyVersionError: The controller key moved on since the key was wrapped. The check
            holds a row lock, so no key slips in behind a puncture that counts what is left.
    """
    if key.version is not None:
        await _hold_current(tx, key.controller_id, key.version)
    await tx.execute(insert(wrapped_keys).values(asdict(key)))


async def get(
    connection: AsyncConnection, purpose: str, object_id: str, under: str = ""
) -> WrappedKey | None:
    """One wrapped key, or None."""
    place = _is(purpose, object_id) & (wrapped_keys.c.under == under)
    return at_most_one(WrappedKey, await connection.execute(select(wrapped_keys).where(place)))


async def hold(tx: AsyncConnection, purpose: str, object_id: str) -> bool:
    """Whether a key is there; if so nobody takes it away until the transaction ends."""
    statement = select(wrapped_keys.c.object_id).where(_is(purpose, object_id)).with_for_update()
    return (await tx.execute(statement)).first() is not None


async def under_key(connection: AsyncConnection, key_id: str) -> Sequence[WrappedKey]:
    """The file keys that this case key wraps."""
    statement = select(wrapped_keys).where(wrapped_keys.c.under == key_id)
    return every(WrappedKey, await connection.execute(statement))


async def of_case(connection: AsyncConnection, case_id: str) -> Sequence[WrappedKey]:
    """Every key of a case that a version of its controller's key wraps."""
    statement = select(wrapped_keys).where(
        wrapped_keys.c.case_id == case_id, wrapped_keys.c.version.is_not(None)
    )
    return every(WrappedKey, await connection.execute(statement))


async def under_version(
    connection: AsyncConnection,
    controller_id: str,
    version: int,
    *,
    limit: int,
) -> Sequence[WrappedKey]:
    """Keys still wrapped under this version."""
    statement = (
        select(wrapped_keys)
        .where(wrapped_keys.c.controller_id == controller_id, wrapped_keys.c.version == version)
        .order_by(wrapped_keys.c.purpose, wrapped_keys.c.object_id)
        .limit(limit)
    )
    return every(WrappedKey, await connection.execute(statement))


async def replace(
    tx: AsyncConnection, moved: Sequence[tuple[WrappedKey, bytes]], version: int
) -> None:
    """Put re-wrapped keys of one controller in place of these, but those that changed or went.

    Raises:
        StaleKeyVersionError: `version` is not the current one.
    """
    await _hold_current(tx, moved[0][0].controller_id, version)
    statement = update(wrapped_keys).where(
        wrapped_keys.c.purpose == bindparam("of_purpose"),
        wrapped_keys.c.object_id == bindparam("of_object"),
        wrapped_keys.c.version == bindparam("old_version"),
    )
    rows = [
        {
            "of_purpose": key.purpose,
            "of_object": key.object_id,
            "old_version": key.version,
            "wrapped": wrapped,
            "version": version,
        }
        for key, wrapped in moved
    ]
    await tx.execute(statement, rows)


async def remove(tx: AsyncConnection, purpose: str, object_id: str) -> None:
    """Delete one key, and what it wraps, however often it is wrapped itself; idempotent."""
    there = _is(purpose, object_id) | (wrapped_keys.c.under == object_id)
    await tx.execute(delete(wrapped_keys).where(there))


async def remove_case(tx: AsyncConnection, case_id: str) -> None:
    """Delete every wrapped key of a case; idempotent."""
    await tx.execute(delete(wrapped_keys).where(wrapped_keys.c.case_id == case_id))


async def remove_controller(tx: AsyncConnection, controller_id: str) -> None:
    """Delete every wrapped key of a controller; idempotent."""
    await tx.execute(delete(wrapped_keys).where(wrapped_keys.c.controller_id == controller_id))


async def objects(connection: AsyncConnection, purpose: str, before: datetime) -> Sequence[str]:
    """Ids of all objects with a key of this purpose made before a time, for the sweep."""
    statement = select(wrapped_keys.c.object_id).where(
        wrapped_keys.c.purpose == purpose, wrapped_keys.c.created_at < before
    )
    return list((await connection.execute(statement)).scalars())


async def enter_in_ledger(
    tx: AsyncConnection, case_id: str, controller_id: str, at: datetime
) -> None:
    """Add an erasure to the ledger that a restore replays; idempotent, the first time counts."""
    there = select(erasure_ledger.c.case_id).where(erasure_ledger.c.case_id == case_id)
    if (await tx.execute(there)).one_or_none() is None:
        await tx.execute(
            insert(erasure_ledger).values(
                case_id=case_id,
                controller_id=controller_id,
                erased_at=at,
                certificate_sha256=b"",
            )
        )


async def certify_in_ledger(tx: AsyncConnection, case_id: str, certificate_sha256: bytes) -> None:
    """Add the hash of its certificate's body to an erasure in the ledger."""
    entry = update(erasure_ledger).where(erasure_ledger.c.case_id == case_id)
    await tx.execute(entry.values(certificate_sha256=certificate_sha256))


async def enter_closed(tx: AsyncConnection, closed: Mapping[str, datetime]) -> None:
    """Note which accounts were closed when, for a restore; idempotent, the first time counts."""
    known = await closed_at(tx)
    for account_id in sorted(closed.keys() - known.keys()):
        row = {"account_id": account_id, "closed_at": closed[account_id]}
        await insert_missing(tx, closed_accounts, row)


async def closed_at(connection: AsyncConnection) -> Mapping[str, datetime]:
    """When which account was closed, of all that were."""
    rows = await connection.execute(select(closed_accounts))
    return {row.account_id: row.closed_at for row in rows}


async def _hold_current(tx: AsyncConnection, controller_id: str, version: int) -> None:
    held = (
        select(controller_versions.c.version)
        .where(
            controller_versions.c.controller_id == controller_id,
            controller_versions.c.state == "current",
        )
        .with_for_update()
    )
    if (await tx.execute(held)).scalar_one_or_none() != version:
        raise StaleKeyVersionError(f"version {version} of controller {controller_id}")


def _is(purpose: str, object_id: str) -> ColumnElement[Any]:
    return (wrapped_keys.c.purpose == purpose) & (wrapped_keys.c.object_id == object_id)
