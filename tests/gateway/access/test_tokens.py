"""API tokens: limited to acts, cases and networks, ending, shown once, kept by their hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gateway.access.limits import BY_NAME, SESSION_ONLY
from gateway.access.policy import Action
from gateway.access.scope import Limits, Scope, scope_of
from gateway.errors import InvalidInputError
from gateway.ids import hash_secret, now
from storage.schema import tokens
from tests.gateway.ground import SQLITE, UNKNOWN, Browser, change, logged, refused, signed_in
from tests.house import API, House, Person
from tests.leaks import planted

PATH = f"{API}/account/tokens"


def wanted(**limits: Sequence[str]) -> Mapping[str, Any]:
    ends = (now() + timedelta(days=30)).isoformat()
    return {"name": "scanner of room 2", "expires_at": ends, **limits}


async def with_token(browser: Browser, **limits: Sequence[str]) -> Person:
    """The person of this browser again, by a new token with these limits."""
    answer = await browser.ask("POST", PATH, json=wanted(**limits))
    assert answer.status == 201, answer.text
    token = planted("a token", answer.json()["token"])
    return Person(browser.house.session, browser.url, token)


async def test_a_token_does_the_acts_that_it_names_and_no_other(house: House) -> None:
    program = await with_token(await signed_in(house), actions=["case.create", "case.list"])
    case_id = await program.new_case()

    assert [case["id"] for case in (await program.get(f"{API}/cases"))["cases"]] == [case_id]
    refused(await program.ask("GET", f"{API}/cases/{case_id}"), 403, "out_of_scope")
    refused(await program.ask("GET", f"{API}/cases/{UNKNOWN}"), 403, "out_of_scope")
    assert (await house.dentist.ask("GET", f"{API}/cases/{case_id}")).status == 200


async def test_a_token_reaches_the_cases_that_it_names_and_no_other(house: House) -> None:
    ours, other = await house.dentist.new_case(), await house.dentist.new_case()
    program = await with_token(await signed_in(house), cases=[ours])

    assert (await program.get(f"{API}/cases/{ours}"))["id"] == ours
    beyond = await program.ask("GET", f"{API}/cases/{other}")
    unknown = await program.ask("GET", f"{API}/cases/{UNKNOWN}")
    refused(beyond, 403, "out_of_scope")
    assert beyond.body == unknown.body
    for path in ("cases", "erasures", f"log/events?controller={house.practice.id}"):
        refused(await program.ask("GET", f"{API}/{path}"), 403, "out_of_scope")


async def test_a_token_of_one_case_erases_no_other_by_a_list(house: House) -> None:
    ours, other = await house.dentist.new_case(), await house.dentist.new_case()
    program = await with_token(await signed_in(house), cases=[ours], actions=["case.erase"])
    body = {"cases": [ours, other], "reason": "asked for", "confirm": 2}

    refused(await program.ask("POST", f"{API}/erasures", json=body), 403, "out_of_scope")
    assert (await house.dentist.get(f"{API}/cases/{other}"))["state"] == "draft"


async def test_a_token_opens_from_its_networks_alone(house: House) -> None:
    browser = await signed_in(house)
    near = await with_token(browser, networks=["127.0.0.0/8", "2001:db8::/32"])
    far = await with_token(browser, networks=["192.0.2.0/24"])

    await near.get(f"{API}/cases")
    refused(await far.ask("GET", f"{API}/cases"), 401, "unauthenticated")
    assert (await logged(house, "session.use"))[-1]["event"]["stage"] == "refused"


async def test_no_scope_widens_what_the_role_may(house: House) -> None:
    planner = await signed_in(house, "planner")
    program = await with_token(planner, actions=["case.create", "case.view"])
    case_id = await house.dentist.new_case()

    body = {"patient": {"name": "x", "birth_date": "2001-02-03", "number": "1"}}
    refused(await program.ask("POST", f"{API}/cases", json=body), 403, "forbidden")
    refused(await program.ask("GET", f"{API}/cases/{case_id}"), 404, "not_found")


@SQLITE
async def test_no_token_makes_or_ends_a_token(house: House) -> None:
    browser = await signed_in(house)
    program = await with_token(browser)
    (listed,) = (await program.get(PATH))["tokens"]

    refused(await program.ask("POST", PATH, json=wanted()), 403, "out_of_scope")
    refused(await program.ask("DELETE", f"{PATH}/{listed['id']}"), 403, "out_of_scope")
    assert (await browser.ask("GET", PATH)).json()["tokens"] != []


@SQLITE
async def test_a_token_is_shown_once_and_kept_by_its_hash(house: House) -> None:
    browser = await signed_in(house)
    program = await with_token(browser, actions=["case.list"])
    assert program.token is not None
    async with house.rooms.main.reading() as connection:
        kept = (await connection.execute(select(tokens.c.secret_hash))).scalars().all()

    assert hash_secret(program.token) in kept
    shown = (await browser.ask("GET", PATH)).text
    assert program.token not in shown
    assert hash_secret(program.token).hex() not in shown


async def test_the_list_tells_limits_and_last_use(house: House) -> None:
    browser = await signed_in(house)
    case_id = await house.dentist.new_case()
    limits = {
        "actions": ["case.view", "file.view"],
        "cases": [case_id],
        "networks": ["127.0.0.1/32", "192.0.2.0/24"],
    }
    program = await with_token(browser, **limits)
    (before,) = (await browser.ask("GET", PATH)).json()["tokens"]
    await program.get(f"{API}/cases/{case_id}")
    (after,) = (await browser.ask("GET", PATH)).json()["tokens"]

    assert {name: before[name] for name in limits} == limits
    assert (before["name"], before["used_at"]) == ("scanner of room 2", None)
    assert after["used_at"] is not None


async def test_a_revoked_token_is_refused_on_the_next_request(house: House) -> None:
    browser = await signed_in(house)
    program = await with_token(browser)
    (listed,) = (await browser.ask("GET", PATH)).json()["tokens"]
    await program.get(f"{API}/cases")

    assert (await browser.ask("DELETE", f"{PATH}/{listed['id']}")).status == 204
    refused(await program.ask("GET", f"{API}/cases"), 401, "unauthenticated")
    assert (await browser.ask("GET", PATH)).json()["tokens"] == []
    again = await browser.ask("DELETE", f"{PATH}/{listed['id']}")
    refused(again, 404, "not_found")


async def test_nobody_ends_a_token_of_somebody_else(house: House) -> None:
    browser = await signed_in(house)
    program = await with_token(browser)
    (listed,) = (await browser.ask("GET", PATH)).json()["tokens"]
    planner = await signed_in(house, "planner")

    foreign = await planner.ask("DELETE", f"{PATH}/{listed['id']}")
    unknown = await planner.ask("DELETE", f"{PATH}/{UNKNOWN}")
    refused(foreign, 404, "not_found")
    assert foreign.body == unknown.body
    await program.get(f"{API}/cases")


@SQLITE
async def test_a_token_ends_when_it_says(house: House) -> None:
    program = await with_token(await signed_in(house))
    await change(
        house, "UPDATE tokens SET expires_at = created_at WHERE name = 'scanner of room 2'"
    )

    refused(await program.ask("GET", f"{API}/cases"), 401, "unauthenticated")


@SQLITE
async def test_making_a_token_takes_a_fresh_confirmation(house: House) -> None:
    browser = await signed_in(house)
    await change(house, "UPDATE sessions SET confirmed_at = confirmed_at - 3600000000")

    answer = await browser.ask("POST", PATH, json=wanted())
    refused(answer, 403, "confirmation_required")


@SQLITE
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("name", "a\nb"),
        ("actions", ["case.explode"]),
        ("actions", ["token.create"]),
        ("actions", []),
        ("cases", ["1"]),
        ("networks", ["127.0.0.1/8"]),
        ("networks", ["example.org"]),
        ("expires_at", "2020-01-01T00:00:00Z"),
        ("expires_at", "2999-01-01T00:00:00Z"),
        ("expires_at", "2026-12-31T00:00:00"),
    ],
)
async def test_a_limit_that_makes_no_sense_is_refused(
    house: House, field: str, value: object
) -> None:
    browser = await signed_in(house)

    answer = await browser.ask("POST", PATH, json={**wanted(), field: value})
    problem = refused(answer, 422, "invalid_input")
    assert problem["field"] == field


def test_a_limit_reads_back_as_it_was_written() -> None:
    scope = scope_of(Limits(["case.view"], [UNKNOWN], ["2001:db8::/32"]))

    assert type(scope).parse(scope.kept) == scope
    assert scope.admits("2001:db8::1")
    assert not scope.admits("192.0.2.1")
    assert not scope.admits(None)


def test_an_ipv4_address_on_a_dual_stack_socket_is_the_same_address() -> None:
    scope = scope_of(Limits(networks=["192.0.2.0/24"]))

    assert scope.admits("::ffff:192.0.2.9")
    assert not scope.admits("::ffff:198.51.100.9")


@pytest.mark.parametrize("action", sorted(BY_NAME))
def test_what_cannot_be_undone_a_token_does_by_name_alone(action: Action) -> None:
    for limits in (Limits(), Limits(cases=[UNKNOWN]), Limits(networks=["192.0.2.0/24"])):
        assert not scope_of(limits).allows(action, UNKNOWN)
    assert scope_of(Limits(actions=[action])).allows(action, UNKNOWN)
    assert Scope(as_person=True).allows(action, UNKNOWN)


@SQLITE
async def test_a_token_that_a_person_made_for_a_program_breaks_no_glass(house: House) -> None:
    planner = await signed_in(house, "planner")
    program = await with_token(planner)
    named = await with_token(planner, actions=["emergency.declare", "case.view"])
    case_id = await house.dentist.new_case()
    await change(house, "UPDATE cases SET state = 'submitted' WHERE id = :id", id=case_id)
    path, body = f"{API}/cases/{case_id}/emergency", {"reason": "urgent", "minutes": 5}

    refused(await program.ask("POST", path, json=body), 403, "out_of_scope")
    assert (await house.planner.ask("POST", path, json=body)).status == 201
    assert (await named.ask("POST", path, json=body)).status == 201


@SQLITE
async def test_an_operators_token_with_a_limit_is_a_programs(house: House) -> None:
    made = house.rooms.accounts.create_token
    secret = await made(email=house.dentist.email, limits=Limits(networks=["127.0.0.0/8"]))
    program = Person(house.session, house.url, planted("a token", secret))
    body = {"cases": [await house.dentist.new_case()], "reason": "asked for", "confirm": 1}

    refused(await program.ask("POST", f"{API}/erasures", json=body), 403, "out_of_scope")
    assert (await house.dentist.ask("POST", f"{API}/erasures", json=body)).status == 202


@pytest.mark.parametrize("action", sorted(SESSION_ONLY))
def test_no_scope_can_name_what_takes_a_signed_in_person(action: Action) -> None:
    with pytest.raises(InvalidInputError):
        scope_of(Limits(actions=[action]))
    assert not scope_of(Limits()).allows(action, None)
