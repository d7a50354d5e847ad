"""Transactions, schema versions, and how the file lies on the disk."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import StatementError

from storage import nodes
from storage.database import Database, Room
from storage.errors import SchemaError
from storage.schema import keystore as keystore_tables
from storage.schema import main as main_tables
from storage.schema import nodes as node_rows

NOW = datetime(2026, 3, 1, 8, 0, 0, 123456, tzinfo=UTC)


async def ids(database: Database) -> list[str]:
    async with database.reading() as connection:
        return sorted((await connection.execute(select(node_rows.c.id))).scalars())


async def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as tx:
            await nodes.beat(tx, "a", NOW, NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await ids(database) == []


async def test_a_transaction_that_is_cancelled_leaves_nothing(database: Database) -> None:
    inside = asyncio.Event()

    async def work() -> None:
        async with database.transaction() as tx:
            await nodes.beat(tx, "a", NOW, NOW)
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert await ids(database) == []
    async with database.transaction() as tx:
        await nodes.beat(tx, "b", NOW, NOW)


async def test_a_writer_that_is_cancelled_anywhere_keeps_nobody_out(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'kluis.db'}", "main")
    await database.migrate()

    async def write() -> None:
        async with database.transaction() as tx:
            for beat in range(20):
                await nodes.beat(tx, f"node-{beat}", NOW, NOW)
                later = update(node_rows).values(expires_at=NOW).returning(node_rows.c.id)
                (await tx.execute(later)).first()  # a row is left, and with it the cursor

    other = sqlite3.connect(
        tmp_path / "kluis.db", isolation_level=None, timeout=1, check_same_thread=False
    )
    ended: list[BaseException | None] = []  # what they raised keeps their cursors alive
    for number in range(40):
        writer = asyncio.create_task(write())
        await asyncio.sleep(number / 4000)
        writer.cancel()
        ended += await asyncio.gather(writer, return_exceptions=True)
        await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
        other.rollback()
    other.close()
    await database.close()
    assert any(isinstance(one, asyncio.CancelledError) for one in ended)


async def test_what_is_written_while_reading_is_rolled_back(database: Database) -> None:
    async with database.reading() as connection:
        await nodes.beat(connection, "a", NOW, NOW)

    assert await ids(database) == []


async def test_a_reader_sees_one_state_however_long_it_reads(database: Database) -> None:
    async with database.reading() as connection:
        before = (await connection.execute(select(node_rows.c.id))).all()
        async with database.transaction() as tx:
            await nodes.beat(tx, "a", NOW, NOW)
        after = (await connection.execute(select(node_rows.c.id))).all()

    assert before == after == []
    assert await ids(database) == ["a"]


async def test_many_writers_at_one_moment_all_get_their_turn(database: Database) -> None:
    async def write(number: int) -> None:
        async with database.transaction() as tx:
            await nodes.beat(tx, f"node-{number:02d}", NOW, NOW)

    await asyncio.gather(*map(write, range(30)))
    assert len(await ids(database)) == 30


async def test_a_moment_comes_back_to_the_microsecond_in_utc(database: Database) -> None:
    elsewhere = timezone(timedelta(hours=5, minutes=30))
    async with database.transaction() as tx:
        await nodes.beat(tx, "a", NOW.astimezone(elsewhere), datetime(1969, 7, 20, tzinfo=UTC))
    async with database.reading() as connection:
        row = (await connection.execute(select(node_rows))).one()

    assert (row.started_at, row.started_at.tzinfo) == (NOW, UTC)
    assert row.expires_at == datetime(1969, 7, 20, tzinfo=UTC)


async def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError):
        async with database.transaction() as tx:
            await nodes.beat(tx, "a", NOW.replace(tzinfo=None), NOW)


@pytest.mark.parametrize("room", ["main", "keystore"])
async def test_the_migrations_make_the_tables_that_the_program_uses(
    fresh_url: Callable[[Room], str], room: Room
) -> None:
    database = Database(fresh_url(room), room)
    await database.check_schema()
    await database.migrate()  # once more does no harm
    tables = {"main": main_tables, "keystore": keystore_tables}[room]
    async with database.reading() as connection:
        for table in tables.sorted_tables:
            await connection.execute(select(table))
    await database.close()


async def test_a_database_of_another_version_is_refused(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match="9999"):
        await database.check_schema()


async def test_an_error_never_quotes_what_was_to_be_written(database: Database) -> None:
    with pytest.raises(Exception, match="nodes") as caught:
        async with database.transaction() as tx:
            await tx.execute(
                text("INSERT INTO nodes (id) VALUES (:secret)"), {"secret": "Wilhelmina"}
            )

    assert "Wilhelmina" not in str(caught.value)


async def test_a_new_sqlite_file_is_for_its_owner_alone_and_durable(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    database = Database(f"sqlite+aiosqlite:///{path}", "main")
    await database.migrate()
    async with database.reading() as connection:
        pragmas = {
            name: await connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
        beside = [file.stat().st_mode & 0o777 for file in tmp_path.iterdir()]
    await database.close()

    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
    }
    assert set(beside) == {0o600}
