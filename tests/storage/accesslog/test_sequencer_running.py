"""The sequencer as it runs: on its own, beside others, and past what fails."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update

from storage import leases
from storage.accesslog.log import AccessLog
from storage.accesslog.sequencer import LIFETIME, PATIENCE
from storage.accesslog.tree import EMPTY_ROOT
from storage.errors import LeaseLostError, LogInconsistentError, LogUnavailableError
from storage.schema import tiles
from tests.storage.accesslog.log_ground import Ground, event
from tests.storage.accesslog.test_sequencer import places


async def test_running_numbers_what_is_nudged_and_what_comes_last(ground: Ground) -> None:
    stop, nudge, signed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def sign(text: str) -> str:
        signed.set()
        return ground.key.sign(text)

    running = asyncio.create_task(ground.sequencer(sign=sign).run(stop, nudge))
    await ground.write([event(0)])
    nudge.set()
    async with asyncio.timeout(20):
        await signed.wait()
    await ground.write([event(1)])
    stop.set()
    await running

    result = await ground.verify()
    assert (result.size, result.pending, result.ok) == (2, 0, True)
    # The lease was given back: the next node need not wait.
    assert await leases.acquire(ground.database, "sequencer", "x", LIFETIME, ground.time)


async def test_running_ends_when_the_log_is_not_what_was_signed(ground: Ground) -> None:
    await ground.write([event(0)])
    await ground.sequencer().step()
    ground.time += LIFETIME
    async with ground.database.transaction() as tx:
        await tx.execute(update(tiles).values(hashes=bytes(32)))
    await ground.write([event(1)])

    with pytest.raises(LogInconsistentError):
        await ground.sequencer().run(asyncio.Event(), asyncio.Event())


async def test_running_outlives_another_nodes_takeover_and_a_failing_disk(
    ground: Ground,
) -> None:
    problems: list[BaseException] = [LeaseLostError("gone"), OSError("disk")]
    stop, nudge = asyncio.Event(), asyncio.Event()

    def fail_twice(text: str) -> str:
        nudge.set()
        if problems:
            raise problems.pop()
        stop.set()
        return ground.key.sign(text)

    await ground.write([event(0)])

    async with asyncio.timeout(20):
        await ground.sequencer(sign=fail_twice).run(stop, nudge)

    assert (await ground.verify()).ok
    assert not problems


async def test_an_empty_log_verifies(ground: Ground) -> None:
    result = await ground.verify()

    assert (result.size, result.root, result.ok) == (0, EMPTY_ROOT, True)


async def test_the_lease_is_renewed_before_it_runs_out(ground: Ground) -> None:
    first, second = ground.sequencer("one"), ground.sequencer("two")
    for number in range(6):
        await ground.write([event(number)])
        assert await first.step() == 1
        ground.time += LIFETIME - timedelta(seconds=4)
        await ground.write([])
        assert await second.step() == 0


async def test_a_signer_that_is_gone_for_longer_than_patience_is_told_of_until_it_is_back(
    ground: Ground,
) -> None:
    gone = [True]

    def sign(text: str) -> str:
        if gone:
            raise OSError("no signer")
        return ground.key.sign(text)

    sequencer = ground.sequencer(sign=sign)
    log = AccessLog(ground.database)
    log.is_broken = sequencer.is_broken
    log.start()
    await log.append(event(0))
    await sequencer._try_step()
    assert not sequencer.is_broken()

    ground.time += PATIENCE * 2
    await sequencer._try_step()
    with pytest.raises(LogUnavailableError):
        await log.append(event(1))

    gone.clear()
    assert await sequencer._try_step() == 0
    await log.append(event(1))
    await log.close()
    assert [place for place, *_ in await places(ground.database)] == [event(0).id, event(1).id]
