"""A measure against an incident that was decided on and never carried out, and a server's start."""

from __future__ import annotations

import asyncio
import json

from gateway.ids import new_id, now
from gateway.incidents.words import Remedy
from gateway.settings import Settings
from storage import incidents
from storage.incidents import Measure
from tests.gateway.ground import PATIENCE_SECONDS, SQLITE
from tests.house import API, Person, ServerProcess, open_house


@SQLITE
async def test_what_was_decided_before_a_kill_is_done_by_the_next_start(
    settings: Settings,
) -> None:
    async with open_house(settings) as house:
        opened = await house.officer.post(f"{API}/incidents", {"title": "a thief"}, 201)
        officer, dentist = house.officer, house.dentist
        left = Measure(
            id=new_id(),
            incident_id=opened["id"],
            kind=Remedy.ACCOUNTS.value,
            subjects=json.dumps([dentist.id]),
            state=incidents.INTENDED,
            by=officer.id,
            at=now(),
        )
        async with house.rooms.main.transaction() as tx:
            await incidents.add_measure(tx, left)
        session = house.session
        assert (await dentist.ask("GET", f"{API}/cases")).status == 200

        server = await ServerProcess.start(settings)
        try:
            there = Person(session, server.url, officer.token)
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    seen = await there.get(f"{API}/incidents/{opened['id']}")
                    if seen["measures"][0]["state"] == "done":
                        break
                    await asyncio.sleep(0.1)
        finally:
            await server.kill()

        assert seen["measures"][0]["result"] == {"accounts": 1, "tokens": 1}
        assert [line["kind"] for line in seen["timeline"]] == ["opened", "done"]
        assert (await dentist.ask("GET", f"{API}/cases")).status == 401
