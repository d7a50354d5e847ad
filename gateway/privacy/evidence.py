"""Taking the keys that must open nothing out of the keystore, before their puncture begins.

The puncture then moves everything that is there, and knows nothing of erasures. What is taken is
kept, wrapped as it was, as the evidence of the self-test. Beside the key of an erasure itself these
are the keys that a correction made and never finished: they may wrap what is to be gone.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.ids import now
from gateway.privacy.puncture import Transaction
from keys.context import Purpose
from storage import cases, erasures, keystore
from storage.cases import Case
from storage.database import Database
from storage.erasures import Erasure
from storage.keystore import WrappedKey


class _CameInBetweenError(Exception):
    """A key that must go was stored since the evidence was written."""


class Evidence:
    """Takes and keeps it."""

    def __init__(self, main: Database, key_database: Database) -> None:
        """Kept in the rows of `main`, taken out of `key_database`."""
        self._main = main
        self._keystore = key_database

    async def take(self, transaction: Transaction, erasure: Erasure) -> None:
        """Take it; what a crash leaves half taken, the next call takes.

        Args:
            transaction: Begins a transaction in which it is still this node's turn.
            erasure: In the step `frozen`, its puncture not begun.
        """
        taken = False
        while not taken:
            async with self._main.reading() as connection:
                case = await cases.get(connection, erasure.case_id or "")
                spared = await _spared(connection, erasure, case)
            async with self._keystore.reading() as connection:
                rows = await _doomed(connection, erasure, spared)
            if rows:  # else taken before; or there never was a key: nothing can open
                async with transaction() as tx:
                    await erasures.change(tx, erasure.id, evidence=_written(rows))
            with suppress(_CameInBetweenError):
                await self._remove(transaction, erasure, rows)
                taken = True

    async def _remove(
        self, transaction: Transaction, erasure: Erasure, rows: Sequence[WrappedKey]
    ) -> None:
        async with transaction() as tx:
            # Under its row lock a case gets no other key, so none that it gets is taken from it.
            case = await cases.lock(tx, erasure.case_id or "")
            spared = await _spared(tx, erasure, case)
            async with self._keystore.transaction() as keys:
                for row in rows:
                    if row.object_id not in spared:
                        await keystore.remove(keys, row.purpose, row.object_id)
                if await _doomed(keys, erasure, spared):
                    raise _CameInBetweenError
                if erasure.kind == "case":
                    # A back-up of the keystore that lacks the keys says why.
                    case_id = erasure.case_id or ""
                    await keystore.enter_in_ledger(keys, case_id, erasure.controller_id, now())


async def _spared(
    connection: AsyncConnection, erasure: Erasure, case: Case | None
) -> frozenset[str]:
    """Keys of the case that are not this erasure's to take: its present one, and others' own."""
    if case is None or erasure.kind == "case":
        return frozenset()
    left = await erasures.keys_left_behind(connection, case.id)
    return (left - {erasure.key_id or ""}) | {case.key_id}


async def _doomed(
    connection: AsyncConnection, erasure: Erasure, spared: frozenset[str]
) -> Sequence[WrappedKey]:
    if erasure.kind == "client":
        row = await keystore.get(connection, Purpose.INDEX_KEY, erasure.key_id or "")
        return [] if row is None else [row]
    rows = await keystore.of_case(connection, erasure.case_id or "")
    if erasure.kind == "case":
        return rows
    return [row for row in rows if row.purpose == Purpose.CASE_KEY and row.object_id not in spared]


def _written(rows: Sequence[WrappedKey]) -> str:
    return json.dumps(
        [
            {
                "purpose": row.purpose,
                "object": row.object_id,
                "version": row.version,
                "wrapped": base64.b64encode(row.wrapped).decode(),
            }
            for row in rows
        ]
    )
