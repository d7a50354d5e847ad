"""People are run by others: a practice's by its manager, everybody's by an administrator."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.access.actors import operator
from gateway.access.people import NewPerson
from storage import accounts
from tests.gateway.ground import (
    SQLITE,
    UNKNOWN,
    Browser,
    change,
    logged,
    refused,
    session_of,
    signed_in,
)
from tests.house import API, PASSWORD, House, Person, keep_confidential

pytestmark = pytest.mark.usefixtures("cheap_passwords")


async def somebody(house: House, role: str = "practice_manager") -> Browser:
    """Who runs people, in a browser."""
    practice = house.practice.id if role == "practice_manager" else None
    return await session_of(house, (await house.add_person(role, practice)).id)


async def own_id(browser: Browser) -> str:
    return str((await browser.ask("GET", f"{API}/session")).json()["account"]["id"])


async def everybody_to(browser: Browser) -> Any:
    return (await browser.ask("GET", f"{API}/accounts")).json()["accounts"]


async def patch(who: Person | Browser, account_id: str, **body: object) -> Any:
    return await who.ask("PATCH", f"{API}/accounts/{account_id}", json=body)


@SQLITE
async def test_a_manager_sees_the_own_people_and_an_administrator_everybody(house: House) -> None:
    _, foreign = await house.add_practice()
    manager, administrator = await somebody(house), await somebody(house, "administrator")

    own, everybody = await everybody_to(manager), await everybody_to(administrator)

    managers = await own_id(manager)
    assert {person["id"] for person in own} == {managers, house.dentist.id}
    assert {foreign.id, house.planner.id, managers} < {person["id"] for person in everybody}
    assert {person["controller_id"] for person in own} == {house.practice.id}


@SQLITE
async def test_a_manager_adds_nobody_to_the_house_or_to_another_practice(house: House) -> None:
    practice, _ = await house.add_practice()
    manager = await somebody(house)
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
    manager = await somebody(house)
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
    who = await somebody(house, role)
    own = await own_id(who)

    for body in ({"role": "dentist"}, {"disabled": False}, {"disabled": True}, {"name": "I"}):
        refused(await patch(who, own, **body), 403, "forbidden")


@SQLITE
async def test_nobody_crosses_between_the_house_and_a_practice_by_a_change_of_role(
    house: House,
) -> None:
    administrator = await somebody(house, "administrator")

    refused(await patch(administrator, house.dentist.id, role="planner"), 422, "invalid_input")
    refused(await patch(administrator, house.planner.id, role="dentist"), 422, "invalid_input")
    assert (await patch(administrator, house.planner.id, role="coordinator")).status == 200


@SQLITE
async def test_who_is_shut_out_is_out_at_once_and_comes_in_again_only_when_let_in(
    house: House,
) -> None:
    manager = await somebody(house)
    browser = await signed_in(house)
    email = "dentist-with-password@people.invalid"
    account_id = await own_id(browser)

    answer = await patch(manager, account_id, disabled=True)
    assert answer.json()["state"] == "disabled"

    refused(await browser.ask("GET", f"{API}/session"), 401, "unauthenticated")
    refused(await browser.sign_in(email), 401, "login_failed")
    assert (await patch(manager, account_id, disabled=False)).json()["state"] == "active"
    assert (await browser.sign_in(email)).status == 200
    outcomes = [one for one in await logged(house, "account.change") if "cause" in one["event"]]
    assert [one["event"]["detail"]["disabled"] for one in outcomes] == [True, False]


@SQLITE
@pytest.mark.parametrize("way", ["operator", "administrator"])
async def test_what_somebody_held_before_they_were_shut_out_is_never_of_use_again(
    house: House, way: str
) -> None:
    case = await house.dentist.new_case()
    upload, _ = await house.dentist.begin_upload(case, 8)
    administrator = await somebody(house, "administrator")

    if way == "operator":
        await house.rooms.accounts.disable(email=house.dentist.email)
    else:
        assert (await patch(administrator, house.dentist.id, disabled=True)).status == 200
    assert (await patch(administrator, house.dentist.id, disabled=False)).status == 200

    refused(await house.dentist.ask("GET", f"{API}/cases"), 401, "unauthenticated")
    refused(await house.dentist.append(upload, 0, b"x"), 410, "upload_gone")
    said = [one["event"].get("detail", {}) for one in await logged(house, "account.change")]
    assert {"disabled": True, "revoked_tokens": 1}.items() <= said[1].items()


@SQLITE
async def test_nobody_changes_who_invited_them_through_others(house: House) -> None:
    first, second, third = [await house.add_person("administrator") for _ in range(3)]
    browser = await session_of(house, third.id)
    statement = "UPDATE accounts SET invited_by = :by WHERE id = :made"
    await change(house, statement, by=first.id, made=second.id)
    await change(house, statement, by=second.id, made=third.id)

    refused(await patch(browser, first.id, disabled=True), 403, "forbidden")
    assert (await patch(await session_of(house, first.id), third.id, disabled=True)).status == 200


@SQLITE
async def test_another_role_ends_the_sessions_of_the_one_before(house: House) -> None:
    manager, browser = await somebody(house), await signed_in(house)

    assert (await patch(manager, await own_id(browser), role="practice_manager")).status == 200

    refused(await browser.ask("GET", f"{API}/accounts"), 401, "unauthenticated")


async def test_two_managers_who_shut_each_other_out_at_once_leave_one(house: House) -> None:
    one, other = await somebody(house), await somebody(house)
    ids = await own_id(one), await own_id(other)

    answers = await asyncio.gather(
        patch(one, ids[1], disabled=True), patch(other, ids[0], disabled=True)
    )

    assert {answer.status for answer in answers} in ({200, 401}, {200, 403})
    left = [(await who.ask("GET", f"{API}/accounts")).status for who in (one, other)]
    assert sorted(left) == [200, 401]


@SQLITE
async def test_a_session_whose_proof_is_old_is_asked_for_it_again(house: House) -> None:
    browser = await signed_in(house, "practice_manager")
    await change(house, "UPDATE sessions SET confirmed_at = 0")
    body = {"email": "who@people.invalid", "role": "dentist"}

    added = await browser.ask("POST", f"{API}/accounts", json=body)
    changed = await patch(browser, house.dentist.id, disabled=True)

    for answer in (added, changed):
        refused(answer, 403, "confirmation_required")
    proof = {"password": PASSWORD}
    assert (await browser.ask("POST", f"{API}/session/confirmation", json=proof)).status == 200
    assert (await browser.ask("POST", f"{API}/accounts", json=body)).status == 201
    assert (await patch(browser, house.dentist.id, disabled=True)).status == 200


@SQLITE
@pytest.mark.parametrize("role", ["practice_manager", "administrator"])
async def test_no_token_lets_anybody_in_or_out(house: House, role: str) -> None:
    who = await house.add_person(role, house.practice.id if role == "practice_manager" else None)
    body = {"email": "who@people.invalid", "role": "dentist", "controller_id": house.practice.id}
    invitation = f"{API}/accounts/{house.dentist.id}/invitation"

    for answer in (
        await who.ask("POST", f"{API}/accounts", json=body),
        await who.ask("POST", invitation),
        await patch(who, house.dentist.id, disabled=True),
        await patch(who, house.dentist.id, role="practice_manager"),
    ):
        refused(answer, 403, "out_of_scope")

    dentist = (await house.dentist.get(f"{API}/account"))["role"]
    emails = {one["email"] for one in (await who.get(f"{API}/accounts"))["accounts"]}
    assert (dentist, "who@people.invalid" in emails) == ("dentist", False)


@SQLITE
@pytest.mark.parametrize("body", [{"disabled": True}, {"role": "practice_manager"}])
async def test_who_is_shut_out_or_has_another_role_has_no_token_any_more(
    house: House, body: dict[str, object]
) -> None:
    manager = await somebody(house)
    await house.dentist.get(f"{API}/account")

    assert (await patch(manager, house.dentist.id, **body)).status == 200
    if "disabled" in body:
        assert (await patch(manager, house.dentist.id, disabled=False)).status == 200

    await house.dentist.get(f"{API}/account", 401)
    outcome, *_ = [one for one in await logged(house, "account.change") if "cause" in one["event"]]
    assert outcome["event"]["detail"]["revoked_tokens"] == 1


@SQLITE
async def test_nobody_changes_their_own_rights_by_a_second_account_that_they_invited(
    house: House,
) -> None:
    first, other = await somebody(house, "administrator"), await somebody(house, "coordinator")
    body = {"email": "second@people.invalid", "role": "administrator"}
    invited = (await first.ask("POST", f"{API}/accounts", json=body)).json()["id"]
    await keep_confidential(house.rooms, invited)
    second, own = await session_of(house, invited), await own_id(first)

    for change_of_own in ({"role": "planner"}, {"disabled": True}, {"name": "Somebody"}):
        refused(await patch(second, own, **change_of_own), 403, "forbidden")
    assert (await patch(second, await own_id(other), role="planner")).status == 200
    assert (await patch(first, invited, role="coordinator")).status == 200


@SQLITE
async def test_an_account_says_who_invited_it_and_nobody_did_whom_the_operator_adds(
    house: House,
) -> None:
    manager = await somebody(house)
    body = {"email": "who@people.invalid", "role": "dentist"}
    invited = (await manager.ask("POST", f"{API}/accounts", json=body)).json()["id"]
    person = NewPerson("other@people.invalid", "planner")
    added = (await house.rooms.services.people.add(operator(), person)).account

    async with house.rooms.main.reading() as connection:
        found = [await accounts.get_account(connection, one) for one in (invited, added.id)]

    assert [one.invited_by for one in found if one] == [await own_id(manager), None]


@SQLITE
async def test_the_log_says_which_fields_were_changed_and_nobodys_name(house: House) -> None:
    manager = await somebody(house)
    name = "Wilhelmina de Vries-Hoekstra"

    assert (await patch(manager, house.dentist.id, name=name)).json()["name"] == name

    records = await logged(house, "account.change")
    assert records[-1]["event"]["detail"] == {"changed": ["name"]}
    assert name not in str(records)


@SQLITE
async def test_an_address_that_has_an_account_is_not_invited(house: House) -> None:
    manager = await somebody(house)
    body = {"email": house.dentist.email.upper(), "role": "dentist"}

    answer = await manager.ask("POST", f"{API}/accounts", json=body)

    assert refused(answer, 422, "invalid_input")["field"] == "email"
