"""Moving a practice's key on: every living key moves along, and nobody holds the old one."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway.app import open_rooms
from gateway.ids import new_id, now
from keys.context import Context, Purpose
from keys.errors import KeysError
from keys.secret import SecretKey
from storage import erasures, keystore, nodes
from storage.errors import StaleKeyVersionError
from storage.schema import wrapped_keys
from tests.gateway.ground import until
from tests.house import API, PASSPHRASE, PATIENT, SCAN, House


async def step_of(house: House) -> str:
    async with house.rooms.main.reading() as connection:
        [erasure] = await erasures.unfinished(connection)
        puncture = await erasures.get_puncture(connection, erasure.puncture_id or "")
    return puncture.step


async def ask_to_erase(house: House, case_id: str) -> None:
    body = {"reason": "asked for", "confirm": case_id}
    await house.dentist.post(f"{API}/cases/{case_id}/erasure", body, 202)


async def wait_for_step(house: House, step: str) -> None:
    async def is_there() -> bool:
        async with house.rooms.main.reading() as connection:
            return bool(await erasures.punctures_at(connection, step))

    await until(is_there)


async def wait_until_erased(house: House, case_id: str) -> None:
    path = f"{API}/cases/{case_id}/erasure"

    async def is_done() -> bool:
        return bool((await house.dentist.get(path))["step"] == "done")

    await until(is_done)


async def test_an_erasure_waits_until_the_other_process_has_let_go_of_the_key(
    house: House,
) -> None:
    erased, living = await house.dentist.new_case(), await house.dentist.new_case()
    async with open_rooms(house.settings, PASSPHRASE) as other:
        await other.heartbeat.beat()
        await ask_to_erase(house, erased)
        await wait_for_step(house, "backed_up")
        for _ in range(3):
            await house.rooms.erasures.advance()
        assert await step_of(house) == "backed_up"

        await other.heartbeat.beat()
        await wait_until_erased(house, erased)
        with pytest.raises(KeysError):
            await other.keyring.wrap(1, SecretKey.generate(), _place(house))
        assert (await house.dentist.get(f"{API}/cases/{living}"))["patient"] == PATIENT


async def test_a_process_that_died_is_not_waited_for(house: House) -> None:
    case_id = await house.dentist.new_case()
    async with house.rooms.main.transaction() as tx:
        await nodes.beat(tx, new_id(), now(), now() - timedelta(seconds=1))
    await ask_to_erase(house, case_id)

    await wait_until_erased(house, case_id)


async def test_a_process_that_signed_off_is_not_waited_for(house: House) -> None:
    case_id = await house.dentist.new_case()
    async with open_rooms(house.settings, PASSPHRASE) as other:
        await other.heartbeat.beat()
        await other.heartbeat.leave()
    await ask_to_erase(house, case_id)

    await wait_until_erased(house, case_id)


async def test_every_living_key_moves_along_and_opens(house: House) -> None:
    living, scan = await house.submitted_case()
    draft = await house.dentist.new_case()
    address, _ = await house.dentist.begin_upload(draft, len(SCAN))
    await house.dentist.append(address, 0, SCAN[:1000])
    _, foreign = await house.add_practice()
    elsewhere = await foreign.new_case()
    await house.dentist.erase(await house.dentist.new_case({**PATIENT, "number": "another"}))

    async with house.rooms.keystore.reading() as connection:
        rows = (await connection.execute(select(wrapped_keys))).all()
        ours = await keystore.versions(connection, house.practice.id)
    versions = {row.version for row in rows if row.controller_id == house.practice.id}
    assert versions == {None, 2}
    assert {row.version for row in rows if row.controller_id != house.practice.id} == {1}
    assert [(v.version, v.state) for v in ours] == [(1, "destroyed"), (2, "current")]
    assert await house.rooms.keyring.versions(house.practice.id) == {2}
    assert len(await house.dentist.download(living, scan["id"])) == len(SCAN)
    assert (await foreign.get(f"{API}/cases/{elsewhere}"))["patient"] == PATIENT
    found = await house.dentist.post(f"{API}/cases/search", {"patient_number": PATIENT["number"]})
    assert [case["id"] for case in found["cases"]] == [draft, living]
    assert (await house.dentist.append(address, 1000, SCAN[1000:])).status == 204


async def test_a_key_cannot_be_stored_behind_a_puncture(house: House) -> None:
    place, secret = _place(house), SecretKey.generate()
    wrapped = await house.rooms.keyring.wrap(1, secret, place)
    await house.dentist.erase(await house.dentist.new_case())
    row = keystore.WrappedKey(
        purpose=place.purpose,
        object_id=place.object_id,
        controller_id=place.controller_id,
        case_id=place.case_id,
        version=1,
        wrapped=wrapped,
        created_at=now(),
    )

    with pytest.raises(StaleKeyVersionError):
        async with house.rooms.keystore.transaction() as tx:
            await keystore.add(tx, row)


async def test_cases_begun_while_the_key_moves_on_all_open_afterwards(house: House) -> None:
    erased = [await house.dentist.new_case() for _ in range(3)]
    made: list[str] = []

    async def go_on() -> None:
        made.extend([await house.dentist.new_case() for _ in range(10)])

    await asyncio.gather(*(house.dentist.erase(case_id) for case_id in erased), go_on())

    for case_id in made:
        assert (await house.dentist.get(f"{API}/cases/{case_id}"))["patient"] == PATIENT
    async with house.rooms.keystore.reading() as connection:
        rows = (await connection.execute(select(wrapped_keys.c.version))).scalars().all()
        current = await keystore.current_version(connection, house.practice.id)
    assert set(rows) == {current}


async def test_a_heartbeat_says_that_the_process_lives_until_it_leaves(house: House) -> None:
    async with open_rooms(house.settings, PASSPHRASE) as other:
        await other.heartbeat.beat()
        async with house.rooms.main.reading() as connection:
            assert len(await nodes.still_holding(connection, house.practice.id, 1, now())) == 2
        await other.heartbeat.leave()
        async with house.rooms.main.reading() as connection:
            assert len(await nodes.still_holding(connection, house.practice.id, 1, now())) == 1


def _place(house: House) -> Context:
    case_id = new_id()
    return Context(Purpose.CASE_KEY, house.practice.id, case_id, case_id)
