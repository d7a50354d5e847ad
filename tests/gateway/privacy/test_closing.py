"""The end of a client: everything erased, every version of its key destroyed, nobody let in."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import func, select

from gateway.access.actors import operator
from gateway.access.notices import tell
from gateway.access.second import Credentials
from gateway.errors import InvalidInputError, LoginFailedError
from gateway.ids import new_id, now
from storage import accounts, recoveries
from storage.identities import LinkedIdentity, link
from storage.recoveries import FactorRecovery
from storage.schema import (
    cases,
    devices,
    factors,
    identities,
    notices,
    recovery_codes,
    sessions,
    sign_ins,
    subject_index,
    subjects,
    tokens,
    wrapped_keys,
)
from tests.gateway.ground import SQLITE, Browser, employee, logged
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


async def proofs_of(house: House, account_id: str) -> list[int]:
    """How many there are of each thing that lets somebody in, and of their keys."""
    found = []
    async with house.rooms.main.reading() as connection:
        for table in (factors, recovery_codes, identities, sign_ins, devices, sessions):
            theirs = select(func.count()).where(table.c.account_id == account_id)
            found.append(await connection.scalar(theirs) or 0)
    async with house.rooms.keystore.reading() as connection:
        theirs = select(func.count()).where(wrapped_keys.c.object_id == account_id)
        return [*found, await connection.scalar(theirs) or 0]


@SQLITE
async def test_with_a_client_goes_all_that_its_people_could_sign_in_by(house: House) -> None:
    email, browser = await employee(house), Browser(house, house.url)
    officer = await employee(house, "privacy_officer")
    await browser.sign_in(email)
    await browser.enrol(email)
    own = (await browser.ask("GET", f"{API}/account")).json()["id"]
    async with house.rooms.main.transaction() as tx:
        await link(tx, LinkedIdentity("https://provider.invalid", "subject", own, now()))
    body = {"email": email, "password": PASSWORD}
    assert (await house.stranger.ask("POST", f"{API}/session", json=body)).status == 202
    assert await proofs_of(house, own) == [1, 10, 1, 1, 1, 1, 1]

    await ended(house, await close(house, officer))

    assert await proofs_of(house, own) == [0] * 7


@SQLITE
async def test_of_the_people_of_a_client_that_ended_nothing_is_left_but_id_role_and_times(
    house: House,
) -> None:
    officer, email = await employee(house, "privacy_officer"), await employee(house)
    browser = Browser(house, house.url)
    await browser.sign_in(email)
    await browser.enrol(email)
    own = (await browser.ask("GET", f"{API}/account")).json()["id"]
    await browser.ask("PATCH", f"{API}/account", json={"name": "Wilhelmina", "phone": "+31 20 1"})
    lost = FactorRecovery(new_id(), own, "lost", "asked", house.dentist.id, now())
    async with house.rooms.main.transaction() as tx:
        await recoveries.add(tx, lost)
        await tell(tx, "factor_recovery_asked", account_id=own)

    await ended(house, await close(house, officer))

    looked_at = await house.rooms.inventory.take(lambda _: None)
    assert not [fault for tally in looked_at for fault in tally.faults]
    async with house.rooms.main.reading() as connection:
        account = await accounts.get_account(connection, own)
        assert account is not None
        assert account.closed_at is not None
        assert (account.name, account.phone, account.password_hash) == (None, None, None)
        assert account.email == f"{own}@closed.invalid"
        told = select(notices).where(notices.c.account_id == own)
        assert not (await connection.execute(told)).all()
        of_dentist = select(tokens.c.name).where(tokens.c.account_id == house.dentist.id)
        assert set((await connection.execute(of_dentist)).scalars()) == {""}
        stopped = await recoveries.get(connection, lost.id)
        assert stopped is not None
        assert stopped.state == "stopped"
    again = await house.rooms.accounts.add_account(email=email, role="planner", password=PASSWORD)
    assert again.id != own


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
