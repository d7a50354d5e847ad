"""kill -9 at every durable step of the erasure of one file and of a correction.

After each kill and the next start: what was acknowledged is done, what was not is done or never
was, the other file and the case open, and whatever is under way ends in its certificate.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from aiohttp import ClientError
from sqlalchemy import func, select

from gateway.settings import Settings
from storage.schema import erasures
from tests.adversary.crashing import Victim, victim
from tests.house import API, PATIENT, WAIT_SECONDS
from tests.scans import arch, binary_stl

RIGHT = {"name": "Willemijn Echtenaam", "birth_date": "2002-02-03", "number": "PX-40918"}
DOOMED, KEPT = binary_stl(arch(600, seed=41)), binary_stl(arch(600, seed=42))
LOST = (ClientError, ConnectionError)  # what a killed server's clients meet
STEPS = 25  # both together take more than this; a test that stopped early would not notice


@dataclass
class Case:
    """A case that is corrected again and again, and each time loses one of its files."""

    id: str
    kept: str
    sha256: str
    patient: Mapping[str, str]
    wanted: Mapping[str, str] = field(default_factory=dict)
    doomed: str = ""
    acknowledged: set[str] = field(default_factory=set)
    rounds: int = 0
    corrections: int = 0

    async def begin(self, server: Victim) -> None:
        """Add the file that goes in this round, and choose another name."""
        doomed = await server.dentist.upload(self.id, DOOMED, name="one.stl")
        assert doomed["state"] == "accepted", doomed
        self.rounds += 1
        self.doomed, self.acknowledged = doomed["id"], set()
        self.wanted = {**RIGHT, "name": f"Echtenaam {self.rounds}"}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["sqlite"])
async def test_a_kill_at_any_durable_step_of_a_correction_loses_nothing(
    grounds: Sequence[Settings],
) -> None:
    kills = await asyncio.gather(
        *(_kill_at_each_step(ground, range(first, 1_000, len(grounds)))
          for first, ground in enumerate(grounds))
    )  # fmt: skip

    print(f"killed at each of {sum(kills)} durable steps")  # noqa: T201
    assert sum(kills) > STEPS


async def _kill_at_each_step(settings: Settings, numbers: range) -> int:
    """Do it again and again until the server survives; how many times it did not."""
    async with victim(settings) as server:
        await server.start()
        case = await _prepare(server)
        for kills, steps in enumerate(numbers):
            await case.begin(server)
            server.countdown.write_text(str(steps))
            if await _survives(server, case):
                await server.kill()
                return kills
            assert await server.is_whole() == [], f"after {steps} steps"
            await server.start()
            await _is_as_promised(server, case)
    pytest.fail("it never came to its end")


async def _prepare(server: Victim) -> Case:
    case_id = await server.dentist.new_case()
    kept = await server.dentist.upload(case_id, KEPT, name="two.stl")
    assert kept["state"] == "accepted", kept
    return Case(case_id, kept["id"], kept["sha256"], PATIENT)


async def _survives(server: Victim, case: Case) -> bool:
    job = asyncio.create_task(_correct(server, case))
    end = asyncio.create_task(server.ended())
    await asyncio.wait({job, end}, return_when=asyncio.FIRST_COMPLETED)
    if not end.done() and job.exception() is None:
        end.cancel()
        return True
    await end
    job.cancel()
    [outcome] = await asyncio.gather(job, return_exceptions=True)
    if isinstance(outcome, Exception) and not isinstance(outcome, LOST):
        raise outcome
    return False


async def _correct(server: Victim, case: Case) -> None:
    body = {"reason": "asked for in a test", "confirm": case.doomed}
    path = f"{API}/cases/{case.id}/files/{case.doomed}/erasure"
    case.acknowledged.add((await server.dentist.post(path, body, 202))["id"])
    answer = await server.dentist.ask("PUT", f"{API}/cases/{case.id}/patient", json=case.wanted)
    assert answer.status == 202, answer.text
    case.acknowledged.add(answer.json()["id"])
    await _until_done(server, case)


async def _until_done(server: Victim, case: Case) -> None:
    """Look at the rows themselves: a request would be a step of its own."""
    open_ones = select(func.count()).where(erasures.c.case_id == case.id, erasures.c.step != "done")
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            async with server.main.reading() as connection:
                if await connection.scalar(open_ones) == 0:
                    return
            await asyncio.sleep(0.02)


async def _is_as_promised(server: Victim, case: Case) -> None:
    await _until_done(server, case)
    async with server.main.reading() as connection:
        found = await connection.execute(select(erasures).where(erasures.c.case_id == case.id))
        rows = list(found.mappings())
    assert case.acknowledged <= {row["id"] for row in rows}
    assert all(row["certificate"] for row in rows)
    sight = await server.dentist.get(f"{API}/cases/{case.id}")
    corrected = sum(row["kind"] == "rectification" for row in rows)
    case.patient = case.wanted if corrected > case.corrections else case.patient
    case.corrections = corrected
    assert sight["patient"] == case.patient
    states = {file["id"]: file["state"] for file in sight["files"]}
    erased = any(row["file_id"] == case.doomed for row in rows)
    assert states[case.doomed] == ("erased" if erased else "accepted")
    content = await server.dentist.download(case.id, case.kept)
    assert hashlib.sha256(content).hexdigest() == case.sha256
    if not erased:
        assert await server.dentist.download(case.id, case.doomed)
