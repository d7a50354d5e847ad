"""Everything that is kept, in pages: for whoever holds the stores against each other.

A page begins behind the last id of the one before; what comes or goes meanwhile may be missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.cases import Case
from storage.keystore import WrappedKey
from storage.rows import every
from storage.schema import (
    accounts,
    cases,
    controller_versions,
    controllers,
    erasure_ledger,
    files,
    subjects,
    wrapped_keys,
)

PAGE = 500


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One erasure in the ledger that a restore replays."""

    case_id: str
    controller_id: str
    erased_at: datetime
    certificate_sha256: bytes


async def case_page(connection: AsyncConnection, after: str) -> Sequence[Case]:
    """The next cases by id."""
    statement = select(cases).where(cases.c.id > after).order_by(cases.c.id).limit(PAGE)
    return every(Case, await connection.execute(statement))


KeyPlace = tuple[str, str, str]


async def key_page(connection: AsyncConnection, after: KeyPlace) -> Sequence[WrappedKey]:
    """The next wrapped keys by purpose, object and the key that wraps them."""
    place = tuple_(wrapped_keys.c.purpose, wrapped_keys.c.object_id, wrapped_keys.c.under)
    statement = select(wrapped_keys).where(place > after).order_by(*place).limit(PAGE)
    return every(WrappedKey, await connection.execute(statement))


async def ledger_page(connection: AsyncConnection, after: str) -> Sequence[LedgerEntry]:
    """The next entries of the ledger by case."""
    table = erasure_ledger
    statement = select(table).where(table.c.case_id > after).order_by(table.c.case_id).limit(PAGE)
    return every(LedgerEntry, await connection.execute(statement))


async def is_in_ledger(connection: AsyncConnection, case_id: str) -> bool:
    """Whether the ledger has an erasure of this case."""
    statement = select(erasure_ledger.c.case_id).where(erasure_ledger.c.case_id == case_id)
    return (await connection.execute(statement)).first() is not None


async def known_controllers(connection: AsyncConnection, ids: Sequence[str]) -> frozenset[str]:
    """Which of these controllers have a row."""
    statement = select(controllers.c.id).where(controllers.c.id.in_(ids))
    return frozenset((await connection.execute(statement)).scalars())


async def open_accounts(connection: AsyncConnection, ids: Sequence[str]) -> frozenset[str]:
    """Which of these accounts there are, and are not closed."""
    statement = select(accounts.c.id).where(accounts.c.id.in_(ids), accounts.c.closed_at.is_(None))
    return frozenset((await connection.execute(statement)).scalars())


async def owners_of_versions(connection: AsyncConnection) -> frozenset[str]:
    """Every controller of whose key the keystore knows a version."""
    statement = select(controller_versions.c.controller_id).distinct()
    return frozenset((await connection.execute(statement)).scalars())


async def subjects_without_a_case(connection: AsyncConnection) -> int:
    """How many data subjects are kept without a reason."""
    theirs = exists().where(cases.c.pseudonym == subjects.c.pseudonym)
    statement = select(func.count()).select_from(subjects).where(~theirs)
    lone: int = (await connection.execute(statement)).scalar_one()
    return lone


async def bytes_in_vault(connection: AsyncConnection) -> int:
    """How large the accepted files are together, unsealed."""
    statement = select(func.coalesce(func.sum(files.c.size), 0)).where(files.c.blob_id.is_not(None))
    size: int = (await connection.execute(statement)).scalar_one()
    return size
