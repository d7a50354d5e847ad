"""Uploads and their parts, and the files that wait for a verdict; on both databases."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy.exc import IntegrityError

from storage import files, nodes
from storage.database import Database
from storage.files import File, Part
from tests.storage.first_rows import HOUR, NOW, Practice, new_id, practice

UNTIL = NOW + HOUR


@pytest.fixture
async def north(database: Database) -> Practice:
    return await practice(database)


@pytest.fixture
async def upload(north: Practice) -> File:
    return await north.add_file(await north.add_case())


async def take_over(database: Database, file: File) -> int | None:
    async with database.transaction() as tx:
        return await files.take_over_writing(tx, file.id)


async def add_part(database: Database, part: Part, writer: int) -> bool:
    async with database.transaction() as tx:
        return await files.add_part(tx, part, writer)


async def received(database: Database, file: File) -> tuple[int, int]:
    """The offset, and the number of parts."""
    async with database.reading() as connection:
        now = await files.get(connection, file.id)
        assert now is not None
        return now.received, len(await files.parts_of(connection, file.id))


def part_of(file: File, number: int, start: int, length: int = 10) -> Part:
    return Part(file.id, number, start, length, new_id("blob"))


async def test_a_part_advances_the_offset(database: Database, upload: File) -> None:
    writer = await take_over(database, upload) or 0

    assert await add_part(database, part_of(upload, 0, 0), writer)
    assert await add_part(database, part_of(upload, 1, 10), writer)
    assert await received(database, upload) == (20, 2)


async def test_who_was_taken_over_writes_nothing_more(database: Database, upload: File) -> None:
    first = await take_over(database, upload) or 0
    second = await take_over(database, upload) or 0

    assert second > first
    assert not await add_part(database, part_of(upload, 0, 0), first)
    assert await received(database, upload) == (0, 0)
    assert await add_part(database, part_of(upload, 0, 0), second)


@pytest.mark.parametrize("start", [-1, 9, 11, 20])
async def test_a_part_begins_where_the_last_one_ended(
    database: Database, upload: File, start: int
) -> None:
    writer = await take_over(database, upload) or 0
    await add_part(database, part_of(upload, 0, 0), writer)

    assert not await add_part(database, part_of(upload, 1, start), writer)
    assert await received(database, upload) == (10, 1)


async def test_of_many_writers_at_one_moment_one_is_left(database: Database, upload: File) -> None:
    writers = await asyncio.gather(*(take_over(database, upload) for _ in range(8)))
    assert len(set(writers)) == 8

    wrote = await asyncio.gather(
        *(add_part(database, part_of(upload, 0, 0), writer or 0) for writer in writers)
    )
    assert wrote == [writer == max(w or 0 for w in writers) for writer in writers]
    assert await received(database, upload) == (10, 1)


@pytest.mark.parametrize("state", ["received", "accepted", "refused", "cancelled", "expired"])
async def test_an_upload_that_ended_takes_no_writer_and_no_part(
    database: Database, upload: File, state: str
) -> None:
    writer = await take_over(database, upload) or 0
    async with database.transaction() as tx:
        assert await files.change_from(tx, upload.id, "receiving", state=state)

    assert not await add_part(database, part_of(upload, 0, 0), writer)
    assert await take_over(database, upload) is None
    async with database.transaction() as tx:
        assert not await files.change_from(tx, upload.id, "receiving", state="receiving")


async def test_two_claimers_get_different_files(database: Database, north: Practice) -> None:
    case_id = await north.add_case()
    waiting = {(await north.add_file(case_id, "received")).id for _ in range(4)}
    async with database.transaction() as tx:
        for node in range(6):
            await nodes.beat(tx, f"node-{node}", NOW, UNTIL)

    async def claim(node: int) -> str | None:
        async with database.transaction() as tx:
            file = await files.claim_received(tx, f"node-{node}", NOW, UNTIL)
        return file.id if file else None

    claimed = [file for file in await asyncio.gather(*map(claim, range(6))) if file is not None]
    assert len(claimed) == len(set(claimed)) == 4
    assert set(claimed) == waiting
    async with database.reading() as connection:
        assert not await files.any_received(connection, NOW)


async def test_a_claim_ends_by_its_time_or_with_its_node(
    database: Database, north: Practice
) -> None:
    await north.add_file(await north.add_case(), "received")
    async with database.transaction() as tx:
        await nodes.beat(tx, "first", NOW, UNTIL)
        await nodes.beat(tx, "second", NOW, UNTIL + HOUR)
        mine = await files.claim_received(tx, "first", NOW, UNTIL)
        assert mine is not None
        assert (mine.claimed_by, mine.attempts) == ("first", 1)
        assert await files.claim_received(tx, "second", NOW, UNTIL) is None

    async with database.transaction() as tx:
        late = await files.claim_received(tx, "second", UNTIL + HOUR / 60, UNTIL + HOUR)
        assert late is not None
        assert (late.claimed_by, late.attempts) == ("second", 2)
        await nodes.leave(tx, "second")
        freed = await files.claim_received(tx, "third", UNTIL + HOUR / 60, UNTIL + HOUR)
        assert freed is not None
        assert freed.attempts == 3


async def test_a_dead_nodes_claim_is_free(database: Database, north: Practice) -> None:
    await north.add_file(await north.add_case(), "received")
    async with database.transaction() as tx:
        await nodes.beat(tx, "dead", NOW, NOW + HOUR / 60)
        await nodes.beat(tx, "alive", NOW, UNTIL + HOUR)
        await files.claim_received(tx, "dead", NOW, UNTIL + HOUR)
        assert await files.claim_received(tx, "alive", NOW, UNTIL) is None

        assert await files.claim_received(tx, "alive", NOW + HOUR / 30, UNTIL) is not None


async def test_only_received_files_are_claimed_oldest_first(
    database: Database, north: Practice
) -> None:
    case_id = await north.add_case()
    for state in ("receiving", "accepted", "refused", "removed", "expired", "cancelled"):
        await north.add_file(case_id, state)
    oldest, _ = await north.add_file(case_id, "received"), await north.add_file(case_id, "received")
    async with database.transaction() as tx:
        file = await files.claim_received(tx, "node", NOW, UNTIL)

    assert file is not None
    assert file.id == oldest.id


async def test_an_upload_expires_after_its_time_and_only_while_it_is_one(
    database: Database, north: Practice
) -> None:
    case_id = await north.add_case()
    late = await north.add_file(case_id, expires_at=NOW)
    await north.add_file(case_id, expires_at=NOW + HOUR)
    await north.add_file(case_id)
    await north.add_file(case_id, "received", expires_at=NOW)
    async with database.reading() as connection:
        found = await files.expired(connection, NOW + HOUR / 2)

    assert [file.id for file in found] == [late.id]


async def test_numbers_run_on_by_case_and_kind(database: Database, north: Practice) -> None:
    case_id, other = await north.add_case(), await north.add_case()
    await north.add_file(case_id, "accepted", number=1)
    await north.add_file(case_id, "accepted", number=4)
    async with database.transaction() as tx:
        assert await files.next_number(tx, case_id, "scan") == 5
        assert await files.next_number(tx, case_id, "photo") == 1
        assert await files.next_number(tx, other, "scan") == 1


async def test_a_blob_is_known_by_its_file_or_its_part(database: Database, north: Practice) -> None:
    case_id = await north.add_case()
    await north.add_file(case_id, "accepted", blob_id="in-the-vault")
    upload = await north.add_file(case_id)
    writer = await take_over(database, upload) or 0
    part = part_of(upload, 0, 0)
    await add_part(database, part, writer)
    async with database.reading() as connection:
        known = await files.known_blobs(connection, ["in-the-vault", part.blob_id, "orphan"])
        keys = await files.known_uploads(connection, [upload.id, "orphan"])

    assert known == {"in-the-vault", part.blob_id}
    assert keys == {upload.id}


async def test_the_files_of_a_case_go_with_their_parts_and_no_others(
    database: Database, north: Practice
) -> None:
    case_id, other = await north.add_case(), await north.add_case()
    stays = await north.add_file(other)
    for file in (await north.add_file(case_id), stays):
        await add_part(database, part_of(file, 0, 0), await take_over(database, file) or 0)
    for _ in range(2):
        async with database.transaction() as tx:
            await files.delete_of_case(tx, case_id)

    async with database.reading() as connection:
        assert await files.of_case(connection, case_id) == []
    assert await received(database, stays) == (10, 1)


async def test_a_file_has_one_picture_at_the_most_and_it_goes_with_the_case(
    database: Database, north: Practice
) -> None:
    case_id, other = await north.add_case(), await north.add_case()
    file, bare, stays = [await north.add_file(case) for case in (case_id, case_id, other)]
    for drawn in (file, stays):
        async with database.transaction() as tx:
            await files.add_thumbnail(tx, drawn.id, b"sealed")
    with pytest.raises(IntegrityError):
        async with database.transaction() as tx:
            await files.add_thumbnail(tx, file.id, b"another")

    async def pictures() -> list[bytes | None]:
        async with database.reading() as connection:
            return [await files.thumbnail_of(connection, f.id) for f in (file, bare, stays)]

    assert await pictures() == [b"sealed", None, b"sealed"]
    async with database.transaction() as tx:
        await files.delete_of_case(tx, case_id)
    assert await pictures() == [None, None, b"sealed"]
    for _ in range(2):
        async with database.transaction() as tx:
            await files.delete_thumbnail(tx, stays.id)
    assert await pictures() == [None, None, None]


async def test_no_two_files_share_an_address_or_a_blob(database: Database, north: Practice) -> None:
    case_id = await north.add_case()
    await north.add_file(case_id, capability_hash=b"same", blob_id="same")
    for twin in ({"capability_hash": b"same"}, {"blob_id": "same"}):
        with pytest.raises(IntegrityError):
            await north.add_file(case_id, **twin)
    async with database.reading() as connection:
        assert await files.find_by_capability(connection, b"other") is None
        assert await files.find_by_capability(connection, b"same") is not None


async def test_a_claim_that_is_given_back_costs_no_attempt(
    database: Database, north: Practice
) -> None:
    await north.add_file(await north.add_case(), "received")
    async with database.transaction() as tx:
        await nodes.beat(tx, "node", NOW, UNTIL + HOUR)
        mine = await files.claim_received(tx, "node", NOW, UNTIL)
        assert mine is not None
        await files.give_back(tx, mine.id, "another", mine.attempts, NOW)
        assert await files.get(tx, mine.id) == mine
        await files.give_back(tx, mine.id, "node", mine.attempts, NOW + HOUR / 60)
    async with database.transaction() as tx:
        assert await files.claim_received(tx, "node", NOW, UNTIL) is None
        again = await files.claim_received(tx, "node", NOW + HOUR / 30, UNTIL)
    assert again is not None
    assert again.attempts == mine.attempts
