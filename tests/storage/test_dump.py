"""A dump: every row of both databases, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    LargeBinary,
    Table,
    Text,
    insert,
    select,
)

from storage.database import Database, Room
from storage.dump import LEFT_OUT, METADATA, decoded, dump, encoded, load, read_head, tables
from storage.errors import DumpFormatError
from storage.schema import EPOCH, Instant, accounts, controllers, sessions, wrapped_keys

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
VALUES: dict[type, st.SearchStrategy[Any]] = {
    Text: TEXT,
    Boolean: st.booleans(),
    Integer: st.integers(-(2**31), 2**31 - 1),
    BigInteger: st.integers(-(2**63), 2**63 - 1),
    LargeBinary: st.binary(max_size=100),
    Instant: st.integers(0, 2**52).map(lambda us: EPOCH + timedelta(microseconds=us)),
}
ALL = [table for room in METADATA.values() for table in room.sorted_tables]


def of(column: Column[Any]) -> st.SearchStrategy[Any]:
    value = VALUES[type(column.type)]
    return st.none() | value if column.nullable else value


@pytest.mark.parametrize("table", ALL, ids=lambda table: str(table.name))
@given(st.data())
def test_every_column_of_every_table_comes_back_as_it_was(
    table: Table, data: st.DataObject
) -> None:
    row: Any = tuple(data.draw(of(column)) for column in table.columns)
    names = [column.name for column in table.columns]

    line = json.loads(json.dumps(encoded(table, row)))

    assert tuple(decoded(table, names, line).values()) == row


async def lines_of(database: Database) -> list[bytes]:
    async with database.reading() as connection:
        return [line async for line in dump(database, connection, NOW, but_purpose="upload-key")]


async def given_back(lines: Iterable[bytes]) -> AsyncIterator[bytes]:
    for line in lines:
        yield line


EMPTY: dict[type, Any] = {
    Text: "",
    Boolean: False,
    Integer: 0,
    BigInteger: 0,
    LargeBinary: b"",
    Instant: NOW,
}


def row_of(table: Table, **values: object) -> dict[str, object]:
    """A row with these values; whatever else must not be null is empty."""
    needed = [column for column in table.columns if not column.nullable]
    return {column.name: EMPTY[type(column.type)] for column in needed} | values


async def fill(database: Database, people: int = 3) -> None:
    async with database.transaction() as tx:
        await tx.execute(insert(controllers), [row_of(controllers, id="p", name="ünïcode")])
        rows = [
            row_of(accounts, id=f"a{number}", email=f"{number}@x.invalid", controller_id="p")
            for number in range(people)
        ]
        await tx.execute(insert(accounts), rows)


async def test_a_dump_loads_into_another_database(
    database: Database, fresh_url: Callable[[Room], str]
) -> None:
    await fill(database, people=1200)
    lines = await lines_of(database)
    other = Database(fresh_url("main"), "main")

    async with other.transaction() as tx:
        head = await load(tx, other, given_back(lines))

    assert (head.room, head.at) == ("main", NOW)
    assert await lines_of(other) == lines
    await other.close()


async def test_a_dump_takes_the_place_of_what_was_there(database: Database) -> None:
    await fill(database, people=1)
    lines = await lines_of(database)
    async with database.transaction() as tx:
        await tx.execute(insert(controllers), [row_of(controllers, id="q")])

    async with database.transaction() as tx:
        await load(tx, database, given_back(lines))

    assert await lines_of(database) == lines


async def test_nobody_is_signed_in_after_a_restore(database: Database) -> None:
    await fill(database)
    async with database.transaction() as tx:
        session = row_of(sessions, secret_hash=b"s" * 32, account_id="a0")
        await tx.execute(insert(sessions), [session])

    lines = await lines_of(database)

    named = {json.loads(line)["table"] for line in lines if line.startswith(b'{"table"')}
    assert named == {table.name for table in tables("main")}
    assert not named & LEFT_OUT
    assert not [line for line in lines if b"czs" in line]  # base64 of what the secret hashes to


async def test_upload_keys_are_never_in_a_dump(keystore: Database) -> None:
    async with keystore.transaction() as tx:
        for purpose in ("case-key", "upload-key"):
            row = row_of(wrapped_keys, purpose=purpose, object_id=f"{purpose}-1")
            await tx.execute(insert(wrapped_keys), [row])

    text = b"".join(await lines_of(keystore))

    assert b"case-key-1" in text
    assert b"upload-key" not in text


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: lines[:-1],
        lambda lines: lines[:3] + lines[4:],
        lambda lines: [*lines, lines[-1]],
        lambda lines: lines[1:],
        lambda _: [],
        lambda lines: [lines[0], b'["a row"]\n', *lines[1:]],
        lambda lines: [lines[0], b'{"table":"secrets","columns":[]}\n', *lines[1:]],
        lambda lines: [lines[0], b"not json\n"],
        lambda lines: [lines[0].replace(b'"main"', b'"keystore"'), *lines[1:]],
        lambda lines: [lines[0].replace(b"kluis/dump/1", b"kluis/dump/2"), *lines[1:]],
        lambda lines: [lines[0].replace(b'"schema":"', b'"schema":"9'), *lines[1:]],
    ],
)
async def test_what_is_no_whole_dump_loads_nothing(database: Database, damage: Any) -> None:
    await fill(database)
    lines = await lines_of(database)

    with pytest.raises(DumpFormatError):
        async with database.transaction() as tx:
            await load(tx, database, given_back(damage(lines)))

    assert await lines_of(database) == lines
    async with database.reading() as connection:
        assert await connection.scalar(select(controllers.c.name)) == "ünïcode"


@given(st.binary(max_size=60))
def test_no_bytes_are_taken_for_a_head(raw: bytes) -> None:
    with pytest.raises(DumpFormatError):
        read_head(raw, "main", "0001")
