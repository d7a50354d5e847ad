"""Wrapped keys and the versions above them; on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from storage import keystore as keys
from storage.database import Database
from storage.errors import StaleKeyVersionError
from storage.keystore import ControllerVersion, WrappedKey
from storage.schema import erasure_ledger
from tests.storage.first_rows import HOUR, NOW, new_id

CONTROLLER = "practice"


def key(version: int | None = 1, case_id: str | None = "case") -> WrappedKey:
    object_id = new_id("object")
    return WrappedKey("case_key", object_id, CONTROLLER, case_id, version, b"wrapped", NOW)


async def move_to(keystore: Database, version: int) -> None:
    async with keystore.transaction() as tx:
        fresh = ControllerVersion(CONTROLLER, version, "creating", NOW)
        for _ in range(2):
            await keys.record_version(tx, fresh)
        await keys.make_current(tx, CONTROLLER, version)


async def add(keystore: Database, row: WrappedKey) -> None:
    async with keystore.transaction() as tx:
        await keys.add(tx, row)


async def left(keystore: Database, version: int, limit: int = 99) -> list[str]:
    async with keystore.reading() as connection:
        rows = await keys.under_version(connection, CONTROLLER, version, limit=limit)
    return [row.object_id for row in rows]


async def test_a_version_that_was_left_or_destroyed_is_never_current_again(
    keystore: Database,
) -> None:
    for version in (1, 2, 3):
        await move_to(keystore, version)
    async with keystore.transaction() as tx:
        await keys.mark_destroyed(tx, CONTROLLER, 1, NOW)
        for held_up in (1, 2):
            await keys.make_current(tx, CONTROLLER, held_up)
    async with keystore.reading() as connection:
        states = [each.state for each in await keys.versions(connection, CONTROLLER)]
    assert states == ["destroyed", "retiring", "current"]


async def test_a_version_made_long_ago_does_not_come_before_a_newer_one(
    keystore: Database,
) -> None:
    await move_to(keystore, 1)
    async with keystore.transaction() as tx:
        await keys.record_version(tx, ControllerVersion(CONTROLLER, 2, "creating", NOW))
    await move_to(keystore, 3)
    async with keystore.transaction() as tx:
        await keys.make_current(tx, CONTROLLER, 2)
    async with keystore.reading() as connection:
        assert await keys.current_version(connection, CONTROLLER) == 3


async def test_a_key_is_stored_under_the_current_version_alone(keystore: Database) -> None:
    with pytest.raises(StaleKeyVersionError):
        await add(keystore, key(1))
    await move_to(keystore, 1)
    row = key(1)
    await add(keystore, row)
    await move_to(keystore, 2)
    with pytest.raises(StaleKeyVersionError):
        await add(keystore, key(1))
    with pytest.raises(StaleKeyVersionError):
        await add(keystore, key(3))

    async with keystore.reading() as connection:
        assert await keys.get(connection, "case_key", row.object_id) == row
        assert await keys.get(connection, "index_key", row.object_id) is None
        assert await keys.current_version(connection, CONTROLLER) == 2
        assert await keys.current_version(connection, "another") is None
        states = [version.state for version in await keys.versions(connection, CONTROLLER)]
    assert states == ["retiring", "current"]


async def test_a_file_key_hangs_on_its_case_key_and_on_no_version(keystore: Database) -> None:
    await move_to(keystore, 1)
    tops = [key(1), key(1)]
    below = replace(key(None), under=tops[0].object_id)
    again = replace(below, under=tops[1].object_id, wrapped=b"again")
    for row in (*tops, below, again):
        await add(keystore, row)

    async with keystore.reading() as connection:
        assert await keys.get(connection, "case_key", below.object_id) is None
        found = await keys.get(connection, "case_key", below.object_id, tops[1].object_id)
        assert found == again
        assert await keys.under_key(connection, tops[0].object_id) == [below]
        assert list(await keys.of_case(connection, "case")) == tops
    async with keystore.transaction() as tx:
        await keys.remove(tx, "case_key", tops[0].object_id)
    async with keystore.reading() as connection:
        assert await keys.of_case(connection, "case") == [tops[1]]
        assert await keys.under_key(connection, tops[0].object_id) == []
        assert await keys.under_key(connection, tops[1].object_id) == [again]


async def test_no_key_slips_in_behind_a_version_that_moves_on(keystore: Database) -> None:
    await move_to(keystore, 1)
    stored: list[str] = []

    async def store() -> None:
        row = key(1)
        try:
            await add(keystore, row)
        except StaleKeyVersionError:
            return
        stored.append(row.object_id)

    found: list[str] = []

    async def move_on() -> None:
        await move_to(keystore, 2)
        # Whoever was not refused committed before this: all of them are seen.
        found.extend(await left(keystore, 1))

    await asyncio.gather(*(store() for _ in range(10)), move_on(), *(store() for _ in range(10)))
    assert sorted(found) == sorted(stored)
    assert sorted(await left(keystore, 1)) == sorted(stored)


async def test_what_is_left_on_a_version_is_told(keystore: Database) -> None:
    await move_to(keystore, 1)
    rows = [key(1, "living"), key(1, "other"), key(1, None), key(None, "living")]
    for row in rows:
        await add(keystore, row)
    living, other, index, _ = (row.object_id for row in rows)

    assert sorted(await left(keystore, 1)) == sorted([living, other, index])
    assert len(await left(keystore, 1, limit=2)) == 2
    assert await left(keystore, 2) == []


async def test_a_rewrapped_key_takes_the_place_of_the_one_it_was_made_from(
    keystore: Database,
) -> None:
    await move_to(keystore, 1)
    row, gone = key(1), key(1)
    await add(keystore, row)
    with pytest.raises(StaleKeyVersionError):
        async with keystore.transaction() as tx:
            await keys.replace(tx, [(row, b"new")], 2)
    await move_to(keystore, 2)
    async with keystore.transaction() as tx:
        await keys.replace(tx, [(row, b"new")], 2)
        await keys.replace(tx, [(row, b"late")], 2)  # made from what is no longer there
        await keys.replace(tx, [(gone, b"new")], 2)

    async with keystore.reading() as connection:
        found = await keys.get(connection, "case_key", row.object_id)
        assert found == replace(row, wrapped=b"new", version=2)
        assert await keys.get(connection, "case_key", gone.object_id) is None


async def test_keys_are_removed_one_by_one_or_with_their_case(keystore: Database) -> None:
    rows = [key(None, "one"), key(None, "one"), key(None, "two"), key(None, None)]
    for row in rows:
        await add(keystore, row)
    for _ in range(2):
        async with keystore.transaction() as tx:
            await keys.remove(tx, "case_key", rows[3].object_id)
            await keys.remove_case(tx, "one")
    async with keystore.reading() as connection:
        assert await keys.objects(connection, "case_key", NOW + HOUR) == [rows[2].object_id]
        assert await keys.objects(connection, "case_key", NOW) == []
        assert await keys.objects(connection, "file_key", NOW + HOUR) == []


async def test_a_place_holds_one_key(keystore: Database) -> None:
    row = key(None)
    await add(keystore, row)
    with pytest.raises(IntegrityError):
        await add(keystore, row)


async def test_a_destroyed_version_says_when(keystore: Database) -> None:
    await move_to(keystore, 1)
    await move_to(keystore, 2)
    async with keystore.transaction() as tx:
        await keys.mark_destroyed(tx, CONTROLLER, 1, NOW + HOUR)
    async with keystore.reading() as connection:
        first, second = await keys.versions(connection, CONTROLLER)

    assert (first.state, first.destroyed_at) == ("destroyed", NOW + HOUR)
    assert (second.state, second.destroyed_at) == ("current", None)


async def test_an_account_was_closed_when_it_was_first_said(keystore: Database) -> None:
    for closed in ({"one": NOW}, {"one": NOW + HOUR, "two": NOW + HOUR}):
        async with keystore.transaction() as tx:
            await keys.enter_closed(tx, closed)
    async with keystore.reading() as connection:
        assert await keys.closed_at(connection) == {"one": NOW, "two": NOW + HOUR}


async def test_the_ledger_keeps_the_first_entry_of_a_case(keystore: Database) -> None:
    for at in (NOW, NOW + HOUR):
        async with keystore.transaction() as tx:
            await keys.enter_in_ledger(tx, "case", CONTROLLER, at)
    async with keystore.reading() as connection:
        [entered] = (await connection.execute(select(erasure_ledger))).all()
    async with keystore.transaction() as tx:
        await keys.certify_in_ledger(tx, "case", b"digest")
        await keys.enter_in_ledger(tx, "case", CONTROLLER, NOW + HOUR)
    async with keystore.reading() as connection:
        [certified] = (await connection.execute(select(erasure_ledger))).all()

    assert (entered.erased_at, entered.certificate_sha256) == (NOW, b"")
    assert (certified.erased_at, certified.certificate_sha256) == (NOW, b"digest")


def test_a_wrapped_key_is_silent_when_printed() -> None:
    assert "wrapped" not in repr(key())


async def test_keys_are_counted_by_the_version_that_they_are_under(keystore: Database) -> None:
    await move_to(keystore, 1)
    for row in (key(1), key(1), key(None)):
        await add(keystore, row)
    await move_to(keystore, 2)
    await add(keystore, key(2))

    async with keystore.reading() as connection:
        assert await keys.count_by_version(connection) == {(CONTROLLER, 1): 2, (CONTROLLER, 2): 1}
        known = await keys.all_versions(connection)
    assert [(each.version, each.state) for each in known] == [(1, "retiring"), (2, "current")]
