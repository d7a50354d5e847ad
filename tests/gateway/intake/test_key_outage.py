"""While no key can be opened, a file that arrived waits and loses none of its attempts."""

from __future__ import annotations

import asyncio

import pytest

from keys.errors import ProviderUnavailableError
from storage import files
from tests.gateway.ground import SQLITE
from tests.house import SCAN, WAIT_SECONDS, House

pytestmark = SQLITE


async def test_a_file_that_arrives_before_an_outage_is_inspected_after_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def sealed() -> None:
        asked.set()
        raise ProviderUnavailableError("sealed", "unseal it")

    monkeypatch.setattr(house.rooms.keyring, "check", sealed)
    case_id = await house.dentist.new_case()
    address, file_id = await house.dentist.begin_upload(case_id, len(SCAN))
    assert (await house.dentist.append(address, 0, SCAN)).status == 204
    async with asyncio.timeout(WAIT_SECONDS):
        for _ in range(2):
            await asked.wait()
            asked.clear()
    async with house.rooms.main.reading() as connection:
        waiting = await files.get(connection, file_id)
    monkeypatch.undo()

    assert waiting is not None
    assert (waiting.state, waiting.attempts) == ("received", 0)
    assert (await house.dentist.verdict(case_id, file_id))["state"] == "accepted"
