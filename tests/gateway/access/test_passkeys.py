"""Passkeys by HTTP: added, used alone or as the second factor, and to prove oneself again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.access import passkeys
from gateway.access.throttle import BEGUN
from gateway.settings import Settings
from tests.authenticator import Answering, SoftKey
from tests.gateway.ground import (
    SQLITE,
    Browser,
    employee,
    logged,
    refused,
    session_of,
    signed_in,
)
from tests.house import API, PASSWORD, Answer, House, Person, open_house

ORIGIN = "https://kluis.example.invalid"
TRUE = Answering(ORIGIN)
pytestmark = pytest.mark.usefixtures("cheap_passwords")


@pytest.fixture
async def kluis(settings: Settings) -> AsyncIterator[House]:
    """A running Kluis whose passkeys are bound to ORIGIN."""
    async with open_house(settings.model_copy(update={"public_url": ORIGIN})) as house:
        yield house


async def added(browser: Browser, key: SoftKey, how: Answering = TRUE) -> Answer:
    """Add a passkey to the account of a browser."""
    begun = await browser.ask("POST", f"{API}/account/passkeys/options")
    assert begun.status == 200, begun.text
    credential = key.create(begun.json()["options"], how)
    body = {"ticket": begun.json()["ticket"], "name": "key", "credential": credential}
    return await browser.ask("POST", f"{API}/account/passkeys", json=body)


async def asked(browser: Browser, ticket: str | None = None) -> Any:
    """Options to sign in with."""
    begun = await browser.ask("POST", f"{API}/session/passkey/options", json={"ticket": ticket})
    assert begun.status == 200, begun.text
    return begun.json()


async def answered(browser: Browser, begun: Any, key: SoftKey, how: Answering = TRUE) -> Answer:
    """Sign in by what a passkey answers."""
    body = {"ticket": begun["ticket"], "credential": key.get(begun["options"], how)}
    return await browser.ask("POST", f"{API}/session/passkey", json=body)


async def with_key(house: House, role: str = "dentist") -> SoftKey:
    """The passkey of somebody new."""
    key = SoftKey()
    assert (await added(await signed_in(house, role), key)).status == 201
    return key


def stranger(house: House) -> Browser:
    return Browser(house, house.url)


async def test_a_passkey_alone_signs_in_and_is_two_factors(kluis: House) -> None:
    key = await with_key(kluis, "planner")
    browser = stranger(kluis)
    answer = await answered(browser, await asked(browser), key)
    assert answer.status == 200
    assert answer.json()["account"]["email"] == "planner-with-password@people.invalid"
    assert answer.json()["restricted"] is None
    assert (await browser.ask("GET", f"{API}/session")).status == 200
    outcome = (await logged(kluis, "session.open"))[-1]["event"]
    assert outcome["detail"]["proofs"] == ["passkey"]


@SQLITE
async def test_a_first_passkey_is_the_factor_that_staff_must_have(kluis: House) -> None:
    browser, email = stranger(kluis), await employee(kluis, "planner")
    login = {"email": email, "password": PASSWORD}
    answer = await browser.ask("POST", f"{API}/session", json=login)
    assert answer.json()["restricted"] == "second_factor"
    made = await added(browser, SoftKey())
    assert made.status == 201
    assert len(made.json()["recovery_codes"]) == 10
    assert (await browser.ask("GET", f"{API}/session")).json()["restricted"] is None
    assert (await browser.ask("GET", f"{API}/cases")).status == 200


@SQLITE
async def test_after_a_password_a_passkey_is_the_second_factor(kluis: House) -> None:
    key, browser = await with_key(kluis), stranger(kluis)
    login = {"email": "dentist-with-password@people.invalid", "password": PASSWORD}
    pending = await browser.ask("POST", f"{API}/session", json=login)
    assert pending.status == 202
    assert pending.json()["methods"] == ["passkey", "recovery_code"]
    begun = await asked(browser, pending.json()["ticket"])
    assert begun["ticket"] == pending.json()["ticket"]
    assert len(begun["options"]["allowCredentials"]) == 1
    assert begun["options"]["userVerification"] == "preferred"
    how = replace(TRUE, verified=False, hides_user=True)
    assert (await answered(browser, begun, key, how)).status == 200
    outcome = (await logged(kluis, "session.open"))[-1]["event"]
    assert outcome["detail"]["proofs"] == ["passkey", "password"]


@SQLITE
async def test_alone_a_passkey_must_know_its_person(kluis: House) -> None:
    key, browser = await with_key(kluis), stranger(kluis)
    begun = await asked(browser)
    assert begun["options"]["userVerification"] == "required"
    refused(
        await answered(browser, begun, key, replace(TRUE, verified=False)), 401, "passkey_refused"
    )


@SQLITE
async def test_an_answer_signs_in_once(kluis: House) -> None:
    key, browser = await with_key(kluis), stranger(kluis)
    begun = await asked(browser)
    body = {"ticket": begun["ticket"], "credential": key.get(begun["options"], TRUE)}
    answers = await asyncio.gather(
        *(stranger(kluis).ask("POST", f"{API}/session/passkey", json=body) for _ in range(4))
    )
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401]
    refused(await browser.ask("POST", f"{API}/session/passkey", json=body), 401, "code_refused")
    another = {**body, "ticket": (await asked(browser))["ticket"]}
    refused(
        await browser.ask("POST", f"{API}/session/passkey", json=another), 401, "passkey_refused"
    )


@SQLITE
async def test_an_unknown_passkey_and_a_wrong_answer_look_the_same(kluis: House) -> None:
    key, browser = await with_key(kluis), stranger(kluis)
    thief = SoftKey(credential_id=key.credential_id, user=key.user, counter=99)
    unknown = SoftKey(user=key.user)
    answers = [await answered(browser, await asked(browser), other) for other in (thief, unknown)]
    assert answers[0].status == 401
    assert answers[0].body == answers[1].body
    elsewhere = replace(TRUE, origin="https://kluis.example.invalid.evil.invalid")
    assert (await answered(browser, await asked(browser), key, elsewhere)).body == answers[0].body
    reasons = [
        event["event"]["detail"].get("why")
        for event in await logged(kluis, "session.open")
        if event["event"]["stage"] == "refused"
    ]
    assert reasons == ["answer", "unknown", "answer"]


@SQLITE
async def test_a_counter_that_goes_back_is_refused_and_logged_as_such(kluis: House) -> None:
    key, browser = await with_key(kluis), stranger(kluis)
    assert (await answered(browser, await asked(browser), key)).status == 200
    key.steps = -1
    refused(
        await answered(stranger(kluis), await asked(stranger(kluis)), key), 401, "passkey_refused"
    )
    last = (await logged(kluis, "session.open"))[-1]["event"]
    assert last["stage"] == "refused"
    assert last["detail"]["why"] == "counter"


@SQLITE
async def test_one_ticket_has_five_tries(kluis: House) -> None:
    key, browser = await with_key(kluis), stranger(kluis)
    begun = await asked(browser)
    wrong = replace(TRUE, origin="https://evil.invalid")
    for _ in range(5):
        refused(await answered(browser, begun, key, wrong), 401, "passkey_refused")
    refused(await answered(browser, begun, key), 401, "code_refused")


@SQLITE
async def test_sign_ins_that_lead_to_nothing_are_counted_by_network(
    kluis: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passkeys, "BEGUN", replace(BEGUN, free=2))
    key, browser = await with_key(kluis), stranger(kluis)
    for _ in range(4):  # those that end in a session are taken back
        assert (await answered(browser, await asked(browser), key)).status == 200
    for _ in range(3):
        await asked(browser)
    answer = await browser.ask("POST", f"{API}/session/passkey/options", json={})
    refused(answer, 429, "too_many_attempts")
    assert int(answer.headers["Retry-After"]) >= 1


@SQLITE
async def test_somebody_elses_passkey_is_no_second_factor(kluis: House) -> None:
    mine, browser = await with_key(kluis), stranger(kluis)
    theirs = await with_key(kluis, "planner")
    login = {"email": "dentist-with-password@people.invalid", "password": PASSWORD}
    pending = await browser.ask("POST", f"{API}/session", json=login)
    begun = await asked(browser, pending.json()["ticket"])
    refused(await answered(browser, begun, theirs), 401, "passkey_refused")
    assert (await answered(browser, begun, mine)).status == 200


@SQLITE
async def test_a_ticket_serves_what_it_was_given_for(kluis: House) -> None:
    browser, key = await signed_in(kluis), SoftKey()
    assert (await added(browser, key)).status == 201
    begun = (await browser.ask("POST", f"{API}/account/passkeys/options")).json()
    options = {"rpId": begun["options"]["rp"]["id"], "challenge": begun["options"]["challenge"]}
    body = {"ticket": begun["ticket"], "credential": key.get(options, TRUE)}
    refused(await browser.ask("POST", f"{API}/session/passkey", json=body), 401, "passkey_refused")
    refused(
        await browser.ask(
            "POST", f"{API}/session/passkey/options", json={"ticket": begun["ticket"]}
        ),
        401,
        "passkey_refused",
    )
    other = await signed_in(kluis, "planner")
    stolen = {"ticket": begun["ticket"], "name": "key", "credential": _made(begun, SoftKey())}
    refused(await other.ask("POST", f"{API}/account/passkeys", json=stolen), 401, "code_refused")
    visitors = await asked(stranger(kluis))
    foreign = {**stolen, "ticket": visitors["ticket"]}
    refused(await other.ask("POST", f"{API}/account/passkeys", json=foreign), 401, "code_refused")


def _made(begun: Any, key: SoftKey) -> dict[str, Any]:
    return key.create(begun["options"], TRUE)


@SQLITE
async def test_a_passkey_belongs_to_one_account(kluis: House) -> None:
    key = await with_key(kluis)
    refused(await added(await signed_in(kluis, "planner"), key), 401, "passkey_refused")


@SQLITE
async def test_a_passkey_made_on_another_site_is_not_added(kluis: House) -> None:
    browser = await signed_in(kluis)
    wrong = replace(TRUE, origin="https://evil.invalid")
    refused(await added(browser, SoftKey(), wrong), 401, "passkey_refused")
    assert (await browser.ask("GET", f"{API}/account/factors")).json()["factors"] == []


@SQLITE
async def test_a_removed_passkey_signs_nobody_in(kluis: House) -> None:
    browser, key = await signed_in(kluis), SoftKey()
    assert (await added(browser, key)).status == 201
    (factor,) = (await browser.ask("GET", f"{API}/account/factors")).json()["factors"]
    assert (factor["kind"], factor["name"]) == ("passkey", "key")
    begun = await asked(stranger(kluis))
    gone = await browser.ask("DELETE", f"{API}/account/factors/{factor['id']}")
    assert gone.status == 204
    refused(await answered(stranger(kluis), begun, key), 401, "passkey_refused")


@SQLITE
async def test_who_was_disabled_does_not_come_in_by_a_passkey(kluis: House) -> None:
    key = await with_key(kluis)
    await kluis.rooms.accounts.disable(email="dentist-with-password@people.invalid")
    refused(await answered(stranger(kluis), await asked(stranger(kluis)), key), 401, "login_failed")


@SQLITE
async def test_a_passkey_proves_its_person_again_under_a_new_cookie(kluis: House) -> None:
    browser, key = await signed_in(kluis), SoftKey()
    assert (await added(browser, key)).status == 201
    before, path = browser.cookie, f"{API}/session/confirmation/passkey"
    for how, status in ((replace(TRUE, verified=False), 401), (TRUE, 200)):
        begun = (await browser.ask("POST", f"{path}/options")).json()
        body = {"ticket": begun["ticket"], "credential": key.get(begun["options"], how)}
        assert (await browser.ask("POST", path, json=body)).status == status
    assert browser.cookie != before
    assert (await browser.ask("GET", f"{API}/session")).status == 200
    refused(await browser.ask("POST", path, json=body), 401, "code_refused")


async def test_a_first_passkey_ends_the_sessions_that_are_older_than_it(kluis: House) -> None:
    email = await employee(kluis, "planner")
    login = {"email": email, "password": PASSWORD}
    older, owner = stranger(kluis), stranger(kluis)
    for browser in (older, owner):
        await browser.ask("POST", f"{API}/session", json=login)
    begun = (await older.ask("POST", f"{API}/account/passkeys/options")).json()
    assert (await added(owner, SoftKey())).status == 201

    body = {"ticket": begun["ticket"], "name": "key", "credential": _made(begun, SoftKey())}
    late = await older.ask("POST", f"{API}/account/passkeys", json=body)
    refused(late, 401, "unauthenticated")
    assert (await owner.ask("GET", f"{API}/cases")).status == 200


async def test_a_session_that_proved_no_factor_adds_no_passkey_beside_one(kluis: House) -> None:
    await with_key(kluis, "planner")
    own = (await logged(kluis, "session.open"))[-1]["user"]["id"]
    older = await session_of(kluis, own, proofs="password", restricted="second_factor")

    refused(await added(older, SoftKey()), 401, "unauthenticated")
    kept = (await older.ask("GET", f"{API}/account/factors")).json()["factors"]
    assert [factor["kind"] for factor in kept] == ["totp", "passkey"]
    refused(await older.ask("GET", f"{API}/cases"), 403, "second_factor_required")


@SQLITE
async def test_a_bearer_token_adds_no_passkey(kluis: House) -> None:
    refused(await kluis.dentist.ask("POST", f"{API}/account/passkeys/options"), 403, "out_of_scope")


@SQLITE
async def test_where_no_address_is_set_there_are_no_passkeys(house: House) -> None:
    refused(
        await Person(house.session, house.url).ask(
            "POST", f"{API}/session/passkey/options", json={}
        ),
        404,
        "not_found",
    )
