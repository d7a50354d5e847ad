"""Numbering, signing, and refusing to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, update

from storage import leases
from storage.accesslog.checkpoint import Head, open_checkpoint
from storage.accesslog.numbering import BATCH
from storage.accesslog.sequencer import LIFETIME
from storage.accesslog.tree import leaf_hash, node_hash
from storage.database import Database
from storage.errors import LeaseLostError, LogInconsistentError
from storage.schema import checkpoints, events, log_entries, tiles
from tests.storage.accesslog.log_ground import ORIGIN, Ground, NoteKey, event


async def places(database: Database) -> list[tuple[str, int | None, int | None]]:
    async with database.reading() as connection:
        rows = await connection.execute(
            select(events.c.id, events.c.index, events.c.number).order_by(
                events.c.index.is_(None), events.c.index
            )
        )
        return [(row[0], row[1], row[2]) for row in rows]


async def test_committed_events_get_the_next_indexes_in_the_order_of_their_ids(
    ground: Ground,
) -> None:
    await ground.write([event(2), event(0), event(1)])

    assert await ground.sequencer().step() == 3

    ids = [(name, index) for name, index, _ in await places(ground.database)]
    assert ids == [("event-00000000", 0), ("event-00000001", 1), ("event-00000002", 2)]


async def test_each_controller_and_the_processor_itself_count_without_gap(ground: Ground) -> None:
    owners = ["a", "b", None, "a", None, "a"]
    sequencer = ground.sequencer()
    await ground.write([event(number, owner) for number, owner in enumerate(owners)])
    await sequencer.step()
    await ground.write([event(6, "b"), event(7, "a"), event(8, None)])
    await sequencer.step()

    numbers = [number for _, _, number in await places(ground.database)]
    assert numbers == [1, 1, 1, 2, 2, 3, 2, 4, 3]


async def test_the_number_becomes_part_of_the_committed_record(ground: Ground) -> None:
    await ground.write([event(0), event(1)])
    await ground.sequencer().step()

    async with ground.database.reading() as connection:
        records = list(await connection.scalars(select(events.c.record).order_by(events.c.index)))
    assert [json.loads(record)["number"] for record in records] == [1, 2]


async def test_the_checkpoint_is_signed_over_the_rfc_9162_root(ground: Ground) -> None:
    await ground.write([event(0), event(1)])
    await ground.sequencer().step()

    async with ground.database.reading() as connection:
        commitments = list(
            await connection.scalars(select(log_entries.c.commitment).order_by(log_entries.c.index))
        )
        note = await connection.scalar(select(checkpoints.c.note))
    checkpoint = open_checkpoint(note or "", ground.key.open)
    assert (checkpoint.origin, checkpoint.size) == (ORIGIN, 2)
    assert checkpoint.root == node_hash(*map(leaf_hash, commitments))


async def test_an_event_that_commits_late_is_numbered_later_and_not_lost(ground: Ground) -> None:
    sequencer = ground.sequencer()
    await ground.write([event(5)])
    await sequencer.step()
    await ground.write([event(1)])
    await sequencer.step()

    assert [index for _, index, _ in await places(ground.database)] == [0, 1]
    assert (await ground.verify()).ok


async def test_a_step_with_nothing_to_do_takes_no_lease_and_signs_nothing(ground: Ground) -> None:
    assert await ground.sequencer().step() == 0

    assert not ground.head_path.exists()
    assert await leases.acquire(ground.database, "sequencer", "x", LIFETIME, ground.time)


async def test_more_than_a_batch_is_numbered_in_one_step_and_fills_tiles(ground: Ground) -> None:
    sequencer = ground.sequencer()
    await ground.write([event(number) for number in range(4 * BATCH + 10)])

    assert [await sequencer.step() for _ in range(2)] == [4 * BATCH + 10, 0]

    async with ground.database.reading() as connection:
        stored = await connection.execute(
            select(tiles.c.level, tiles.c.number, func.length(tiles.c.hashes)).order_by(
                tiles.c.level, tiles.c.number
            )
        )
        widths = {(level, number): length // 32 for level, number, length in stored}
    assert widths == {**{(0, n): 256 for n in range(4)}, (0, 4): 10, (1, 0): 4}
    assert (await ground.verify()).size == 4 * BATCH + 10


async def test_two_sequencers_number_one_log_without_gap(
    fresh_url: Callable[..., str], data_directory: Path
) -> None:
    url = fresh_url("main")
    grounds = []
    for name in ("one", "two"):
        (data_directory / name).mkdir()
        grounds.append(Ground(Database(url, "main"), data_directory / name))
    sequencers = [ground.sequencer(ground.directory.name) for ground in grounds]
    for batch in range(10):
        await grounds[0].write([event(batch * 7 + number) for number in range(7)])
        numbered = await asyncio.gather(*(sequencer._try_step() for sequencer in sequencers))
        assert sorted(numbered) == [0, 7]
        grounds[batch % 2].time += LIFETIME * 2  # now the other's lease has run out for this one

    assert [index for _, index, _ in await places(grounds[0].database)] == list(range(70))
    assert (await grounds[0].verify()).ok
    assert (await grounds[1].verify()).ok
    for ground in grounds:
        await ground.database.close()


async def test_while_one_holds_the_lease_the_other_stands_by(ground: Ground) -> None:
    first, second = ground.sequencer("one"), ground.sequencer("two")
    await ground.write([event(0)])
    await first.step()
    await ground.write([event(1)])

    assert await second.step() == 0
    ground.time += LIFETIME
    assert await second.step() == 1


async def test_a_stale_fence_writes_nothing(ground: Ground) -> None:
    first, second = ground.sequencer("one"), ground.sequencer("two")
    await ground.write([event(0)])
    await first.step()
    ground.time += LIFETIME
    await ground.write([event(1)])
    await second.step()
    ground.time -= LIFETIME  # the first slept, and believes by its own clock that it still holds
    await ground.write([event(2)])

    with pytest.raises(LeaseLostError):
        await first.step()

    assert (await places(ground.database))[-1] == ("event-00000002", None, None)
    assert (await ground.verify()).pending == 1
    ground.time += LIFETIME
    assert await second.step() == 1


async def test_a_lost_lease_is_given_up_and_taken_again_when_free(ground: Ground) -> None:
    first, second = ground.sequencer("one"), ground.sequencer("two")
    await ground.write([event(0)])
    await first.step()
    ground.time += LIFETIME
    await ground.write([event(1)])
    await second.step()
    ground.time -= LIFETIME
    await ground.write([event(2)])
    with pytest.raises(LeaseLostError):
        await first.step()

    assert await first.step() == 0
    ground.time += LIFETIME * 2
    assert await first.step() == 1


async def test_a_crash_before_the_head_leaves_entries_that_the_next_step_signs(
    ground: Ground,
) -> None:
    def crash(_: str) -> str:
        raise KeyboardInterrupt

    await ground.write([event(0), event(1)])
    sequencer = ground.sequencer(sign=crash)
    with pytest.raises(KeyboardInterrupt):
        await sequencer.step()
    assert [index for _, index, _ in await places(ground.database)] == [0, 1]
    assert not ground.head_path.exists()

    ground.time += LIFETIME
    assert await ground.sequencer().step() == 0

    head = Head.read(ground.head_path)
    assert head
    assert head.size == 2
    assert (await ground.verify()).ok


async def test_a_crash_after_the_head_leaves_a_row_that_the_next_step_adds(ground: Ground) -> None:
    await ground.write([event(0)])
    await ground.sequencer().step()
    async with ground.database.transaction() as tx:
        await tx.execute(delete(checkpoints))
    ground.time += LIFETIME

    await ground.sequencer().step()

    async with ground.database.reading() as connection:
        assert await connection.scalar(select(checkpoints.c.size)) == 1
    assert (await ground.verify()).ok


async def test_a_rolled_back_database_is_never_signed(ground: Ground) -> None:
    sequencer = ground.sequencer()
    await ground.write([event(0), event(1)])
    await sequencer.step()
    async with ground.database.transaction() as tx:
        for table in (events, log_entries, tiles, checkpoints):
            await tx.execute(delete(table))
    await ground.write([event(0)])
    before = ground.head_path.read_bytes()

    with pytest.raises(LogInconsistentError):
        await sequencer.step()

    assert ground.head_path.read_bytes() == before
    assert await places(ground.database) == [("event-00000000", None, None)]


async def test_entries_cut_off_under_their_tiles_are_not_numbered_a_second_time(
    ground: Ground,
) -> None:
    sequencer = ground.sequencer()
    await ground.write([event(0), event(1)])
    await sequencer.step()
    async with ground.database.transaction() as tx:
        await tx.execute(delete(events).where(events.c.index == 1))
        await tx.execute(delete(log_entries).where(log_entries.c.index == 1))
    await ground.write([event(2)])

    with pytest.raises(LogInconsistentError, match="2 entries were signed, 1 are left"):
        await sequencer.step()


async def test_a_rewritten_tree_is_never_signed(ground: Ground) -> None:
    sequencer = ground.sequencer()
    await ground.write([event(0), event(1)])
    await sequencer.step()
    async with ground.database.transaction() as tx:
        await tx.execute(update(tiles).values(hashes=bytes(64)))
        await tx.execute(delete(checkpoints))
    await ground.write([event(2)])

    with pytest.raises(LogInconsistentError):
        await sequencer.step()

    async with ground.database.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(checkpoints)) == 0


async def test_a_new_node_does_not_extend_what_another_key_signed(ground: Ground) -> None:
    await ground.write([event(0)])
    await ground.sequencer().step()
    ground.time += LIFETIME
    ground.key = NoteKey(b"other key, as long as it must be")
    await ground.write([event(1)])

    with pytest.raises(LogInconsistentError):
        await ground.sequencer("two", ground.directory / "new-head.json").step()


async def test_the_checkpoint_of_another_log_is_not_extended(ground: Ground) -> None:
    def sign_as_another(text: str) -> str:
        return ground.key.sign(text.replace(ORIGIN, "log.example/other"))

    await ground.write([event(0)])
    await ground.sequencer(sign=sign_as_another).step()
    ground.time += LIFETIME
    await ground.write([event(1)])

    with pytest.raises(LogInconsistentError, match="another log"):
        await ground.sequencer().step()


async def test_a_damaged_head_file_stops_the_signer(ground: Ground) -> None:
    await ground.write([event(0)])
    await ground.sequencer().step()
    ground.time += LIFETIME
    ground.head_path.write_text("{}")
    await ground.write([event(1)])

    with pytest.raises(LogInconsistentError):
        await ground.sequencer().step()


async def test_the_head_file_is_private_and_alone_in_its_directory(ground: Ground) -> None:
    await ground.write([event(0)])
    await ground.sequencer().step()

    assert ground.head_path.stat().st_mode & 0o777 == 0o600
    assert list(ground.directory.iterdir()) == [ground.head_path]
