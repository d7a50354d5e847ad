"""A log of a thousand entries, altered in every way that its database allows: all of it is found.

The first bad index is named wherever the log itself tells it. What only a memory outside the
database can tell (a roll-back of everything, a second history) is asked of that memory.
"""

from __future__ import annotations

import asyncio
import hmac
import random
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.accesslog.checkpoint import Checkpoint, Head, open_checkpoint
from storage.accesslog.event import commitment
from storage.accesslog.verify import Verification, verify
from storage.database import Database
from storage.schema import checkpoints, events, log_entries
from tests.storage.accesslog.log_ground import ORIGIN, Ground, NoteKey, event
from tests.storage.accesslog.tampering import (
    Tamper,
    delete_entry,
    delete_event,
    retile,
    swap_contents,
    swap_events,
    truncate,
    unsequence,
    value,
)

SIZE = 1000
SIGNED = (200, 600, SIZE)  # sizes under a checkpoint
BITS = 8
SAMPLE = tuple(sorted(random.Random(1117).sample(range(3, SIZE - 3), 50)))


@dataclass(frozen=True)
class Log:
    """A signed log as files, to be copied and altered."""

    path: Path
    head: Head
    key: NoteKey


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Log:
    """A thousand entries of two controllers and the processor, under three checkpoints."""
    return asyncio.run(_sign(tmp_path_factory, migrated_sqlite))


async def _sign(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Log:
    directory = tmp_path_factory.mktemp("log")
    path = directory / "log.db"
    shutil.copyfile(migrated_sqlite / "main.db", path)
    ground = Ground(Database(f"sqlite+aiosqlite:///{path}", "main"), directory)
    sequencer, start = ground.sequencer(), 0
    for size in SIGNED:
        owners = ("a", "b", None)
        await ground.write([event(at, owners[at % 3]) for at in range(start, size)])
        await sequencer.step()
        start = size
    async with ground.database.engine.connect() as connection:
        await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    await ground.database.close()
    head = Head.read(ground.head_path)
    assert head is not None
    return Log(path, head, ground.key)


@asynccontextmanager
async def copied(log: Log, directory: Path) -> AsyncIterator[Database]:
    path = directory / "copy.db"
    for old in directory.glob("copy.db*"):
        old.unlink()
    shutil.copyfile(log.path, path)
    database = Database(f"sqlite+aiosqlite:///{path}", "main")
    try:
        yield database
    finally:
        await database.close()


async def check(log: Log, database: Database, head: Head | None = None) -> Verification:
    return await verify(database, log.key.open, head or log.head)


async def after(log: Log, directory: Path, tamper: Tamper, index: int) -> Verification:
    async with copied(log, directory) as database:
        async with database.transaction() as tx:
            await tamper(tx, index)
        return await check(log, database)


def flipped(whole: bytes, bit: int) -> bytes:
    at, of = divmod(bit, BITS)
    return whole[:at] + bytes([whole[at] ^ (1 << of)]) + whole[at + 1 :]


async def test_the_log_was_right_before(signed: Log, tmp_path: Path) -> None:
    async with copied(signed, tmp_path) as database:
        found = await check(signed, database)

    assert (found.ok, found.size) == (True, SIZE)


@pytest.mark.parametrize("index", SAMPLE)
async def test_no_bit_of_an_entry_can_be_flipped(signed: Log, index: int, tmp_path: Path) -> None:
    """Record, salt and commitment: what one bit changes, the tree no longer holds."""
    async with copied(signed, tmp_path) as database, database.reading() as connection:
        record: str = await value(connection, events.c.record, index)
        salt: bytes = await value(connection, events.c.salt, index)
        entry: bytes = await value(connection, log_entries.c.commitment, index)
    found = set()
    for bit in range(len(record.encode()) * BITS):
        found.add(hmac.digest(salt, flipped(record.encode(), bit), "sha256") == entry)
    for bit in range(len(salt) * BITS):
        found.add(commitment(flipped(salt, bit), record) == entry)
    assert found == {False}


async def _flip(tx: AsyncConnection, column: Any, index: int, bit: int) -> None:
    whole: bytes | str = await value(tx, column, index)
    if isinstance(whole, str):
        altered: bytes | str = flipped(whole.encode(), bit).decode("utf-8", "replace")
    else:
        altered = flipped(whole, bit)
    await tx.execute(
        update(column.table).where(column.table.c.index == index).values({column.name: altered})
    )


@pytest.mark.parametrize("index", SAMPLE)
@pytest.mark.parametrize("column", [events.c.record, events.c.salt, log_entries.c.commitment])
async def test_a_flipped_bit_in_the_database_is_found_and_its_index_named(
    signed: Log, column: Any, index: int, tmp_path: Path
) -> None:
    bit = random.Random(index).randrange(32 * BITS - 8)

    async def flip(tx: AsyncConnection, at: int) -> None:
        await _flip(tx, column, at, bit)

    found = await after(signed, tmp_path, flip, index)

    assert (found.ok, found.wrong_index) == (False, index)


@pytest.mark.parametrize("index", SAMPLE[::5])
@pytest.mark.parametrize(
    "tamper", [delete_event, delete_entry, unsequence, swap_events, swap_contents]
)
async def test_what_was_deleted_withheld_or_swapped_is_found_and_named(
    signed: Log, tamper: Tamper, index: int, tmp_path: Path
) -> None:
    found = await after(signed, tmp_path, tamper, index)

    assert (found.ok, found.wrong_index) == (False, index)


@pytest.mark.parametrize("index", SAMPLE[::5])
async def test_an_inserted_and_a_duplicated_entry_are_found_and_named(
    signed: Log, index: int, tmp_path: Path
) -> None:
    async def insert_one(tx: AsyncConnection, at: int) -> None:
        """Make room behind the signed ones' backs, and put a copy of an entry there."""
        row = (await tx.execute(select(events).where(events.c.index == at))).one()
        for table in (events, log_entries):
            # By way of negative places: a place is unique at every moment.
            moved = update(table).where(table.c.index >= at).values(index=-table.c.index - 1)
            await tx.execute(moved)
            await tx.execute(update(table).where(table.c.index < 0).values(index=-table.c.index))
        copy = {**row._asdict(), "id": f"{row.id}-again"}
        await tx.execute(insert(events), [copy])
        entry = commitment(row.salt, row.record)
        await tx.execute(insert(log_entries).values(index=at, commitment=entry))

    found = await after(signed, tmp_path, insert_one, index)

    assert found.ok is False
    # The copy is as right as what it copies but for its columns: the first lie is at its place.
    assert found.wrong_index == index


@pytest.mark.parametrize("size", [1, 199, 200, 599, 600, 998, 999])
async def test_a_truncated_log_is_found_and_named_by_the_head(
    signed: Log, size: int, tmp_path: Path
) -> None:
    found = await after(signed, tmp_path, truncate, size)

    assert (found.ok, found.wrong_index) == (False, size)


@pytest.mark.parametrize("index", SAMPLE[::5])
async def test_a_log_chained_anew_without_the_key_is_found(
    signed: Log, index: int, tmp_path: Path
) -> None:
    """Record, commitment and every tile are changed to agree; the signed roots do not."""

    async def rewrite(tx: AsyncConnection, at: int) -> None:
        record: str = await value(tx, events.c.record, at)
        salt: bytes = await value(tx, events.c.salt, at)
        lie = record.replace('"R"', '"D"')
        await tx.execute(update(events).where(events.c.index == at).values(record=lie))
        await tx.execute(
            update(log_entries)
            .where(log_entries.c.index == at)
            .values(commitment=commitment(salt, lie))
        )
        await retile(tx)

    found = await after(signed, tmp_path, rewrite, index)

    # Only a signature tells, so what is named is the first entry that no right one covers.
    assert found.ok is False
    assert found.wrong_index == max((size for size in (0, *SIGNED) if size <= index), default=0)


@pytest.mark.parametrize("index", SAMPLE[::5])
async def test_an_event_withheld_from_its_controller_is_a_gap_in_its_numbers(
    signed: Log, index: int, tmp_path: Path
) -> None:
    """Its controller sees its own numbers alone, and needs no tree to miss one."""
    async with copied(signed, tmp_path) as database:
        async with database.transaction() as tx:
            owner = await value(tx, events.c.controller_id, index)
            withheld = await value(tx, events.c.number, index)
            await tx.execute(
                update(events).where(events.c.index == index).values(controller_id="elsewhere")
            )
        async with database.reading() as connection:
            shown = await connection.scalars(
                select(events.c.number)
                .where(events.c.controller_id == owner)
                .order_by(events.c.number)
            )
            numbers: Sequence[int | None] = shown.all()
        found = await check(signed, database)

    gap = next(due for due, number in enumerate(numbers, 1) if number != due)
    assert gap == withheld
    assert (found.ok, found.wrong_index) == (False, index)


async def test_a_whole_database_that_was_rolled_back_is_found_by_what_was_kept(
    signed: Log, tmp_path: Path
) -> None:
    """Everything in the database agrees with everything else. The head outside does not."""
    async with copied(signed, tmp_path) as database:
        async with database.transaction() as tx:
            await truncate(tx, SIGNED[1])
        alone = await verify(database, signed.key.open, None)
        found = await check(signed, database)

    assert alone.ok, "by itself a rolled-back log is whole: this is what cannot be found"
    assert (found.ok, found.wrong_index) == (False, SIGNED[1])


async def test_two_histories_under_one_key_are_found_by_comparing_checkpoints(
    signed: Log, tmp_path: Path
) -> None:
    """Each is whole, and signed by the true key; side by side they contradict each other."""
    async with copied(signed, tmp_path) as database:
        async with database.transaction() as tx:
            salt: bytes = await value(tx, events.c.salt, SIZE - 1)
            record: str = await value(tx, events.c.record, SIZE - 1)
            lie = record.replace('"R"', '"D"')
            await tx.execute(update(events).where(events.c.index == SIZE - 1).values(record=lie))
            await tx.execute(
                update(log_entries)
                .where(log_entries.c.index == SIZE - 1)
                .values(commitment=commitment(salt, lie))
            )
            root = await retile(tx)
            note = signed.key.sign(Checkpoint(ORIGIN, SIZE, root).text())
            await tx.execute(delete(checkpoints).where(checkpoints.c.size == SIZE))
            at = await tx.scalar(select(func.max(checkpoints.c.signed_at)))
            await tx.execute(
                insert(checkpoints).values(size=SIZE, root=root, note=note, signed_at=at)
            )
        there = await check(signed, database, Head(SIZE, root, note))
        here = await check(signed, database)

    assert there.ok, "who sees one history alone cannot tell"
    one, other = (open_checkpoint(each, signed.key.open) for each in (note, signed.head.note))
    assert one.size == other.size
    assert one.root != other.root
    # The database's own checkpoint covers every entry: what is wrong comes with the head.
    assert (here.ok, here.wrong_index) == (False, SIZE)
