"""Which processes live, and what they have let go of; on both databases."""

from __future__ import annotations

import asyncio

from storage import nodes
from storage.database import Database
from tests.storage.first_rows import HOUR, NOW


async def holding(database: Database, hours: float = 0, version: int = 1) -> frozenset[str]:
    async with database.reading() as connection:
        return await nodes.still_holding(connection, "practice", version, NOW + hours * HOUR)


async def beat(database: Database, node: str, hours: float) -> None:
    async with database.transaction() as tx:
        await nodes.beat(tx, node, NOW, NOW + hours * HOUR)


async def test_a_node_holds_every_version_until_it_says_otherwise(database: Database) -> None:
    await beat(database, "a", 1)
    await beat(database, "b", 1)
    for _ in range(2):
        async with database.transaction() as tx:
            await nodes.dropped(tx, "a", "practice", 1)

    assert await holding(database) == {"b"}
    assert await holding(database, version=2) == {"a", "b"}
    async with database.reading() as connection:
        assert await nodes.has_dropped(connection, "a", "practice", 1)
        assert not await nodes.has_dropped(connection, "a", "another", 1)
        assert not await nodes.has_dropped(connection, "b", "practice", 1)


async def test_a_node_may_say_so_twice_at_a_time(database: Database) -> None:
    async def say() -> None:
        async with database.transaction() as tx:
            await nodes.dropped(tx, "a", "practice", 1)

    await beat(database, "a", 1)
    await asyncio.gather(*(say() for _ in range(8)))

    assert await holding(database) == frozenset()


async def test_a_silent_node_holds_nothing_and_a_beat_brings_it_back(database: Database) -> None:
    await beat(database, "a", 1)
    assert await holding(database, 0.99) == {"a"}
    assert await holding(database, 1) == frozenset()
    await beat(database, "a", 3)

    assert await holding(database, 2) == {"a"}


async def test_a_node_that_signs_off_leaves_nothing(database: Database) -> None:
    await beat(database, "a", 1)
    async with database.transaction() as tx:
        await nodes.dropped(tx, "a", "practice", 1)
    for _ in range(2):
        async with database.transaction() as tx:
            await nodes.leave(tx, "a")

    assert await holding(database) == frozenset()
    async with database.reading() as connection:
        assert not await nodes.has_dropped(connection, "a", "practice", 1)


async def test_nodes_with_other_keys_are_told_and_those_that_have_not_said(
    database: Database,
) -> None:
    for node in ("a", "b", "c"):
        await beat(database, node, 1)
    async with database.transaction() as tx:
        await nodes.use(tx, "a", "local/1")
        await nodes.use(tx, "b", "local/2")

    async def others(edition: str, hours: float = 0) -> frozenset[str]:
        async with database.reading() as connection:
            return await nodes.using_others(connection, edition, NOW + hours * HOUR)

    assert await others("local/1") == {"b", "c"}
    assert await others("local/2") == {"a", "c"}
    assert await others("local/2", 1) == frozenset()
