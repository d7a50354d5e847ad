"""kill -9 again and again while a client is erased: it goes on where it was, and ends whole."""

from __future__ import annotations

import asyncio
import itertools
import json

import pytest
from sqlalchemy import func, select

from gateway.access.actors import operator
from gateway.app import log_verifier, open_rooms
from gateway.audit.certificate import check
from gateway.settings import Settings
from gateway.signingkeys import public_keys
from keys.signing import Verifiers
from storage.schema import cases, erasures, wrapped_keys
from tests.adversary.crashing import Victim, victim
from tests.gateway.ground import until
from tests.house import PASSPHRASE, open_house

ROUNDS = 8  # it takes more than this; a test that stopped early would not notice


async def _left(server: Victim) -> int:
    """How many erasures have no certificate yet: the rows themselves, a request would be a step."""
    async with server.main.reading() as connection:
        open_ones = select(func.count()).where(erasures.c.step != "done")
        return int((await connection.execute(open_ones)).scalar_one())


async def _dies(server: Victim) -> bool:
    """Whether it was killed before nothing was left to do."""

    async def is_done() -> bool:
        return await _left(server) == 0

    end, done = asyncio.create_task(server.ended()), asyncio.create_task(until(is_done))
    await asyncio.wait({end, done}, return_when=asyncio.FIRST_COMPLETED)
    dead = end.done()
    if not dead:
        end.cancel()
        done.result()  # a wait that ran out of time is no survival
    done.cancel()
    await asyncio.gather(done, return_exceptions=True)
    return dead


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["sqlite"])
async def test_the_end_of_a_client_that_is_killed_again_and_again_ends_in_its_certificates(
    settings: Settings,
) -> None:
    async with open_house(settings) as house:
        gone, kept = house.practice.id, (await house.add_practice())[0].id
        await house.submitted_case()
        await house.dentist.new_case()
    one_person = settings.model_copy(update={"two_people": False})
    async with victim(settings) as server:
        async with open_rooms(one_person, PASSPHRASE) as rooms:
            request_id = await rooms.closing.close(operator(), gone, "it ended", None)
        for steps in itertools.count(1):
            await server.start()
            server.countdown.write_text(str(steps))
            if not await _dies(server):
                await server.kill()
                break
            assert await server.is_whole() == [], f"after {steps} steps"

    assert steps > ROUNDS
    async with open_rooms(settings, PASSPHRASE) as rooms:
        whole = await rooms.closing.certificates(request_id)
        assert whole is not None
        assert sorted(erasure.kind for erasure in whole) == ["case", "case", "client"]
        log = Verifiers((log_verifier(settings.log_key_path),))
        for erasure in whole:
            told = json.loads(erasure.certificate or "")
            check(told, public_keys(settings.certificate_key_path), log)
        assert await rooms.keyring.versions(gone) == frozenset()
        assert await rooms.keyring.versions(kept) != frozenset()
        async with rooms.keystore.reading() as connection:
            of_client = select(func.count()).where(wrapped_keys.c.controller_id == gone)
            assert await connection.scalar(of_client) == 0
        async with rooms.main.reading() as connection:
            states = select(cases.c.state).where(cases.c.controller_id == gone)
            assert set(await connection.scalars(states)) == {"erased"}
