"""People are run by others: a practice's by its manager, everybody's by an administrator."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.gateway.ground import SQLITE, UNKNOWN, Browser, change, logged, refused, signed_in
from tests.house import API, PASSWORD, House, Person

pytestmark = pytest.mark.usefixtures("cheap_passwords")


async def manager_of(house: House) -> Person:
    return await house.add_person("practice_manager", house.practice.id)


async def patch(who: Person | Browser, account_id: str, **body: object) -> Any:
    return await who.ask("PATCH", f"{API}/accounts/{account_id}", json=body)


@SQLITE
async def test_a_manager_sees_the_own_people_and_an_administrator_everybody(house: House) -> None:
    _, foreign = await house.add_practice()
    manager, administrator = await manager_of(house), await house.add_person("administrator")

    own = (await manager.get(f"{API}/accounts"))["accounts"]
    everybody = (await administrator.get(f"{API}/accounts"))["accounts"]

    assert {person["id"] for person in own} == {manager.id, house.dentist.id}
    assert {foreign.id, house.planner.id, manager.id} < {person["id"] for person in everybody}
    assert {person["controller_id"] for person in own} == {house.practice.id}


@SQLITE
async def test_a_manager_adds_nobody_to_the_house_or_to_another_practice(house: House) -> None:
    practice, _ = await house.add_practice()
    manager = await manager_of(house)
    asked = {"email": "who@people.invalid", "role": "dentist"}

    for role in ("administrator", "privacy_officer", "planner", "coordinator", "operator"):
        answer = await manager.ask("POST", f"{API}/accounts", json={**asked, "role": role})
        assert refused(answer, 422, "invalid_input")["field"] == "role"
    said = [
        await manager.ask("POST", f"{API}/accounts", json={**asked, "controller_id": one})
        for one in (practice.id, UNKNOWN)
    ]

    assert said[0].body == said[1].body
    assert refused(said[0], 422, "invalid_input")["field"] == "client"


@SQLITE
async def test_an_account_of_another_practice_answers_like_one_that_does_not_exist(
    house: House,
) -> None:
    _, foreign = await house.add_practice()
    manager = await manager_of(house)
    for method, tail in (("PATCH", ""), ("POST", "/invitation")):
        said = [
            await manager.ask(method, f"{API}/accounts/{one}{tail}", json={"disabled": True})
            for one in (foreign.id, house.planner.id, UNKNOWN)
        ]
        assert {answer.status for answer in said} == {404}
        assert len({answer.body for answer in said}) == 1


@SQLITE
@pytest.mark.parametrize("role", ["practice_manager", "administrator"])
async def test_nobody_changes_their_own_role_or_lets_themself_in(house: House, role: str) -> None:
    who = await house.add_person(role, house.practice.id if role != "administrator" else None)

    for body in ({"role": "dentist"}, {"disabled": False}, {"disabled": True}, {"name": "I"}):
        refused(await patch(who, who.id, **body), 403, "forbidden")


@SQLITE
async def test_nobody_crosses_between_the_house_and_a_practice_by_a_change_of_role(
    house: House,
) -> None:
    administrator = await house.add_person("administrator")

    refused(await patch(administrator, house.dentist.id, role="planner"), 422, "invalid_input")
    refused(await patch(administrator, house.planner.id, role="dentist"), 422, "invalid_input")
    assert (await patch(administrator, house.planner.id, role="coordinator")).status == 200


@SQLITE
async def test_who_is_shut_out_is_out_at_once_and_comes_in_again_only_when_let_in(
    house: House,
) -> None:
    manager = await manager_of(house)
    browser = await signed_in(house)
    email = "dentist-with-password@people.invalid"
    everybody = (await manager.get(f"{API}/accounts"))["accounts"]
    account_id = next(person["id"] for person in everybody if person["email"] == email)

    answer = await patch(manager, account_id, disabled=True)
    assert answer.json()["state"] == "disabled"

    refused(await browser.ask("GET", f"{API}/session"), 401, "unauthenticated")
    refused(await browser.sign_in(email), 401, "login_failed")
    assert (await patch(manager, account_id, disabled=False)).json()["state"] == "active"
    assert (await browser.sign_in(email)).status == 200
    outcomes = [one for one in await logged(house, "account.change") if "cause" in one["event"]]
    assert [one["event"]["detail"]["disabled"] for one in outcomes] == [True, False]


@SQLITE
async def test_another_role_ends_the_sessions_of_the_one_before(house: House) -> None:
    manager, browser = await manager_of(house), await signed_in(house)
    own = (await browser.ask("GET", f"{API}/session")).json()["account"]["id"]

    assert (await patch(manager, own, role="practice_manager")).status == 200

    refused(await browser.ask("GET", f"{API}/accounts"), 401, "unauthenticated")


async def test_two_managers_who_shut_each_other_out_at_once_leave_one(house: House) -> None:
    one, other = await manager_of(house), await manager_of(house)

    answers = await asyncio.gather(
        patch(one, other.id, disabled=True), patch(other, one.id, disabled=True)
    )

    assert {answer.status for answer in answers} in ({200, 401}, {200, 403})
    left = [(await who.ask("GET", f"{API}/accounts")).status for who in (one, other)]
    assert sorted(left) == [200, 401]


@SQLITE
async def test_a_change_in_a_session_whose_proof_is_old_asks_for_it_again(house: House) -> None:
    browser = await signed_in(house, "practice_manager")
    await change(house, "UPDATE sessions SET confirmed_at = 0")

    answer = await patch(browser, house.dentist.id, disabled=True)

    refused(answer, 403, "confirmation_required")
    body = {"password": PASSWORD}
    assert (await browser.ask("POST", f"{API}/session/confirmation", json=body)).status == 200
    assert (await patch(browser, house.dentist.id, disabled=True)).status == 200


@SQLITE
async def test_the_log_says_which_fields_were_changed_and_nobodys_name(house: House) -> None:
    manager = await manager_of(house)
    name = "Wilhelmina de Vries-Hoekstra"

    assert (await patch(manager, house.dentist.id, name=name)).json()["name"] == name

    records = await logged(house, "account.change")
    assert records[-1]["event"]["detail"] == {"changed": ["name"]}
    assert name not in str(records)


@SQLITE
async def test_an_address_that_has_an_account_is_not_invited(house: House) -> None:
    manager = await manager_of(house)
    body = {"email": house.dentist.email.upper(), "role": "dentist"}

    answer = await manager.ask("POST", f"{API}/accounts", json=body)

    assert refused(answer, 422, "invalid_input")["field"] == "email"
