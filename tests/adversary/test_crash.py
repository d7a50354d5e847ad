"""kill -9, at every durable step of the main job and at random times under load.

After each kill the stores are whole as they lie there: the log verifies, no row points at what is
missing. After the next start nothing that was acknowledged is lost, and what was interrupted
completes by itself.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import ClientError
from sqlalchemy import Select, select

from gateway.settings import Settings
from storage.schema import erasures, files
from tests.adversary.crashing import Promises, Victim, victim
from tests.house import API
from tests.scans import arch, binary_stl

SCAN = binary_stl(arch(1_000, seed=21))
LARGE = binary_stl(arch(8_000, seed=22))
LOST = (ClientError, ConnectionError)  # what a killed server's clients meet
STEPS = 60  # the main job takes more than this; a test that stopped early would not notice
KILLS = {"sqlite": 15, "postgresql": 4}  # of one server


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["sqlite"])
async def test_a_kill_at_any_durable_step_of_the_main_job_loses_nothing(
    grounds: Sequence[Settings],
) -> None:
    kills = await asyncio.gather(
        *(_kill_at_each_step(ground, range(first, 1_000, len(grounds)))
          for first, ground in enumerate(grounds))
    )  # fmt: skip

    print(f"killed at each of {sum(kills)} durable steps")  # noqa: T201
    assert sum(kills) > STEPS


@pytest.mark.slow
async def test_kills_at_random_times_under_load_lose_nothing(
    grounds: Sequence[Settings], backend: str
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201

    await asyncio.gather(
        *(_kill_at_random(ground, KILLS[backend], random.Random(seed + number))
          for number, ground in enumerate(grounds))
    )  # fmt: skip


async def _kill_at_each_step(settings: Settings, numbers: range) -> int:
    """Do the main job again and again until it survives; how many times it did not."""
    async with victim(settings) as server:
        await server.start()
        for kills, steps in enumerate(numbers):
            server.promises = Promises()
            server.countdown.write_text(str(steps))
            if await _survives(server):
                await server.kill()
                return kills
            assert await server.is_whole() == [], f"after {steps} steps"
            await server.start()
            await server.promises.are_kept(server.dentist)
    pytest.fail("the main job never came to its end")


async def _survives(server: Victim) -> bool:
    """Do the main job; whether the server came through."""
    job = asyncio.create_task(_main_job(server))
    end = asyncio.create_task(server.ended())
    await asyncio.wait({job, end}, return_when=asyncio.FIRST_COMPLETED)
    if not end.done() and job.exception() is None:
        end.cancel()
        return True
    await end
    job.cancel()
    _check((await asyncio.gather(job, return_exceptions=True))[0])
    return False


async def _main_job(server: Victim) -> None:
    promises, dentist = server.promises, server.dentist
    case_id = await promises.case(dentist)
    upload = await promises.upload(dentist, case_id, SCAN, pieces=2)
    await _until(server, select(files.c.state).where(files.c.id == upload.file_id), "accepted")
    await promises.erase(dentist, case_id)
    await _until(server, select(erasures.c.step).where(erasures.c.case_id == case_id), "done")


async def _until(server: Victim, statement: Select[Any], state: str) -> None:
    """Look at the row itself: a request would be a step of its own."""
    while True:
        async with server.main.reading() as connection:
            if await connection.scalar(statement) == state:
                return
        await asyncio.sleep(0.02)


async def _kill_at_random(settings: Settings, kills: int, chance: random.Random) -> None:
    rounds: list[Promises] = []
    async with victim(settings) as server:
        await server.start()
        for _ in range(kills):
            server.promises = Promises()
            rounds.append(server.promises)
            load = [asyncio.create_task(each) for each in _load(server)]
            await asyncio.sleep(chance.uniform(0.02, 1.5))
            await server.kill()
            for task in load:
                task.cancel()
            for outcome in await asyncio.gather(*load, return_exceptions=True):
                _check(outcome)
            assert await server.is_whole() == []
            await server.start()
            await server.promises.are_kept(server.dentist)
        for promises in rounds:
            await promises.are_kept(server.dentist)
        await server.kill()
        assert await server.is_whole() == []
    assert any(promises.uploads for promises in rounds)


def _load(server: Victim) -> Sequence[Any]:
    promises, dentist = server.promises, server.dentist

    async def upload() -> None:
        while True:
            await promises.upload(dentist, await promises.case(dentist), LARGE, pieces=5)

    async def erase() -> None:
        while True:
            case_id = await promises.case(dentist)
            await promises.upload(dentist, case_id, SCAN, pieces=1)
            await promises.erase(dentist, case_id)

    async def look() -> None:
        while True:
            await dentist.get(f"{API}/cases")

    return upload(), upload(), erase(), look()


def _check(outcome: object) -> None:
    """A client of a killed server meets a lost connection, and nothing else."""
    if isinstance(outcome, Exception) and not isinstance(outcome, LOST):
        raise outcome
