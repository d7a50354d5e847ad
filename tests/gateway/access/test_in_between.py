"""What happens between a permission and its act is seen by the act (PostgreSQL)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.errors import InvalidInputError
from gateway.ids import hash_secret, new_secret, now
from storage import accounts, links, tokens
from storage.accounts import Account
from storage.links import Link
from tests.gateway.ground import Browser, refused, session_of
from tests.gateway.privacy.test_lock_order import waits_or_ends
from tests.house import API, House
from tests.leaks import planted

pytestmark = [
    pytest.mark.usefixtures("cheap_passwords"),
    pytest.mark.parametrize("backend", ["postgresql"], indirect=True),
]

EMAIL = "new@people.invalid"
ADDING = [
    (f"{API}/accounts", {"email": EMAIL, "role": "dentist"}),
    (f"{API}/practice/services", {"name": "scanner software"}),
]


async def everybody(house: House) -> set[str]:
    async with house.rooms.main.reading() as connection:
        return {account.id for account in await accounts.list_accounts(connection)}


async def manager_of(house: House) -> tuple[str, Browser]:
    person = await house.add_person("practice_manager", house.practice.id)
    return person.id, await session_of(house, person.id)


@pytest.mark.parametrize(("path", "body"), ADDING)
@pytest.mark.parametrize("act", ["shut out", "another role"])
async def test_a_manager_who_is_one_no_more_adds_nobody(
    house: House, path: str, body: dict[str, str], act: str
) -> None:
    manager_id, manager = await manager_of(house)
    before = await everybody(house)
    async with house.rooms.main.transaction() as tx:
        await accounts.lock_controller(tx, house.practice.id)
        adding = asyncio.create_task(manager.ask("POST", path, json=body))
        await waits_or_ends(house.rooms.main, adding)
        if act == "shut out":
            await accounts.disable(tx, manager_id, now())
        else:
            await accounts.change_account(tx, manager_id, role="dentist")

    refused(await adding, 403, "forbidden")
    assert await everybody(house) == before


async def test_an_administrator_adds_nobody_to_a_practice_that_closes(house: House) -> None:
    person = await house.add_person("administrator")
    administrator = await session_of(house, person.id)
    body = {"email": EMAIL, "role": "dentist", "controller_id": house.practice.id}
    async with house.rooms.main.transaction() as tx:
        await accounts.lock_controller(tx, house.practice.id)
        adding = asyncio.create_task(administrator.ask("POST", f"{API}/accounts", json=body))
        await waits_or_ends(house.rooms.main, adding)
        await accounts.close_controller(tx, house.practice.id, now())

    assert refused(await adding, 422, "invalid_input")["field"] == "client"


@pytest.mark.parametrize(("path", "body"), ADDING)
async def test_a_manager_adds_nobody_to_a_practice_that_closes(
    house: House, path: str, body: dict[str, str]
) -> None:
    _, manager = await manager_of(house)
    before = await everybody(house)
    async with house.rooms.main.transaction() as tx:
        await accounts.lock_controller(tx, house.practice.id)
        adding = asyncio.create_task(manager.ask("POST", path, json=body))
        await waits_or_ends(house.rooms.main, adding)
        await accounts.close_controller(tx, house.practice.id, now())

    assert refused(await adding, 422, "invalid_input")["field"] == "client"
    assert await everybody(house) == before


async def test_the_operator_adds_nobody_to_a_practice_that_closes(house: House) -> None:
    practice = house.practice.id
    async with house.rooms.main.transaction() as tx:
        await accounts.lock_controller(tx, practice)
        adding: asyncio.Task[Account] = asyncio.create_task(
            house.rooms.accounts.add_account(email=EMAIL, role="dentist", controller_id=practice)
        )
        await waits_or_ends(house.rooms.main, adding)
        await accounts.close_controller(tx, practice, now())

    with pytest.raises(InvalidInputError) as caught:
        await adding
    assert caught.value.field == "client"


async def test_who_is_shut_out_while_they_use_a_link_stays_out_and_nobody_waits_in_a_ring(
    house: House,
) -> None:
    secret, at, owner = planted("a link", new_secret()), now(), house.dentist.id
    async with house.rooms.main.transaction() as tx:
        await links.add(tx, Link(hash_secret(secret), "reset", owner, at, at + timedelta(hours=1)))
    body = {"secret": secret, "password": planted("a password", "another violet umbrella sings")}
    async with house.rooms.main.transaction() as tx:
        await accounts.lock_account(tx, owner)
        choosing = asyncio.create_task(
            house.stranger.ask("POST", f"{API}/password/resets", json=body)
        )
        await waits_or_ends(house.rooms.main, choosing)
        await accounts.disable(tx, owner, now())

    refused(await choosing, 410, "link_ended")
    async with house.rooms.main.reading() as connection:
        account = await accounts.get_account(connection, owner)
    assert account is not None
    assert account.password_hash is None


@pytest.mark.parametrize("whose", ["own", "a program's"])
async def test_no_token_is_made_while_its_account_is_shut_out(house: House, whose: str) -> None:
    manager_id, manager = await manager_of(house)
    program = await house.add_person("service", house.practice.id)
    path = (
        f"{API}/account/tokens"
        if whose == "own"
        else f"{API}/practice/services/{program.id}/tokens"
    )
    account_id = manager_id if whose == "own" else program.id
    body = {"name": "late", "expires_at": (now() + timedelta(days=1)).isoformat()}
    async with house.rooms.main.transaction() as tx:
        await accounts.lock_account(tx, account_id)
        making = asyncio.create_task(manager.ask("POST", path, json=body))
        await waits_or_ends(house.rooms.main, making)
        await accounts.disable(tx, account_id, now())

    assert (await making).status in {401, 404}
    async with house.rooms.main.reading() as connection:
        assert not await tokens.running(connection, account_id, now())
