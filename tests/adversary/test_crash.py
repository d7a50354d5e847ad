"""kill -9, at every durable step of the main job and at random times under load.

After each kill the stores are whole as they lie there: the log verifies, no row points at what is
missing. After the next start nothing that was acknowledged is lost, and what was interrupted
completes by itself.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from itertools import count

import pytest
from aiohttp import ClientError
from sqlalchemy import select

from gateway.settings import Settings
from storage.schema import erasures, files
from tests.adversary.crashing import Victim, victim
from tests.scans import arch, binary_stl

SCAN = binary_stl(arch(1_000, seed=21))
LARGE = binary_stl(arch(8_000, seed=22))
GONE = (ClientError, ConnectionError, TimeoutError)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["sqlite"])
async def test_a_kill_at_any_durable_step_of_the_main_job_loses_nothing(
    settings: Settings,
) -> None:
    kills = 0
    async with victim(settings) as server:
        await server.start()
        for steps in count():
            server.countdown.write_text(str(steps))
            if await _survives(server):
                break
            kills += 1
            assert await server.is_whole() == [], f"after {steps} steps"
            await server.start()
            await server.promises.are_kept(server.dentist)
            server.promises.forget()
        await server.kill()
    print(f"killed at each of {kills} durable steps")  # noqa: T201
    assert kills > 40


async def _survives(server: Victim) -> bool:
    """Do the main job; whether the server came through."""
    job = asyncio.create_task(_main_job(server))
    end = asyncio.create_task(server.ended())
    await asyncio.wait({job, end}, return_when=asyncio.FIRST_COMPLETED)
    if not end.done():
        with suppress(TimeoutError):
            # Once the job is done, what still happens is of the log alone.
            async with asyncio.timeout(0.2):
                await asyncio.shield(end)
    if not end.done():
        await job
        end.cancel()
        return True
    job.cancel()
    (outcome,) = await asyncio.gather(job, return_exceptions=True)
    assert outcome is None or isinstance(outcome, (*GONE, asyncio.CancelledError)), outcome
    return False


async def _main_job(server: Victim) -> None:
    promises, dentist = server.promises, server.dentist
    case_id = await promises.case(dentist)
    upload = await promises.upload(dentist, case_id, SCAN, pieces=2)
    await _until(server, select(files.c.state).where(files.c.id == upload.file_id), "accepted")
    await promises.erase(dentist, case_id)
    await _until(server, select(erasures.c.step).where(erasures.c.case_id == case_id), "done")


async def _until(server: Victim, statement: object, state: str) -> None:
    """Look at the row itself: a request would be a step of its own."""
    while True:
        async with server.main.reading() as connection:
            if await connection.scalar(statement) == state:  # type: ignore[call-overload]
                return
        await asyncio.sleep(0.02)
