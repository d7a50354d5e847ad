"""A practice's software: kept by its manager; it has tokens, no password, and little to do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from gateway.errors import InvalidInputError
from gateway.ids import now
from tests.gateway.ground import SQLITE, UNKNOWN, Browser, change, refused, signed_in
from tests.house import API, PASSWORD, PATIENT, House, Person
from tests.leaks import planted

pytestmark = SQLITE

PATH = f"{API}/practice/services"


async def manager(house: House) -> Browser:
    return await signed_in(house, "practice_manager")


def token() -> Mapping[str, Any]:
    return {"name": "key 1", "expires_at": (now() + timedelta(days=90)).isoformat()}


async def added(browser: Browser) -> str:
    answer = await browser.ask("POST", PATH, json={"name": "scanner software"})
    assert answer.status == 201, answer.text
    return str(answer.json()["id"])


async def program(browser: Browser, service: str, **limits: list[str]) -> Person:
    body = {**token(), **limits}
    answer = await browser.ask("POST", f"{PATH}/{service}/tokens", json=body)
    assert answer.status == 201, answer.text
    secret = planted("a token", answer.json()["token"])
    return Person(browser.house.session, browser.url, secret)


async def test_a_program_of_the_practice_brings_cases_in_and_reads_them(house: House) -> None:
    browser = await manager(house)
    software = await program(browser, await added(browser))
    case_id = await software.new_case()

    assert (await software.get(f"{API}/cases/{case_id}"))["patient"]["name"] == PATIENT["name"]
    assert len((await software.get(f"{API}/cases"))["cases"]) == 1
    (listed,) = (await browser.ask("GET", PATH)).json()["services"]
    assert listed["name"] == "scanner software"
    assert [entry["name"] for entry in listed["tokens"]] == ["key 1"]


async def test_a_program_erases_corrects_and_manages_nothing(house: House) -> None:
    browser = await manager(house)
    software = await program(browser, await added(browser))
    case_id = await software.new_case()
    body = {"reason": "asked for", "confirm": case_id}

    path = f"{API}/cases/{case_id}"
    refused(await software.ask("POST", f"{path}/erasure", json=body), 403, "out_of_scope")
    named = await program(browser, await added(browser), actions=["case.erase"])
    refused(await named.ask("POST", f"{path}/erasure", json=body), 403, "forbidden")
    refused(await software.ask("PUT", f"{path}/patient", json=PATIENT), 403, "forbidden")
    refused(await software.ask("GET", f"{path}/events"), 403, "forbidden")
    refused(await software.ask("GET", PATH), 403, "forbidden")


async def test_a_program_never_signs_in(house: House) -> None:
    service = await added(await manager(house))
    email = f"{service}@service.invalid"

    refused(await Browser(house, house.url).sign_in(email), 401, "login_failed")
    with pytest.raises(InvalidInputError, match="tokens alone"):
        await house.rooms.accounts.add_account(
            email="x@service.invalid",
            role="service",
            controller_id=house.practice.id,
            password=PASSWORD,
        )


async def test_a_program_that_is_ended_loses_its_tokens_at_once(house: House) -> None:
    browser = await manager(house)
    service = await added(browser)
    software = await program(browser, service)
    await software.get(f"{API}/cases")

    assert (await browser.ask("DELETE", f"{PATH}/{service}")).status == 204
    refused(await software.ask("GET", f"{API}/cases"), 401, "unauthenticated")
    assert (await browser.ask("GET", PATH)).json()["services"] == []
    again = await browser.ask("POST", f"{PATH}/{service}/tokens", json=token())
    refused(again, 404, "not_found")


async def test_one_token_of_a_program_is_revoked_and_the_other_goes_on(house: House) -> None:
    browser = await manager(house)
    service = await added(browser)
    first, second = await program(browser, service), await program(browser, service)
    (listed,) = (await browser.ask("GET", PATH)).json()["services"]

    newest = listed["tokens"][0]["id"]
    assert (await browser.ask("DELETE", f"{PATH}/{service}/tokens/{newest}")).status == 204
    refused(await second.ask("GET", f"{API}/cases"), 401, "unauthenticated")
    assert (await first.ask("GET", f"{API}/cases")).status == 200


async def test_no_manager_makes_a_token_of_a_person_or_of_another_practice(house: House) -> None:
    browser = await manager(house)
    south, _ = await house.add_practice()
    theirs = await house.add_person("service", south.id)
    answers = [
        await browser.ask("POST", f"{PATH}/{account}/tokens", json=token())
        for account in (house.dentist.id, house.planner.id, theirs.id, UNKNOWN)
    ]

    for answer in answers:
        refused(answer, 404, "not_found")
        assert answer.body == answers[-1].body
    refused(await browser.ask("DELETE", f"{PATH}/{house.dentist.id}"), 404, "not_found")
    assert (await house.dentist.ask("GET", f"{API}/cases")).status == 200


async def test_programs_are_kept_by_the_manager_alone_and_with_a_fresh_proof(
    house: House,
) -> None:
    browser = await manager(house)
    service = await added(browser)

    refused(await house.dentist.ask("GET", PATH), 403, "forbidden")
    dentist = await signed_in(house)
    refused(await dentist.ask("POST", PATH, json={"name": "mine"}), 403, "forbidden")
    await change(house, "UPDATE sessions SET confirmed_at = confirmed_at - 3600000000")
    answer = await browser.ask("POST", f"{PATH}/{service}/tokens", json=token())
    refused(answer, 403, "confirmation_required")
