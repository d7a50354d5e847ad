"""What a legal term's end takes away, and what it must leave."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from storage.accesslog.checkpoint import open_checkpoint
from storage.accesslog.pruning import prune, scrub
from storage.accesslog.reading import proof
from storage.accesslog.sequencer import LIFETIME
from storage.accesslog.tree import leaf_hash, verify_inclusion
from storage.schema import checkpoints, events
from tests.gateway.ground import SQLITE
from tests.storage.accesslog.log_ground import START, Ground, event

SIZE = 300
CUT = START + timedelta(seconds=SIZE // 2)


async def fill(ground: Ground) -> None:
    sequencer = ground.sequencer()
    for start in range(0, SIZE, 50):
        numbers = range(start, start + 50)
        await ground.write([event(at, detail={"canary": f"canary-{at:04}"}) for at in numbers])
        await sequencer.step()


async def test_pruning_half_leaves_every_proof_and_checkpoint_valid(ground: Ground) -> None:
    await fill(ground)

    assert await prune(ground.database, CUT) == SIZE // 2

    found = await ground.verify()
    assert (found.ok, found.size) == (True, SIZE)
    async with ground.database.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(checkpoints)) == 6
        for index in range(SIZE):
            proven = await proof(connection, event(index).id)
            assert proven is not None
            root = open_checkpoint(proven.note, ground.key.open).root
            leaf = leaf_hash(proven.commitment)
            assert verify_inclusion(leaf, index, proven.size, proven.hashes, root)
            assert (proven.record is None) == (proven.salt is None) == (index < SIZE // 2)


async def test_the_pruned_log_goes_on(ground: Ground) -> None:
    await fill(ground)
    await prune(ground.database, CUT)
    await ground.write([event(SIZE)])
    ground.time += LIFETIME  # the sequencer before this one did not give its lease back

    assert await ground.sequencer().step() == 1
    assert (await ground.verify()).size == SIZE + 1


async def test_what_no_checkpoint_covers_is_not_pruned(ground: Ground) -> None:
    await ground.write([event(0)])

    assert await prune(ground.database, CUT) == 0


async def test_a_pruned_event_no_longer_says_whose_case_it_was(ground: Ground) -> None:
    await fill(ground)
    await prune(ground.database, CUT)

    async with ground.database.reading() as connection:
        left = await connection.scalar(
            select(func.count()).where(events.c.at < CUT, events.c.case_id.is_not(None))
        )
    assert left == 0


@SQLITE
async def test_a_pruned_record_is_in_no_byte_of_the_database_files(ground: Ground) -> None:
    await fill(ground)
    path = Path(ground.database.url.database or "")

    def bytes_of_all() -> bytes:
        return b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))

    async with ground.database.reading() as connection:
        query = select(events.c.salt).where(events.c.at < CUT)
        salts = [salt or b"" for salt in await connection.scalars(query)]
    assert all(salt in bytes_of_all() for salt in salts)

    await prune(ground.database, CUT)
    await scrub(ground.database)

    left = bytes_of_all()
    assert not [at for at in range(SIZE // 2) if f"canary-{at:04}".encode() in left]
    assert not [salt for salt in salts if salt in left]
    assert all(f"canary-{at:04}".encode() in left for at in range(SIZE // 2, SIZE))


async def test_scrubbing_leaves_the_log_whole(ground: Ground) -> None:
    await fill(ground)
    await prune(ground.database, CUT)

    await scrub(ground.database)

    assert (await ground.verify()).ok


@SQLITE
async def test_a_reader_who_stays_is_told_of_and_not_waited_for_ever(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.database.SQLITE_PRAGMAS", ("busy_timeout=50",))
    await fill(ground)
    async with ground.database.reading() as connection:
        await connection.scalar(select(func.count()).select_from(events))
        await prune(ground.database, CUT)

        with pytest.raises(TimeoutError):
            await scrub(ground.database)
