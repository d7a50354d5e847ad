"""What the log gives out, read back as a stranger reads it."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from hashlib import sha256

import pytest
from sqlalchemy import delete, null, update

from storage.accesslog import publishing
from storage.accesslog.checkpoint import open_checkpoint
from storage.accesslog.event import commitment
from storage.accesslog.publishing import GRACE
from storage.errors import LogInconsistentError
from storage.schema import checkpoints, events, log_entries, tiles
from tests.storage.accesslog import rfc9162
from tests.storage.accesslog.log_ground import START, Ground, event

ONE, TWO = "witness-1", "witness-2"


async def grow(ground: Ground, size: int, start: int = 0) -> None:
    await ground.write([event(number) for number in range(start, size)])
    sequencer = ground.sequencer(f"node-{size}")
    ground.time += timedelta(minutes=1)  # the lease of the one before ran out
    while await sequencer.step():
        pass


async def all_entries(ground: Ground, size: int) -> list[bytes]:
    found = b""
    async with ground.database.reading() as connection:
        for number in range(-(-size // 256)):
            bundle = await publishing.entries(connection, number, min(256, size - 256 * number))
            assert bundle is not None
            found += bundle
    cut = [found[at : at + 34] for at in range(0, len(found), 34)]
    assert all(entry[:2] == b"\0\x20" for entry in cut)
    return [entry[2:] for entry in cut]


async def test_entries_and_tiles_make_the_root_that_was_signed(ground: Ground) -> None:
    await grow(ground, 600)
    entries = await all_entries(ground, 600)
    leaves = [sha256(b"\0" + entry).digest() for entry in entries]
    async with ground.database.reading() as connection:
        shown = await publishing.newest(connection)
        assert shown
        checkpoint = open_checkpoint(shown.text, ground.key.open)
        assert (checkpoint.size, checkpoint.root) == (600, rfc9162.tree_hash(entries))
        assert await publishing.tile(connection, 0, 0, 256) == b"".join(leaves[:256])
        assert await publishing.tile(connection, 0, 2, 88) == b"".join(leaves[512:])
        # tlog-tiles: a tile of level 1 holds the roots of the full tiles below it, and only those.
        above = await publishing.tile(connection, 1, 0, 2)
        assert above == rfc9162.tree_hash(entries[:256]) + rfc9162.tree_hash(entries[256:512])
        assert await publishing.tile(connection, 1, 0, 3) is None


async def test_a_partial_tile_of_an_earlier_checkpoint_stays_as_it_was(ground: Ground) -> None:
    await grow(ground, 5)
    async with ground.database.reading() as connection:
        before = await publishing.tile(connection, 0, 0, 5)
        assert await publishing.tile(connection, 0, 0, 6) is None
    await grow(ground, 300, start=5)
    async with ground.database.reading() as connection:
        assert await publishing.tile(connection, 0, 0, 5) == before


async def test_nothing_is_given_out_before_it_is_signed(ground: Ground) -> None:
    await grow(ground, 9)
    async with ground.database.transaction() as tx:
        await tx.execute(update(checkpoints).values(size=7))
    async with ground.database.reading() as connection:
        assert await publishing.tile(connection, 0, 0, 7) is not None
        assert await publishing.tile(connection, 0, 0, 8) is None
        assert await publishing.entries(connection, 0, 8) is None


@pytest.mark.parametrize(
    ("level", "number", "width"),
    [(0, 0, 257), (0, 0, 0), (0, 0, -1), (0, 1, 999), (1, 0, 2), (0, 10**17, 256), (63, 0, 1)],
)
async def test_a_tile_that_no_tree_of_this_size_has_is_not_there(
    ground: Ground, level: int, number: int, width: int
) -> None:
    await grow(ground, 300)
    async with ground.database.reading() as connection:
        assert await publishing.tile(connection, level, number, width) is None


async def test_a_log_that_lost_something_signed_gives_out_no_shorter_tile(ground: Ground) -> None:
    await grow(ground, 9)
    async with ground.database.transaction() as tx:
        await tx.execute(delete(log_entries).where(log_entries.c.index == 3))
        await tx.execute(update(tiles).values(hashes=bytes(32)))
    async with ground.database.reading() as connection:
        with pytest.raises(LogInconsistentError):
            await publishing.entries(connection, 0, 9)
        with pytest.raises(LogInconsistentError):
            await publishing.tile(connection, 0, 0, 9)


async def cosign(ground: Ground, size: int, *witnesses: str) -> None:
    async with ground.database.transaction() as tx:
        for witness in witnesses:
            await publishing.keep_cosignature(tx, size, witness, f"line of {witness}\n")


async def shown_size(ground: Ground, *witnesses: str, after: timedelta = timedelta()) -> int:
    async with ground.database.reading() as connection:
        shown = await publishing.published(connection, witnesses, ground.time + after)
    assert shown
    return shown.size


async def test_a_checkpoint_is_shown_with_the_lines_of_its_witnesses(ground: Ground) -> None:
    await grow(ground, 3)
    await cosign(ground, 3, TWO, ONE)
    await cosign(ground, 3, ONE)  # asked again: one line for each
    async with ground.database.reading() as connection:
        shown = await publishing.published(connection, (ONE, TWO), ground.time)
        assert shown
        assert shown.text == shown.note + "line of witness-1\nline of witness-2\n"
        assert await publishing.cosigned_size(connection, ONE) == 3
        assert await publishing.cosigned_size(connection, "witness-3") == 0


async def test_the_last_checkpoint_waits_for_its_witnesses_and_not_for_ever(ground: Ground) -> None:
    await grow(ground, 3)
    await cosign(ground, 3, ONE, TWO)
    await grow(ground, 5, start=3)
    await cosign(ground, 5, ONE)

    assert await shown_size(ground) == 5
    assert await shown_size(ground, ONE) == 5
    assert await shown_size(ground, ONE, TWO) == 3
    assert await shown_size(ground, ONE, TWO, after=GRACE) == 3
    assert await shown_size(ground, ONE, TWO, after=GRACE + timedelta(seconds=1)) == 5
    await cosign(ground, 5, TWO)
    assert await shown_size(ground, ONE, TWO) == 5


async def test_without_any_checkpoint_nothing_is_shown(ground: Ground) -> None:
    async with ground.database.reading() as connection:
        assert await publishing.published(connection, (ONE,), START) is None
        assert await publishing.prove(connection, 0, (), START) is None


async def test_a_proof_convinces_who_has_the_public_key_alone(ground: Ground) -> None:
    await grow(ground, 600)
    entries = await all_entries(ground, 600)
    async with ground.database.reading() as connection:
        for index in (0, 255, 256, 512, 599):
            found = await publishing.prove(connection, index, (), ground.time)
            assert found
            assert found.controller_id == "practice-1"
            checkpoint = open_checkpoint(found.proof.note, ground.key.open)
            path = list(found.proof.hashes)
            assert rfc9162.includes(entries[index], index, 600, path, checkpoint.root)
        assert await publishing.prove(connection, 600, (), ground.time) is None


async def test_the_entry_can_be_made_again_from_a_proof_until_it_is_pruned(ground: Ground) -> None:
    await grow(ground, 2)
    async with ground.database.reading() as connection:
        found = await publishing.prove(connection, 1, (), ground.time)
    assert found
    assert found.proof.extra
    extra = json.loads(found.proof.extra)
    entry = commitment(base64.b64decode(extra["salt"]), extra["record"])
    assert entry == (await all_entries(ground, 2))[1]
    assert json.loads(extra["record"])["event"]["id"] == event(1).id

    async with ground.database.transaction() as tx:
        await tx.execute(update(events).values(record=null(), salt=null()))
    async with ground.database.reading() as connection:
        pruned = await publishing.prove(connection, 1, (), ground.time)
    assert pruned
    assert (pruned.proof.hashes, pruned.proof.extra) == (found.proof.hashes, None)


async def test_a_proof_prefers_a_cosigned_checkpoint_that_covers_the_entry(ground: Ground) -> None:
    await grow(ground, 3)
    await cosign(ground, 3, ONE)
    await grow(ground, 5, start=3)
    async with ground.database.reading() as connection:
        early = await publishing.prove(connection, 2, (ONE,), ground.time)
        late = await publishing.prove(connection, 3, (ONE,), ground.time)
    assert early
    assert early.proof.note.endswith("line of witness-1\n")
    assert late
    assert "\n5\n" in late.proof.note
