"""Every way of altering the log is found, and the first wrong index is named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import delete, func, insert, null, select, update

from storage.accesslog.checkpoint import Checkpoint, Head
from storage.accesslog.verify import PAGE
from storage.schema import checkpoints, events, log_entries, tiles
from tests.storage.accesslog.log_ground import ORIGIN, Ground, NoteKey, event
from tests.storage.accesslog.tampering import (
    Tamper,
    change_case,
    change_controller,
    change_id,
    change_number,
    change_tile,
    delete_entry,
    delete_event,
    flip_commitment,
    flip_record,
    flip_salt,
    half_prune,
    recommit,
    retile,
    shorten_tile,
    swap_contents,
    swap_events,
    truncate,
    unsequence,
    value,
)

SIZES = (100, 300, 520)  # of the signed trees


@pytest.fixture
async def signed(ground: Ground) -> Ground:
    """A log of 520 entries under three checkpoints, of two controllers and the processor."""
    sequencer, start = ground.sequencer(), 0
    for size in SIZES:
        owners = ("a", "b", None)
        await ground.write([event(number, owners[number % 3]) for number in range(start, size)])
        await sequencer.step()
        start = size
    return ground


@pytest.mark.parametrize(
    "tamper",
    [
        flip_record,
        flip_salt,
        flip_commitment,
        delete_event,
        delete_entry,
        unsequence,
        change_number,
        change_case,
        change_controller,
        change_id,
        half_prune,
        change_tile,
        shorten_tile,
        recommit,
    ],
)
async def test_an_altered_entry_is_found_and_named(signed: Ground, tamper: Tamper) -> None:
    for index in (519, 256, 137, 0):  # backwards: each is the first wrong one in its turn
        async with signed.database.transaction() as tx:
            await tamper(tx, index)

        result = await signed.verify()

        assert not result.ok
        assert result.wrong_index == index
        assert result.problem


@pytest.mark.parametrize("tamper", [swap_events, swap_contents])
async def test_two_swapped_entries_of_one_controller_are_found(
    signed: Ground, tamper: Tamper
) -> None:
    for index in (516, 254, 0):
        async with signed.database.transaction() as tx:
            await tamper(tx, index)

        assert (await signed.verify()).wrong_index == index


async def test_the_first_of_several_wrong_entries_is_named(signed: Ground) -> None:
    async with signed.database.transaction() as tx:
        await flip_record(tx, 300)
        await change_tile(tx, 299)
        await flip_salt(tx, 301)

    assert (await signed.verify()).wrong_index == 299


async def test_a_duplicated_event_is_found(signed: Ground) -> None:
    async with signed.database.transaction() as tx:
        row = (await tx.execute(select(events).where(events.c.index == 7))).mappings().one()
        await tx.execute(insert(events).values({**row, "id": "event-copy", "index": 520}))

    result = await signed.verify()

    assert (result.ok, result.wrong_index) == (False, 520)


async def test_a_duplicated_entry_is_found(signed: Ground) -> None:
    async with signed.database.transaction() as tx:
        copied = await value(tx, log_entries.c.commitment, 7)
        await tx.execute(insert(log_entries).values(index=520, commitment=copied))

    assert (await signed.verify()).wrong_index == 520


@pytest.mark.parametrize("size", [300, 519])
async def test_a_rolled_back_log_is_found_by_the_head_kept_outside(
    signed: Ground, size: int
) -> None:
    async with signed.database.transaction() as tx:
        await truncate(tx, size)

    result = await signed.verify()

    assert (result.ok, result.wrong_index, result.size) == (False, size, size)


async def test_without_any_memory_a_rolled_back_log_is_not_found(signed: Ground) -> None:
    # The limit that the design states: roll-back is found by a verifier that keeps state.
    async with signed.database.transaction() as tx:
        await truncate(tx, 300)

    assert (await signed.verify(with_head=False)).ok


async def test_a_cut_tail_under_a_checkpoint_is_found_without_the_head(signed: Ground) -> None:
    async with signed.database.transaction() as tx:
        await tx.execute(delete(events).where(events.c.index >= 515))
        await tx.execute(delete(log_entries).where(log_entries.c.index >= 515))

    assert (await signed.verify(with_head=False)).wrong_index == 515


async def test_a_log_rewritten_with_its_tiles_is_found_by_the_checkpoint(signed: Ground) -> None:
    async with signed.database.transaction() as tx:
        await recommit(tx, 137)
        await retile(tx)

    result = await signed.verify(with_head=False)

    # Only a signature tells: the entry lies behind the last checkpoint that is right.
    assert result.wrong_index == 100
    assert result.problem == "entries 100 to 299 are not those that were signed"


async def test_a_log_rewritten_and_signed_anew_is_found_by_the_head(signed: Ground) -> None:
    async with signed.database.transaction() as tx:
        await recommit(tx, 400)
        root = await retile(tx)
        note = signed.key.sign(Checkpoint(ORIGIN, 520, root).text())
        await tx.execute(
            update(checkpoints).where(checkpoints.c.size == 520).values(root=root, note=note)
        )

    assert (await signed.verify(with_head=False)).ok
    assert (await signed.verify()).wrong_index == 520


@pytest.mark.parametrize("size", SIZES)
async def test_an_altered_checkpoint_is_found(signed: Ground, size: int) -> None:
    async with signed.database.transaction() as tx:
        await tx.execute(
            update(checkpoints).where(checkpoints.c.size == size).values(root=bytes(32))
        )

    assert (await signed.verify()).wrong_index == size - 1


@pytest.mark.parametrize("note", ["", "x\n\ny", "forged"])
async def test_a_checkpoint_of_another_hand_is_found(signed: Ground, note: str) -> None:
    if note == "forged":
        async with signed.database.reading() as connection:
            root = await connection.scalar(select(checkpoints.c.root)) or b""
        note = NoteKey(b"other key, as long as it must be").sign(
            Checkpoint(ORIGIN, 300, root).text()
        )
    async with signed.database.transaction() as tx:
        await tx.execute(update(checkpoints).where(checkpoints.c.size == 300).values(note=note))

    result = await signed.verify()

    assert (result.wrong_index, result.ok) == (299, False)


@pytest.mark.parametrize(
    "text",
    ["", "x\n", f"{ORIGIN}\n300\n!!\n", f"{ORIGIN}\n+300\n{'A' * 43}=\n", f"{ORIGIN}\n1\nAA==\n"],
)
async def test_a_signed_text_that_is_no_checkpoint_is_found(signed: Ground, text: str) -> None:
    async with signed.database.transaction() as tx:
        await tx.execute(
            update(checkpoints).where(checkpoints.c.size == 300).values(note=signed.key.sign(text))
        )

    assert (await signed.verify()).wrong_index == 299


async def test_a_checkpoint_beyond_the_log_is_found(signed: Ground) -> None:
    async with signed.database.transaction() as tx:
        await tx.execute(update(checkpoints).where(checkpoints.c.size == 520).values(size=521))

    assert (await signed.verify()).wrong_index == 520


async def test_tiles_beyond_the_log_are_found(signed: Ground) -> None:
    async with signed.database.transaction() as tx:
        await tx.execute(insert(tiles).values(level=0, number=3, hashes=bytes(32)))
    assert (await signed.verify()).wrong_index == 520

    async with signed.database.transaction() as tx:
        await tx.execute(delete(tiles).where(tiles.c.number == 3))
        last = await tx.scalar(select(tiles.c.hashes).where(tiles.c.number == 2)) or b""
        await tx.execute(update(tiles).where(tiles.c.number == 2).values(hashes=last + bytes(32)))
    assert (await signed.verify()).wrong_index == 520


async def test_a_changed_tile_above_the_leaves_is_found(signed: Ground) -> None:
    async with signed.database.transaction() as tx:
        where = tiles.c.level == 1
        hashes = await tx.scalar(select(tiles.c.hashes).where(where)) or b""
        await tx.execute(update(tiles).where(where).values(hashes=hashes[:32] + bytes(32)))

    assert (await signed.verify()).wrong_index == 256


async def test_a_head_of_another_log_is_found(signed: Ground) -> None:
    head = Head.read(signed.head_path)
    assert head
    root = bytes(32)
    note = signed.key.sign(Checkpoint(ORIGIN, 520, root).text())
    replace(head, root=root, note=note).write(signed.head_path)

    assert (await signed.verify()).wrong_index == 520


async def test_a_pruned_log_stays_whole_and_still_shows_a_gap(signed: Ground) -> None:
    async with signed.database.transaction() as tx:
        await tx.execute(
            update(events).where(events.c.index < 200).values(record=null(), salt=null())
        )
    assert (await signed.verify()).ok

    async with signed.database.transaction() as tx:
        await change_controller(tx, 50)
    assert (await signed.verify()).wrong_index == 50


async def test_an_untouched_log_verifies_over_pages_and_counts_what_waits(ground: Ground) -> None:
    sequencer = ground.sequencer()
    await ground.write([event(number) for number in range(PAGE * 2 + 300)])
    while await sequencer.step():
        pass
    await ground.write([event(number) for number in range(9000, 9004)])

    result = await ground.verify()

    head = Head.read(ground.head_path)
    assert head
    assert (result.ok, result.size, result.root) == (True, PAGE * 2 + 300, head.root)
    assert (result.problem, result.wrong_index, result.pending) == (None, None, 4)


async def test_a_wrong_entry_behind_the_first_page_is_found(ground: Ground) -> None:
    sequencer = ground.sequencer()
    await ground.write([event(number) for number in range(PAGE + 300)])
    while await sequencer.step():
        pass
    async with ground.database.transaction() as tx:
        await flip_record(tx, PAGE + 1)

    assert (await ground.verify()).wrong_index == PAGE + 1


async def test_a_committed_record_that_is_no_event_is_found(ground: Ground) -> None:
    await ground.write([event(0)])
    async with ground.database.transaction() as tx:
        await tx.execute(update(events).values(record='{"event":{}}'))
    await ground.sequencer().step()

    assert (await ground.verify()).wrong_index == 0


async def test_the_matrix_stands_on_a_log_that_was_right(signed: Ground) -> None:
    result = await signed.verify()

    assert (result.ok, result.size) == (True, 520)
    async with signed.database.reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(checkpoints)) == 3
