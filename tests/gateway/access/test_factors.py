"""Second factors: set up by oneself, each code taken once, and never the last one lost."""

from __future__ import annotations

import asyncio
import base64
import time

import pyotp
import pytest
from sqlalchemy import select

from gateway.access.accountkeys import HOUSE
from keys.context import Purpose
from storage.schema import factors, recovery_codes, wrapped_keys
from tests.gateway.ground import (
    RECOVERY_CODES,
    SQLITE,
    Browser,
    change,
    employee,
    logged,
    refused,
    signed_in,
)
from tests.house import API, PASSWORD, Answer, House

pytestmark = pytest.mark.usefixtures("cheap_passwords")

EMAIL = "{}-with-password@people.invalid"


async def with_codes(house: House, role: str = "dentist") -> tuple[Browser, str, str]:
    """Somebody who gives one-time codes: their browser, e-mail address and secret."""
    email, browser = await employee(house, role), Browser(house, house.url)
    await browser.sign_in(email)
    if role != "dentist":
        raise AssertionError("whoever must have one sets it up when signing in")
    return browser, email, await browser.enrol(email)


async def ticket(house: House, email: str) -> str:
    """The ticket of a sign-in whose password is right."""
    body = {"email": email, "password": PASSWORD}
    answer = await house.stranger.ask("POST", f"{API}/session", json=body)
    assert answer.status == 202, answer.text
    return str(answer.json()["ticket"])


async def answered(house: House, opened: str, code: str) -> Answer:
    """What a code for a ticket is answered with."""
    body = {"ticket": opened, "code": code}
    return await house.stranger.ask("POST", f"{API}/session/factor", json=body)


def later(secret: str, steps: int = 1) -> str:
    """The code of a later step than the present one."""
    return pyotp.TOTP(secret).generate_otp(int(time.time()) // 30 + steps)


async def forget_steps(house: House) -> None:
    """As if time had passed since the last code."""
    await change(house, "UPDATE factors SET last_step = 0")


async def test_whoever_has_a_factor_is_asked_for_it_after_the_password(house: House) -> None:
    _, email, secret = await with_codes(house)
    body = {"email": email, "password": PASSWORD}
    asked = await house.stranger.ask("POST", f"{API}/session", json=body)

    assert asked.status == 202
    assert "Set-Cookie" not in asked.headers
    assert asked.json()["methods"] == ["recovery_code", "totp"]
    opened = await answered(house, asked.json()["ticket"], later(secret))
    assert opened.status == 200
    assert opened.json()["account"]["email"] == email
    assert opened.json()["restricted"] is None


async def test_a_code_that_two_requests_bring_at_once_lets_one_of_them_in(house: House) -> None:
    _, email, secret = await with_codes(house)
    tickets = [await ticket(house, email) for _ in range(4)]
    code = later(secret)
    answers = await asyncio.gather(*(answered(house, opened, code) for opened in tickets))

    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401]


async def test_a_ticket_that_two_codes_answer_at_once_opens_one_session(house: House) -> None:
    _, email, secret = await with_codes(house)
    opened = await ticket(house, email)
    answers = await asyncio.gather(
        answered(house, opened, later(secret)), answered(house, opened, RECOVERY_CODES[email].pop())
    )

    assert sorted(answer.status for answer in answers) == [200, 401]


@SQLITE
async def test_a_code_counts_once_and_none_older_than_it_counts_after_it(house: House) -> None:
    _, email, secret = await with_codes(house)
    last, *older = [later(secret, steps) for steps in (1, 0, -1)]
    assert (await answered(house, await ticket(house, email), last)).status == 200

    for code in (last, *older):
        again = await answered(house, await ticket(house, email), code)
        refused(again, 401, "code_refused")


@SQLITE
async def test_the_code_that_set_a_factor_up_does_not_sign_in(house: House) -> None:
    browser, email, _ = await with_codes(house)
    begun = (await browser.ask("POST", f"{API}/account/factors", json={"name": "other"})).json()
    code = pyotp.TOTP(begun["secret"]).now()
    path = f"{API}/account/factors/{begun['id']}/activation"
    assert (await browser.ask("POST", path, json={"code": code})).status == 200

    refused(await answered(house, await ticket(house, email), code), 401, "code_refused")


@SQLITE
@pytest.mark.parametrize("steps", [-3, -2, 3])
async def test_a_code_of_another_time_is_refused(house: House, steps: int) -> None:
    _, email, secret = await with_codes(house)
    await forget_steps(house)

    given_code = later(secret, steps)
    refused(await answered(house, await ticket(house, email), given_code), 401, "code_refused")


@SQLITE
async def test_a_recovery_code_counts_once_however_it_is_typed(house: House) -> None:
    _, email, _ = await with_codes(house)
    code = RECOVERY_CODES[email].pop()
    typed = f" {code.upper().replace('-', ' ')} "

    assert (await answered(house, await ticket(house, email), typed)).status == 200
    refused(await answered(house, await ticket(house, email), code), 401, "code_refused")


@SQLITE
async def test_whatever_is_wrong_with_a_code_or_ticket_gets_one_answer(house: House) -> None:
    _, email, secret = await with_codes(house)
    over = await ticket(house, email)
    await change(house, "UPDATE sign_ins SET expires_at = created_at")
    answers = [
        await answered(house, over, later(secret)),
        await answered(house, "x" * 43, later(secret)),
        await answered(house, "", ""),
        await answered(house, await ticket(house, email), "000000"),
        await answered(house, await ticket(house, email), "no code at all"),
        await answered(house, await ticket(house, email), "\u0660" * 6),
    ]

    for answer in answers:
        refused(answer, 401, "code_refused")
        assert answer.body == answers[0].body


@SQLITE
async def test_a_ticket_takes_five_tries_and_no_right_code_after_them(house: House) -> None:
    _, email, secret = await with_codes(house)
    opened = await ticket(house, email)
    for number in range(5):
        refused(await answered(house, opened, f"{number:06}"), 401, "code_refused")

    refused(await answered(house, opened, later(secret)), 401, "code_refused")


@SQLITE
async def test_an_account_that_is_disabled_meanwhile_is_not_let_in_by_its_code(
    house: House,
) -> None:
    _, email, secret = await with_codes(house)
    opened = await ticket(house, email)
    await change(house, "UPDATE accounts SET disabled_at = 1 WHERE email = :email", email=email)

    refused(await answered(house, opened, later(secret)), 401, "login_failed")


@SQLITE
async def test_who_must_have_a_factor_and_has_none_may_only_set_one_up(house: House) -> None:
    email, browser = await employee(house, "planner"), Browser(house, house.url)
    body = {"email": email, "password": PASSWORD}
    opened = await browser.ask("POST", f"{API}/session", json=body)

    assert opened.json()["restricted"] == "second_factor"
    refused(await browser.ask("GET", f"{API}/cases"), 403, "second_factor_required")
    case = f"{API}/cases/{await house.dentist.new_case()}"
    refused(await browser.ask("GET", case), 403, "second_factor_required")
    assert (await browser.ask("GET", f"{API}/account/factors")).json()["required"]
    await browser.enrol(email)
    assert (await browser.ask("GET", f"{API}/session")).json()["restricted"] is None
    refused(await browser.ask("GET", case), 404, "not_found")


@SQLITE
async def test_a_practice_decides_whether_its_people_must_have_a_factor(house: House) -> None:
    email, browser = await employee(house), Browser(house, house.url)
    body = {"email": email, "password": PASSWORD}
    free = await browser.ask("POST", f"{API}/session", json=body)
    await change(house, "UPDATE controllers SET second_factor_required = :yes", yes=True)
    bound = await browser.ask("POST", f"{API}/session", json=body)

    assert free.json()["restricted"] is None
    assert bound.json()["restricted"] == "second_factor"


@SQLITE
async def test_a_factor_that_was_never_activated_asks_nobody_for_a_code(house: House) -> None:
    browser = await signed_in(house)
    begun = await browser.ask("POST", f"{API}/account/factors", json={"name": "phone"})
    again = await browser.ask("POST", f"{API}/account/factors", json={"name": "phone"})
    late = f"{API}/account/factors/{begun.json()['id']}/activation"
    code = pyotp.TOTP(begun.json()["secret"]).now()

    assert again.status == 201
    assert (await browser.ask("GET", f"{API}/account/factors")).json()["factors"] == []
    refused(await browser.ask("POST", late, json={"code": code}), 404, "not_found")
    body = {"email": EMAIL.format("dentist"), "password": PASSWORD}
    assert (await house.stranger.ask("POST", f"{API}/session", json=body)).status == 200


@SQLITE
async def test_a_wrong_first_code_activates_nothing(house: House) -> None:
    browser = await signed_in(house)
    begun = (await browser.ask("POST", f"{API}/account/factors", json={"name": "phone"})).json()
    path = f"{API}/account/factors/{begun['id']}/activation"

    refused(await browser.ask("POST", path, json={"code": "000000"}), 401, "code_refused")
    assert (await browser.ask("GET", f"{API}/account/factors")).json()["factors"] == []


@SQLITE
async def test_the_secret_is_shown_once_as_text_address_and_picture(house: House) -> None:
    browser = await signed_in(house)
    begun = (await browser.ask("POST", f"{API}/account/factors", json={"name": "phone"})).json()

    assert len(base64.b32decode(begun["secret"])) == 20
    parsed = pyotp.parse_uri(begun["uri"])
    assert (parsed.secret, parsed.issuer) == (begun["secret"], "Kluis")
    assert parsed.name == EMAIL.format("dentist")
    assert begun["qr"].startswith("<svg")
    async with house.rooms.main.reading() as connection:
        (row,) = (await connection.execute(select(factors))).all()
    assert base64.b32decode(begun["secret"]) not in row.sealed_secret
    assert begun["secret"] not in (await browser.ask("GET", f"{API}/account/factors")).text


@SQLITE
async def test_the_last_factor_of_who_must_have_one_stays(house: House) -> None:
    browser = await signed_in(house, "coordinator")
    (only,) = (await browser.ask("GET", f"{API}/account/factors")).json()["factors"]

    path = f"{API}/account/factors/{only['id']}"
    refused(await browser.ask("DELETE", path), 409, "last_factor")
    assert len((await browser.ask("GET", f"{API}/account/factors")).json()["factors"]) == 1


@SQLITE
async def test_a_dentist_removes_the_last_factor_and_its_recovery_codes_go_along(
    house: House,
) -> None:
    browser, email, _ = await with_codes(house)
    (only,) = (await browser.ask("GET", f"{API}/account/factors")).json()["factors"]
    path = f"{API}/account/factors/{only['id']}"

    assert (await browser.ask("DELETE", path)).status == 204
    refused(await browser.ask("DELETE", path), 404, "not_found")
    async with house.rooms.main.reading() as connection:
        assert (await connection.execute(select(recovery_codes))).all() == []
    body = {"email": email, "password": PASSWORD}
    assert (await house.stranger.ask("POST", f"{API}/session", json=body)).status == 200


@SQLITE
async def test_a_factor_of_somebody_else_is_like_one_that_there_is_not(house: House) -> None:
    mine, _, _ = await with_codes(house)
    other = await signed_in(house, "coordinator")
    (theirs,) = (await other.ask("GET", f"{API}/account/factors")).json()["factors"]
    path = f"{API}/account/factors/{theirs['id']}"

    refused(await mine.ask("DELETE", path), 404, "not_found")
    answer = await mine.ask("POST", f"{path}/activation", json={"code": "123456"})
    refused(answer, 404, "not_found")
    assert (await other.ask("GET", f"{API}/account/factors")).json()["factors"] == [theirs]


@SQLITE
async def test_new_recovery_codes_end_the_old_ones(house: House) -> None:
    browser, email, _ = await with_codes(house)
    old = RECOVERY_CODES[email].pop()
    fresh = (await browser.ask("POST", f"{API}/account/recovery-codes")).json()["recovery_codes"]

    assert len(set(fresh)) == 10
    refused(await answered(house, await ticket(house, email), old), 401, "code_refused")
    assert (await answered(house, await ticket(house, email), fresh[0])).status == 200
    assert (await browser.ask("GET", f"{API}/account/factors")).json()["recovery_codes"] == 9


@SQLITE
async def test_without_a_factor_there_are_no_recovery_codes(house: House) -> None:
    browser = await signed_in(house)

    answer = await browser.ask("POST", f"{API}/account/recovery-codes")
    refused(answer, 404, "not_found")


@SQLITE
async def test_changing_factors_takes_a_fresh_proof_and_a_code_is_one(house: House) -> None:
    browser, _, secret = await with_codes(house)
    (only,) = (await browser.ask("GET", f"{API}/account/factors")).json()["factors"]
    await change(house, "UPDATE sessions SET confirmed_at = confirmed_at - 5 * 60 * 1000000")
    asks = [
        ("POST", f"{API}/account/factors", {"name": "mine"}),
        ("POST", f"{API}/account/recovery-codes", {}),
        ("DELETE", f"{API}/account/factors/{only['id']}", None),
    ]

    for method, path, body in asks:
        answer = await browser.ask(method, path, json=body)
        refused(answer, 403, "confirmation_required")
    wrong = await browser.ask("POST", f"{API}/session/confirmation", json={"code": "000000"})
    refused(wrong, 401, "login_failed")
    right = {"code": later(secret)}
    assert (await browser.ask("POST", f"{API}/session/confirmation", json=right)).status == 200
    assert (await browser.ask("POST", asks[0][1], json=asks[0][2])).status == 201
    again = await browser.ask("POST", f"{API}/session/confirmation", json=right)
    refused(again, 401, "login_failed")


@SQLITE
async def test_no_token_touches_factors(house: House) -> None:
    for method, path in (
        ("GET", f"{API}/account/factors"),
        ("POST", f"{API}/account/recovery-codes"),
        ("DELETE", f"{API}/account/factors/{house.dentist.id}"),
    ):
        refused(await house.dentist.ask(method, path), 403, "out_of_scope")


@SQLITE
async def test_secrets_lie_under_the_key_of_their_account_under_their_practices(
    house: House,
) -> None:
    await with_codes(house)
    await signed_in(house, "planner")
    async with house.rooms.keystore.reading() as connection:
        rows = await connection.execute(
            select(wrapped_keys).where(wrapped_keys.c.purpose == Purpose.ACCOUNT_KEY)
        )
        owners = {row.controller_id for row in rows}

    assert owners == {house.practice.id, HOUSE}


@SQLITE
async def test_a_secret_that_was_moved_to_another_factor_does_not_open_and_is_logged(
    house: House,
) -> None:
    _, email, secret = await with_codes(house)
    await signed_in(house, "planner")
    await change(
        house,
        "UPDATE factors SET sealed_secret = (SELECT sealed_secret FROM factors AS others"
        " WHERE others.id <> factors.id)",
    )

    answer = await answered(house, await ticket(house, email), later(secret))
    refused(answer, 500, "integrity_failed")
    assert len(await logged(house, "integrity.alarm")) == 1


@SQLITE
async def test_the_events_of_a_sign_in_name_its_proofs_and_hold_no_secret(house: House) -> None:
    _, email, secret = await with_codes(house)
    opened = await ticket(house, email)
    await answered(house, opened, later(secret))

    (asked,) = await logged(house, "session.prove")
    assert asked["event"]["detail"] == {"proofs": ["password"]}
    last = (await logged(house, "session.open"))[-1]
    assert last["event"]["detail"]["proofs"] == ["password", "totp"]
    assert opened not in str(await logged(house, "session.open"))
