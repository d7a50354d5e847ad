"""What takes two people: the second one agrees by their own password, and the log says so."""

from __future__ import annotations

import pytest

from gateway.access.actors import Actor, operator
from gateway.access.passwords import Passwords
from gateway.access.policy import Action, Role
from gateway.access.second import Credentials, SecondPerson
from gateway.access.throttle import Throttle
from gateway.errors import InvalidInputError, LoginFailedError
from tests.gateway.ground import SQLITE, change, employee, logged
from tests.house import PASSWORD, House

pytestmark = SQLITE
OFFICER = Role.PRIVACY_OFFICER


async def ask(
    house: House, email: str, password: str = PASSWORD, first: Actor | None = None
) -> None:
    given = Credentials(email, password)
    await house.rooms.second.agree(first or operator(), Action.ORPHANS_SWEEP, given, OFFICER)


async def test_the_second_person_agrees_by_their_own_password_and_the_log_names_both(
    house: House,
) -> None:
    email = await employee(house, "privacy_officer")
    given = Credentials(f" {email.upper()}", PASSWORD)
    agreed = await house.rooms.second.agree(operator(), Action.ORPHANS_SWEEP, given, OFFICER)

    assert agreed is not None
    assert agreed.email == email
    [record] = await logged(house, "second.agree")
    assert record["event"]["stage"] == "authorised"
    assert record["user"] == {"access_point": "cli", "id": agreed.id, "role": "privacy_officer"}
    assert record["event"]["detail"] == {"agrees_to": "orphans.sweep", "of": "operator"}


async def test_a_wrong_password_and_an_unknown_second_person_get_one_answer(house: House) -> None:
    email = await employee(house, "privacy_officer")
    shut_out = await employee(house, "planner")
    await change(house, "UPDATE accounts SET disabled_at = 1 WHERE email = :email", email=shut_out)

    for given in (
        (email, "not the right password"),
        ("who@people.invalid", PASSWORD),
        (shut_out, PASSWORD),
    ):
        with pytest.raises(LoginFailedError):
            await ask(house, *given)

    records = await logged(house, "second.agree")
    assert [record["event"]["stage"] for record in records] == ["refused"] * 3
    assert PASSWORD not in str(records)
    assert "not the right" not in str(records)


async def test_nobody_is_their_own_second_person(house: House) -> None:
    email = await employee(house, "privacy_officer")
    [account] = [a for a in await house.rooms.accounts.list_accounts() if a.email == email]
    first = Actor(account.id, OFFICER, email=email)

    with pytest.raises(InvalidInputError) as caught:
        await ask(house, email, first=first)

    assert caught.value.field == "second"
    assert (await logged(house, "second.agree"))[-1]["event"]["stage"] == "refused"


async def test_somebody_of_another_role_is_no_second_person(house: House) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await ask(house, await employee(house, "coordinator"))

    assert caught.value.field == "second"


async def test_without_a_second_person_nothing_happens_unless_the_setting_says_so(
    house: House,
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await house.rooms.second.agree(operator(), Action.ORPHANS_SWEEP, None, OFFICER)
    assert caught.value.field == "second"

    access = house.rooms.services.access
    alone = SecondPerson(
        house.rooms.main, access, Passwords(), Throttle(house.rooms.main, access), needed=False
    )
    assert await alone.agree(operator(), Action.ORPHANS_SWEEP, None, OFFICER) is None
    with pytest.raises(LoginFailedError):
        await alone.agree(
            operator(), Action.ORPHANS_SWEEP, Credentials("who@people.invalid", "x"), OFFICER
        )
