"""Deleting records whose legal term ended, so that no proof breaks and no byte of them is left.

What goes is the record, its salt and its case; what stays is the commitment in the tree, which
says nothing without the salt, and the running number. Only what a checkpoint covers is pruned.
"""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import datetime

from sqlalchemy import func, null, select, text, update

from storage.database import Database, prepare_sqlite
from storage.schema import checkpoints, events

BATCH = 500  # records in one transaction; appenders wait as long on SQLite


async def prune(database: Database, before: datetime) -> int:
    """Delete every record of an event that is older; how many there were.

    A crash leaves some of them for the next time.
    """
    pruned = 0
    while True:
        async with database.transaction() as tx:
            covered = await tx.scalar(select(func.max(checkpoints.c.size))) or 0
            due = (
                select(events.c.id)
                .where(events.c.at < before, events.c.index < covered, events.c.record.is_not(None))
                .order_by(events.c.index)
                .limit(BATCH)
            )
            result = await tx.execute(
                update(events)
                .where(events.c.id.in_(due.scalar_subquery()))
                .values(record=null(), salt=null(), case_id=null())
            )
        pruned += result.rowcount
        if result.rowcount < BATCH:
            return pruned


async def scrub(database: Database) -> None:
    """Write the database anew without what was deleted, which stays in free pages otherwise.

    Raises:
        TimeoutError: Somebody reads from SQLite's write-ahead log all the time; it still holds
            what was deleted. Try again.
    """
    if not database.is_sqlite:
        async with database.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(text("VACUUM (FULL) events"))
        return
    async with database.alone():
        await asyncio.to_thread(_rewrite, database.url.database or "")


def _rewrite(path: str) -> None:
    connection = sqlite3.connect(path)
    try:
        prepare_sqlite(connection)
        connection.execute("VACUUM")
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.close()
    if busy:
        raise TimeoutError("the write-ahead log could not be emptied")
