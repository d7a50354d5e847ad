"""What readers see, and proofs judged by an independent reader."""

from __future__ import annotations

from sqlalchemy import null, select, update

from storage.accesslog.checkpoint import open_checkpoint
from storage.accesslog.event import AccessEvent
from storage.accesslog.reading import events_of_case, proof
from storage.accesslog.tree import leaf_hash, verify_inclusion
from storage.schema import events, log_entries
from tests.storage.accesslog import rfc9162
from tests.storage.accesslog.log_ground import Ground, event


async def test_the_events_of_a_case_come_in_the_order_of_the_log(ground: Ground) -> None:
    await ground.write([event(number) for number in (0, 1, 3, 6)])
    await ground.sequencer().step()
    await ground.write([event(9)])

    async with ground.database.reading() as connection:
        found = await events_of_case(connection, "case-0")

    assert [(each.index, each.number) for each in found] == [(0, 1), (2, 3), (3, 4), (None, None)]
    assert [AccessEvent.from_record(each.record) for each in found] == [
        event(number) for number in (0, 3, 6, 9)
    ]


async def test_nobody_sees_the_events_of_another_case(ground: Ground) -> None:
    await ground.write([event(0), event(1)])

    async with ground.database.reading() as connection:
        assert len(await events_of_case(connection, "case-1")) == 1
        assert await events_of_case(connection, "case-none") == []


async def test_a_pruned_record_is_shown_no_more(ground: Ground) -> None:
    await ground.write([event(0)])
    await ground.sequencer().step()
    async with ground.database.transaction() as tx:
        await tx.execute(update(events).values(record=null(), salt=null()))

    async with ground.database.reading() as connection:
        assert await events_of_case(connection, "case-0") == []


async def test_proofs_are_accepted_by_an_independent_reader(ground: Ground) -> None:
    sequencer = ground.sequencer()
    for start in (0, 5, 300):
        await ground.write([event(number) for number in range(start, 2 * start + 5)])
        while await sequencer.step():
            pass

    async with ground.database.reading() as connection:
        entries = await connection.execute(
            select(log_entries.c.index.label("place"), events.c.id)
            .join(events, events.c.index == log_entries.c.index)
            .order_by(log_entries.c.index)
        )
        for place, event_id in entries.all()[::23]:
            found = await proof(connection, event_id)
            assert found
            assert (found.index, found.size) == (place, 320)
            root = open_checkpoint(found.note, ground.key.open).root
            hashes = list(found.hashes)
            assert rfc9162.includes(found.commitment, place, found.size, hashes, root)
            assert verify_inclusion(leaf_hash(found.commitment), place, found.size, hashes, root)


async def test_what_no_checkpoint_covers_has_no_proof_yet(ground: Ground) -> None:
    await ground.write([event(0)])
    await ground.sequencer().step()
    await ground.write([event(1)])

    async with ground.database.reading() as connection:
        assert await proof(connection, event(0).id)
        assert await proof(connection, event(1).id) is None
        assert await proof(connection, "event-never") is None
