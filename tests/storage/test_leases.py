"""Leases on both databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from storage.database import Database
from storage.errors import LeaseLostError
from storage.leases import Lease, acquire, extend, hold, release
from storage.schema import leases

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
LIFE = timedelta(seconds=10)


async def test_a_free_lease_is_taken_and_nobody_else_gets_it(database: Database) -> None:
    assert await acquire(database, "watch", "a", LIFE, NOW) == Lease("watch", "a", 1)
    assert await acquire(database, "watch", "b", LIFE, NOW + LIFE / 2) is None


async def test_two_names_are_two_leases(database: Database) -> None:
    assert await acquire(database, "watch", "a", LIFE, NOW)
    assert await acquire(database, "sequencer", "b", LIFE, NOW) == Lease("sequencer", "b", 1)


async def test_renewing_keeps_the_fence_and_lengthens_the_life(database: Database) -> None:
    first = await acquire(database, "watch", "a", LIFE, NOW)

    assert await acquire(database, "watch", "a", LIFE, NOW + LIFE / 2) == first
    assert await acquire(database, "watch", "b", LIFE, NOW + LIFE) is None


async def test_a_lease_that_ran_out_changes_hands_with_a_higher_fence(database: Database) -> None:
    await acquire(database, "watch", "a", LIFE, NOW)

    assert await acquire(database, "watch", "b", LIFE, NOW + LIFE) == Lease("watch", "b", 2)


async def test_even_its_old_holder_gets_a_higher_fence_once_it_ran_out(database: Database) -> None:
    await acquire(database, "watch", "a", LIFE, NOW)

    assert await acquire(database, "watch", "a", LIFE, NOW + LIFE) == Lease("watch", "a", 2)


async def test_a_released_lease_is_free_at_once_and_its_fence_goes_on(database: Database) -> None:
    lease = await acquire(database, "watch", "a", LIFE, NOW)
    assert lease

    await release(database, lease)

    assert await acquire(database, "watch", "b", LIFE, NOW) == Lease("watch", "b", 2)


@pytest.mark.parametrize("next_holder", ["a", "b"])
async def test_releasing_late_does_not_take_the_lease_from_its_next_holder(
    database: Database, next_holder: str
) -> None:
    old = await acquire(database, "watch", "a", LIFE, NOW)
    new = await acquire(database, "watch", next_holder, LIFE, NOW + LIFE)
    assert old
    assert new

    await release(database, old)

    async with database.transaction() as tx:
        await hold(tx, new, NOW + LIFE)


@pytest.mark.parametrize(
    ("lease", "now"),
    [
        (Lease("watch", "a", 1), NOW + LIFE),  # ran out
        (Lease("watch", "a", 2), NOW),  # not this fence
        (Lease("watch", "b", 1), NOW),  # not this holder
        (Lease("sequencer", "a", 1), NOW),  # never taken
    ],
)
async def test_a_lease_that_is_not_ours_holds_nothing(
    database: Database, lease: Lease, now: datetime
) -> None:
    await acquire(database, "watch", "a", LIFE, NOW)

    with pytest.raises(LeaseLostError):
        async with database.transaction() as tx:
            await hold(tx, lease, now)


async def test_a_held_lease_cannot_be_taken_over_before_the_commit(main_url: str) -> None:
    ours, theirs = Database(main_url, "main"), Database(main_url, "main")
    lease = await acquire(ours, "watch", "a", LIFE, NOW)
    assert lease

    async with ours.transaction() as tx:
        await hold(tx, lease, NOW)
        # By its own clock the other finds it ran out, and must wait for our transaction.
        robber = asyncio.create_task(acquire(theirs, "watch", "b", LIFE, NOW + LIFE))
        done, _ = await asyncio.wait([robber], timeout=0.2)
        assert not done

    assert await robber == Lease("watch", "b", 2)
    await ours.close()
    await theirs.close()


async def test_of_many_who_come_at_once_exactly_one_gets_it(main_url: str) -> None:
    databases = [Database(main_url, "main") for _ in range(6)]

    taken = await asyncio.gather(
        *(acquire(each, "watch", str(number), LIFE, NOW) for number, each in enumerate(databases))
    )

    winners = [lease for lease in taken if lease]
    assert [lease.fence for lease in winners] == [1]
    async with databases[0].reading() as connection:
        assert await connection.scalar(select(func.count()).select_from(leases)) == 1
    for each in databases:
        await each.close()


async def test_a_lease_that_is_held_lasts_for_as_long_as_its_holder_says(
    database: Database,
) -> None:
    lease = await acquire(database, "watch", "a", LIFE, NOW)
    other = await acquire(database, "sequencer", "a", LIFE, NOW)
    assert lease
    assert other
    async with database.transaction() as tx:
        await hold(tx, lease, NOW)
        await extend(tx, lease, NOW + 3 * LIFE)

    assert await acquire(database, "watch", "b", LIFE, NOW + 2 * LIFE) is None
    assert await acquire(database, "sequencer", "b", LIFE, NOW + 2 * LIFE)
    assert await acquire(database, "watch", "b", LIFE, NOW + 3 * LIFE)
