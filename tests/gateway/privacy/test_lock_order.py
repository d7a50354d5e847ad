"""Rows are locked in one order, so that nobody waits for who waits for them (PostgreSQL)."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from keys.context import Purpose
from storage import accounts, cases, files, keystore
from storage.database import Database
from tests.gateway.ground import change, until
from tests.house import API, PATIENT, SCAN, Answer, House

pytestmark = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
TUS = {"Tus-Resumable": "1.0.0"}
WAITING = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def waits_or_ends(database: Database, task: asyncio.Task[object]) -> None:
    """Until what the task does waits for a row of this database, or is done."""

    async def holds() -> bool:
        async with database.reading() as connection:
            return task.done() or bool(await connection.scalar(WAITING))

    await until(holds)


async def correct(house: House, case_id: str) -> Answer:
    patient = {**PATIENT, "name": "Willemijn Echtenaam"}
    return await house.dentist.ask("PUT", f"{API}/cases/{case_id}/patient", json=patient)


async def asked_for(house: House, case_id: str) -> str:
    """Have the erasure of the case wait; where it is approved."""
    await change(house, "UPDATE controllers SET erasure_second_from = 1")
    body = {"cases": [case_id], "reason": "asked for", "confirm": 1}
    asked = await house.dentist.post(f"{API}/erasures", body, 202)
    return f"{API}/erasures/{asked['erasures'][0]['request_id']}/approval"


@pytest.mark.parametrize("act", ["correction", "approval"])
async def test_a_practice_is_locked_before_its_cases(house: House, act: str) -> None:
    case_id = await house.dentist.new_case()
    path = await asked_for(house, case_id)
    colleague = await house.add_person("dentist", house.practice.id)
    async with house.rooms.main.transaction() as tx:
        await accounts.lock_controller(tx, house.practice.id)
        acting = asyncio.create_task(
            correct(house, case_id) if act == "correction" else colleague.ask("POST", path, json={})
        )
        await waits_or_ends(house.rooms.main, acting)
        assert not acting.done()
        assert await cases.lock(tx, case_id) is not None

    assert (await acting).status == 202


async def test_a_key_is_given_while_a_puncture_moves_the_old_one(house: House) -> None:
    case_id = await house.dentist.new_case()
    async with house.rooms.keystore.reading() as connection:
        index_key = await keystore.get(connection, Purpose.INDEX_KEY, house.practice.id)
        [case_key] = await keystore.of_case(connection, case_id)
    assert index_key is not None
    async with house.rooms.keystore.transaction() as tx:
        await keystore.replace(tx, [(index_key, index_key.wrapped)], 1)
        acting = asyncio.create_task(correct(house, case_id))
        await waits_or_ends(house.rooms.keystore, acting)
        await keystore.replace(tx, [(case_key, case_key.wrapped)], 1)

    assert (await acting).status == 202


async def test_an_upload_that_ends_while_its_name_is_sealed_anew_keeps_none(house: House) -> None:
    case_id = await house.dentist.new_case()
    address, _ = await house.dentist.begin_upload(case_id, len(SCAN))
    async with house.rooms.main.transaction() as tx:
        await cases.lock(tx, case_id)
        [file] = await files.of_case(tx, case_id)
        acting = asyncio.create_task(house.dentist.ask("DELETE", address, headers=TUS))
        await waits_or_ends(house.rooms.main, acting)
        await files.change(tx, file.id, sealed_name=file.sealed_name)

    assert (await acting).status == 204
    async with house.rooms.main.reading() as connection:
        [ended] = await files.of_case(connection, case_id)
    assert (ended.state, ended.sealed_name) == ("cancelled", None)
