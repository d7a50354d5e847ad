"""The end of a client: everything erased, every version of its key destroyed, nobody let in."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import func, select

from gateway.access.actors import operator
from gateway.access.second import Credentials
from gateway.errors import InvalidInputError, LoginFailedError
from storage.schema import cases, subject_index, subjects, wrapped_keys
from tests.gateway.ground import SQLITE, employee, logged
from tests.house import API, PASSWORD, PATIENT, WAIT_SECONDS, House
from tests.stories.test_erasure import Kept, loot
from tests.stories.test_erasure_certificate import public_keys, verified_body


async def close(house: House, officer: str, password: str = PASSWORD) -> str:
    given = Credentials(officer, password)
    return await house.rooms.closing.close(operator(), house.practice.id, "it ends", given)


async def ended(house: House, request_id: str) -> list[Any]:
    """The certificates, once all are there."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            found = await house.rooms.closing.certificates(request_id)
            if found is not None:
                return [json.loads(erasure.certificate or "") for erasure in found]
            await asyncio.sleep(0.05)


async def test_a_client_ends_with_every_case_and_every_version_of_its_key(house: House) -> None:
    one, _ = await house.submitted_case()
    two = await house.dentist.new_case({**PATIENT, "number": "another"})
    earlier = await house.dentist.new_case()
    await house.dentist.erase(earlier)
    _, foreign = await house.add_practice()
    elsewhere = await foreign.new_case()
    officer = await employee(house, "privacy_officer")
    before = await Kept.of(house)

    request_id = await close(house, officer)
    certificates = await ended(house, request_id)

    keys = await public_keys(house)
    verified = [verified_body(each, keys) for each in certificates]
    bodies = [body for body in verified if body["kind"] == "case"]
    [client] = [body for body in verified if body["kind"] == "client"]
    assert [body["case_id"] for body in bodies] == [one, two]
    assert {each["id"] for each in client["cases"]} == {one, two, earlier}
    assert client["key"]["versions_left"] == []
    assert (client["key"]["destroyed_version"], client["key"]["also_destroyed"]) == (2, [3])
    assert client["second_by"] is not None
    assert not any("guesses" in sentence for sentence in client["not_covered"])
    assert await house.rooms.keyring.versions(house.practice.id) == frozenset()
    today = await loot(house.settings.keyring_path, before + await Kept.of(house))
    assert {owner for owner, _ in today.records} == {elsewhere}
    assert not any(case_id in (one, two, house.practice.id) for _, case_id in today.keys)
    async with house.rooms.keystore.reading() as connection:
        left = (await connection.execute(select(wrapped_keys.c.controller_id))).scalars()
        assert house.practice.id not in set(left)
    async with house.rooms.main.reading() as connection:
        for table in (subjects, subject_index):
            theirs = select(func.count()).where(table.c.controller_id == house.practice.id)
            assert await connection.scalar(theirs) == 0
    assert (await foreign.get(f"{API}/cases/{elsewhere}"))["patient"] == PATIENT


@SQLITE
async def test_who_belonged_to_a_client_that_ended_is_shut_out(house: House) -> None:
    officer = await employee(house, "privacy_officer")
    await ended(house, await close(house, officer))

    assert (await house.dentist.ask("GET", f"{API}/cases")).status == 401
    with pytest.raises(InvalidInputError):
        await house.add_person("dentist", house.practice.id)
    events = await logged(house, "controller.erase")
    assert [event["event"]["stage"] for event in events] == ["authorised", "outcome"] * 2
    assert [event["user"]["role"] for event in events] == ["operator"] * 2 + ["system"] * 2
    assert events[1]["event"]["detail"]["cases"] == 0
    assert {event["object"]["controller_id"] for event in events[1::2]} == {house.practice.id}
    assert (await logged(house, "second.agree"))[-1]["event"]["stage"] == "authorised"


@SQLITE
async def test_asking_for_the_end_again_gives_the_same_one(house: House) -> None:
    officer = await employee(house, "privacy_officer")
    first = await close(house, officer)

    assert await close(house, officer) == first
    await ended(house, first)
    assert await close(house, officer) == first


@SQLITE
async def test_one_person_alone_ends_no_client(house: House) -> None:
    officer, dentist = await employee(house, "privacy_officer"), await employee(house)
    closing = house.rooms.closing

    with pytest.raises(InvalidInputError):
        await closing.close(operator(), house.practice.id, "it ends", None)
    with pytest.raises(LoginFailedError):
        await close(house, officer, "not the right password")
    with pytest.raises(InvalidInputError):
        await close(house, dentist)
    with pytest.raises(InvalidInputError):
        await closing.close(operator(), "nobody", "it ends", Credentials(officer, PASSWORD))
    with pytest.raises(InvalidInputError):
        await closing.close(operator(), house.practice.id, " ", Credentials(officer, PASSWORD))
    case_id = await house.dentist.new_case()
    async with house.rooms.main.reading() as connection:
        frozen = select(cases.c.frozen_at).where(cases.c.id == case_id)
        assert await connection.scalar(frozen) is None
