"""What the operator makes: practices, people, passwords and tokens, each with its event."""

from __future__ import annotations

import pytest

from gateway.access.passwords import Passwords
from gateway.access.policy import Role
from gateway.access.strength import MAXIMUM_LENGTH, MINIMUM_LENGTH
from gateway.errors import InvalidInputError, WeakPasswordError
from gateway.ids import hash_secret, new_id, new_secret
from tests.gateway.ground import SQLITE, Browser, logged, refused
from tests.house import API, PASSWORD, House


@SQLITE
async def test_an_account_that_cannot_be_is_refused_by_its_field(house: House) -> None:
    practice, taken = house.practice.id, house.planner.email
    wrong = [
        ("email", {"email": "no address", "role": "planner"}),
        ("email", {"email": "two@people.invalid,three@people.invalid", "role": "planner"}),
        ("email", {"email": "a\0@people.invalid", "role": "planner"}),
        ("email", {"email": taken.upper(), "role": "planner"}),
        ("role", {"email": "new@people.invalid", "role": "king"}),
        ("role", {"email": "new@people.invalid", "role": "system"}),
        ("role", {"email": "new@people.invalid", "role": "operator"}),
        ("client", {"email": "new@people.invalid", "role": "dentist"}),
        ("client", {"email": "new@people.invalid", "role": "dentist", "controller_id": new_id()}),
        ("client", {"email": "new@people.invalid", "role": "planner", "controller_id": practice}),
        ("password", {"email": "new@people.invalid", "role": "planner", "password": "short"}),
    ]
    accounts = house.rooms.accounts
    before = await accounts.list_accounts()
    for field, given in wrong:
        with pytest.raises(InvalidInputError) as caught:
            await accounts.add_account(**given)
        assert caught.value.field == field, given
    assert await accounts.list_accounts() == before


@SQLITE
@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "two\nlines"])
async def test_a_practice_has_a_name_of_one_line(house: House, name: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await house.rooms.accounts.add_controller(name=name, email="mail@north.invalid")

    assert caught.value.field == "name"


async def test_every_act_of_the_operator_is_an_event(house: House) -> None:
    await house.rooms.accounts.set_password(email=house.planner.email, password=PASSWORD)

    for code in ("controller.add", "account.add", "token.create", "account.change"):
        records = await logged(house, code)
        assert {record["user"]["id"] for record in records} == {"operator"}
        assert {record["event"]["stage"] for record in records} == {"authorised", "outcome"}


@SQLITE
async def test_a_new_password_replaces_the_old_one(house: House) -> None:
    email, accounts = house.planner.email, house.rooms.accounts
    await accounts.set_password(email=email, password=PASSWORD)
    await accounts.set_password(email=email, password="another long password")
    browser = Browser(house, house.url)

    refused(await browser.sign_in(email, PASSWORD), 401, "login_failed")
    assert (await browser.sign_in(email, "another long password")).status == 200
    with pytest.raises(InvalidInputError):
        await accounts.set_password(email="nobody@people.invalid", password=PASSWORD)


@SQLITE
async def test_a_token_is_its_accounts_own_and_unguessable(house: House) -> None:
    token = await house.rooms.accounts.create_token(email=f" {house.officer.email.upper()} ")

    assert len(token) == 43
    assert token != house.officer.token
    answer = await house.stranger.ask(
        "GET", f"{API}/cases", headers={"Authorization": f"Bearer {token}"}
    )
    refused(answer, 403, "forbidden")
    with pytest.raises(InvalidInputError):
        await house.rooms.accounts.create_token(email="nobody@people.invalid")


async def test_a_password_is_kept_as_argon2id_and_checked_by_it() -> None:
    passwords = Passwords()
    kept = await passwords.hash(PASSWORD)

    assert kept.startswith("$argon2id$v=19$m=65536,t=3,")
    assert await passwords.verify(kept, PASSWORD)
    assert not await passwords.verify(kept, PASSWORD.upper())
    assert not await passwords.verify(None, "nobody has this password")
    assert not await passwords.verify("$argon2id$broken", PASSWORD)
    assert not await passwords.verify(kept, "x" * (MAXIMUM_LENGTH + 1))
    assert await passwords.hash(PASSWORD) != kept


@pytest.mark.parametrize("length", [0, MINIMUM_LENGTH - 1, MAXIMUM_LENGTH + 1])
async def test_a_password_has_a_length(length: int) -> None:
    with pytest.raises(WeakPasswordError) as caught:
        await Passwords().hash("x" * length)

    assert caught.value.field == "password"


def test_ids_sort_by_time_and_secrets_repeat_never() -> None:
    ids = [new_id() for _ in range(1000)]

    assert len(set(ids)) == 1000
    assert [one[:13] for one in ids] == sorted(one[:13] for one in ids)
    assert {one[14] for one in ids} == {"7"}
    assert {one[19] for one in ids} <= set("89ab")
    secrets = {new_secret() for _ in range(1000)}
    assert len(secrets) == len({hash_secret(secret) for secret in secrets}) == 1000
    assert set(Role) >= {"dentist", "planner"}
