"""Giving a case another key, so that its old one can be punctured while the case goes on.

A single file is erased, or an identity corrected, by leaving it behind under the old key: all else
is sealed again, and its file keys wrapped again, under the other one. The order, and what a crash
leaves:

1. the other key, and the file keys under it, in one transaction of the keystore
                                    a key that no case names: the sweep
2. every record sealed anew, the case's row with the name of the other key, and the request to
   puncture the old one, in one transaction of the main database
                                    done; the old key is taken away by whoever carries that out

Before 2 everybody opens the old key, after it the other one. Whoever sealed something under the
old one meanwhile is refused under the case's row lock, and tries again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.grants import Grant
from gateway.errors import CaseFrozenError, NotFoundError, UnavailableError
from gateway.privacy.casekeys import CaseKeys, OpenCase
from keys.errors import UnsealError
from storage import accounts, cases, files
from storage.cases import Case
from storage.database import Database
from storage.files import File

TRIES = 5  # a file accepted, or another key given, in the very moment; several in a row are not


@dataclass(frozen=True, slots=True)
class Renewal:
    """A case under its row lock that gets another key in this transaction."""

    case: Case
    old: OpenCase
    new: OpenCase


Result = TypeVar("Result")
Change = Callable[[AsyncConnection, Renewal], Awaitable[Result]]


class _MovedOnError(Exception):
    """The case is not as it was when its other key was made."""


class Rekey:
    """Gives cases another key."""

    def __init__(self, main: Database, keys: CaseKeys) -> None:
        """Records lie in `main`; `keys` makes the key."""
        self._main = main
        self._keys = keys

    async def renew(self, grant: Grant, change: Change[Result], *leave: str) -> Result:
        """Give the Grant's case another key, and change it in the same transaction.

        Args:
            grant: For the act that needs it.
            change: Called last, before the commit. It writes or deletes what was left.
            leave: Names of the case's records, and ids of files with their records and keys, that
                are left behind. What was sealed anew but for a moment would stay in a
                database's journal, under a key that lives.

        Returns:
            What `change` returns.

        Raises:
            IntegrityFailedError: The case does not open as it is; logged.
            CaseFrozenError: It is being erased.
            UnavailableError: It changes too fast; nothing happened.
        """
        for _ in range(TRIES):
            async with self._main.reading() as connection:
                case = await cases.get(connection, grant.case.id)
                rows = await files.of_case(connection, grant.case.id)
            if case is None:
                raise NotFoundError
            old = await self._keys.open_case(replace(grant, subject=case))
            blob_ids = _blobs_of(rows, leave)
            new = await self._keys.renew(old, blob_ids)
            try:
                async with self._main.transaction() as tx:
                    locked = await _locked(tx, old, blob_ids, leave)
                    if not await self._keys.is_there(new):
                        # Taken for one that nobody finishes (privacy/evidence.py).
                        raise _MovedOnError
                    renewal = Renewal(locked, old, new)
                    await _reseal(tx, renewal, leave)
                    return await change(tx, renewal)
            except _MovedOnError:
                continue
        raise UnavailableError


async def _locked(
    tx: AsyncConnection, old: OpenCase, blob_ids: Collection[str], leave: Collection[str]
) -> Case:
    # First, as everybody who takes both: `change` may want it (Patients.correct).
    await accounts.lock_controller(tx, old.controller_id)
    case = await cases.lock(tx, old.id)
    if case is None or case.frozen_at is not None:
        raise CaseFrozenError
    living = _blobs_of(await files.of_case(tx, old.id), leave)
    if case.key_id != old.key_id or not living <= set(blob_ids):
        raise _MovedOnError
    return case


def _blobs_of(rows: Sequence[File], leave: Collection[str]) -> set[str]:
    return {row.blob_id for row in rows if row.blob_id is not None and row.id not in leave}


async def _reseal(tx: AsyncConnection, renewal: Renewal, leave: Collection[str]) -> None:
    case, records = renewal.case, ("identity", "notes", "brief")
    resealed = {
        f"sealed_{name}": _resealed(renewal, name, getattr(case, f"sealed_{name}"))
        for name in records
        if name not in leave
    }
    await cases.change(tx, case.id, key_id=renewal.new.key_id, **resealed)
    for row in await files.of_case(tx, case.id):
        if row.id not in leave:
            await _reseal_file(tx, renewal, row)


async def _reseal_file(tx: AsyncConnection, renewal: Renewal, row: File) -> None:
    name = _resealed(renewal, f"name/{row.id}", row.sealed_name)
    verdict = _resealed(renewal, f"verdict/{row.id}", row.sealed_verdict)
    await files.change(tx, row.id, sealed_name=name, sealed_verdict=verdict)
    picture = await files.thumbnail_of(tx, row.id)
    if (resealed := _resealed(renewal, f"thumbnail/{row.id}", picture)) is not None:
        await files.change_thumbnail(tx, row.id, resealed)


def _resealed(renewal: Renewal, name: str, sealed: bytes | None) -> bytes | None:
    """The record under the other key.

    One that does not open stays as it is: whoever looks at it is told, and it is logged then.
    """
    if sealed is None:
        return None
    try:
        return renewal.new.seal(name, renewal.old.unseal(name, sealed))
    except UnsealError:
        return sealed
